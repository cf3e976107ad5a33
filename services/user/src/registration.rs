//! Makes accounts: for people who register, and for the operators of an installation.

use crate::{
    api::convert,
    domain::{Error, UserId, account, code::Purpose, password},
    events,
    hasher::Hasher,
    repository::{self, NewAccount, Repository, accounts, codes},
    throttle::{Client, Throttles},
};
use kit::{
    Clock, Db, Host, Id, Role, Tx,
    storage::{db::Begun, idempotency},
};
use proto::{quickserve::user::v1 as pb, validate::Text};
use std::sync::Arc;
use tonic::Response;

pub struct Registration {
    pub repository: Repository,
    /// Hashes the password.
    pub hasher: Hasher,
    /// Slows down clients that register many accounts.
    pub throttles: Arc<Throttles>,
    /// Whether a registration whose address has an account is refused.
    pub refuses_registered_email: bool,
}

impl Registration {
    /// Registers an account. When its address has one, a placeholder is made instead: the answer is the same, and so
    /// is the work behind it, the hash above all. An installation may have it refused instead.
    pub async fn register(
        &self,
        request: pb::CreateUserRequest,
        key: Option<idempotency::Key>,
        client: &Client,
    ) -> Result<Response<pb::CreateUserResponse>, Error> {
        let clock = self.repository.clock();
        let (new, password) = new_account(request, clock)?;
        self.throttles.registration(client, clock.now()).await?;
        let password_hash = self.hasher.hash(password).await?;
        let new = NewAccount { password_hash, ..new };
        let tx = match self.repository.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        if accounts::insert_account(&tx, &new, 2).await? {
            let mut user = new.row(tx.now());
            events::record_event(&tx, &mut user, events::REGISTERED).await?;
            codes::note_request(&tx, user.id, Purpose::Verification).await?;
            events::record_event(&tx, &mut user, Purpose::Verification.request_fact()).await?;
        } else if self.refuses_registered_email {
            return Err(Error::EmailRegistered);
        } else {
            tell_owner_of_repetition(&tx, &new.email).await?;
            accounts::insert_placeholder(&tx, &new).await?;
        }
        let user = Some(convert::user(new.row(tx.now())));
        Ok(tx.commit_answer(pb::CreateUserResponse { user }).await?)
    }
}

/// Has the owner of an address hear that it was registered again.
async fn tell_owner_of_repetition(tx: &Tx, email: &str) -> Result<(), Error> {
    let Some(mut owner) = accounts::lock_by_email(tx, email).await? else { return Ok(()) };
    if owner.notice_repetition(tx.now()) {
        events::record_event(tx, &mut owner, events::REGISTRATION_REPEATED).await?;
    }
    repository::save_quietly(tx, &owner).await
}

/// The account that a request asks for, without its hash, and the password.
fn new_account(
    request: pb::CreateUserRequest,
    clock: &Clock,
) -> Result<(NewAccount, String), Error> {
    let pb::CreateUserRequest { name, email, role, password, phone, locale, time_zone } = request;
    let email = account::parse_email(&email)?;
    let password = password::normalize(&password);
    password::check_new(&password, &email)?;
    let new = NewAccount {
        id: Id::new(clock),
        email,
        name: account::parse_name("name", &name)?,
        phone,
        role: account::registered_role(&role)?,
        locale: account::parse_locale(&locale),
        time_zone: account::time_zone("time_zone", &time_zone)?,
        password_hash: String::new(),
        verified: false,
    };
    Ok((new, password))
}

/// Makes the account of an operator, its address taken as proven. No RPC does this: it takes access to the database.
///
/// The tables must be migrated; the service may run meanwhile.
///
/// # Errors
/// A field that is wrong, an address that has an account, or a database that fails.
pub async fn create_operator(
    host: &Host,
    email: &str,
    name: &str,
    password: &str,
) -> Result<UserId, Error> {
    let clock = host.clock().clone();
    check_name_characters("email", email)?;
    check_name_characters("name", name)?;
    let email = account::parse_email(email)?;
    let password = password::normalize(password);
    password::check_new(&password, &email)?;
    let name = account::parse_name("name", name)?;
    let password_hash = Hasher::new(1).await?.hash(password).await?;
    let new = NewAccount {
        id: Id::new(&clock),
        email,
        name,
        phone: String::new(),
        role: Role::Operator,
        locale: account::parse_locale(""),
        time_zone: account::time_zone("time_zone", "")?,
        password_hash,
        verified: true,
    };
    let db = Db::connect(&host.of("user").database_config(), clock).await?;
    let made = insert_operator(&db, &new).await;
    db.close().await?;
    if made? { Ok(new.id) } else { Err(Error::EmailTaken) }
}

/// Refuses what the contract refuses in a name, for what comes by no RPC.
fn check_name_characters(field: &'static str, text: &str) -> Result<(), Error> {
    match Text::Name.broken_rule(text) {
        None => Ok(()),
        Some((_, problem)) => Err(Error::Invalid { field, problem }),
    }
}

/// Inserts the account of an operator, its address taken as proven. False when the address has an account.
async fn insert_operator(db: &Db, new: &NewAccount) -> Result<bool, Error> {
    let tx = db.begin().await?;
    if !accounts::insert_account(&tx, new, 1).await? {
        return Ok(false);
    }
    events::record_event(&tx, &mut new.row(tx.now()), events::REGISTERED).await?;
    tx.commit().await?;
    Ok(true)
}
