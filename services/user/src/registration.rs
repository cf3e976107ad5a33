//! Makes accounts: for whoever registers, and operators for whoever runs the installation.

use crate::{
    api::convert,
    domain::{Error, UserId, account, password},
    hasher::Hasher,
    repository::{NewAccount, Repository, accounts},
    throttle::{Client, Throttles},
};
use kit::{Clock, Db, Host, Id, Role, storage::idempotency};
use proto::quickserve::user::v1 as pb;
use std::sync::Arc;

/// Registers accounts.
pub struct Registration {
    /// The tables.
    pub repository: Repository,
    /// Hashes the password.
    pub hasher: Hasher,
    /// Slows down who registers too many.
    pub throttles: Arc<Throttles>,
}

impl Registration {
    /// Registers an account. When its address has one, a placeholder is made instead: the answer is the same, and so
    /// is the work behind it, the hash above all.
    pub async fn register(
        &self,
        request: pb::CreateUserRequest,
        key: Option<idempotency::Key>,
        client: &Client,
    ) -> Result<pb::CreateUserResponse, Error> {
        let clock = self.repository.clock().clone();
        let (new, password) = new_account(request, &clock)?;
        self.throttles.registration(client, clock.now())?;
        let password_hash = self.hasher.hash(password).await?;
        let new = NewAccount { password_hash, ..new };
        self.repository
            .db()
            .write_once(key, move |tx| async move {
                if !accounts::insert(&tx, &new).await? {
                    accounts::insert_duplicate(&tx, &new).await?;
                }
                let user = convert::user(new.row(tx.now()));
                Ok(pb::CreateUserResponse { user: Some(user) })
            })
            .await
    }
}

/// The account that a request asks for, without its hash, and the password.
fn new_account(
    request: pb::CreateUserRequest,
    clock: &Clock,
) -> Result<(NewAccount, String), Error> {
    let pb::CreateUserRequest { name, email, role, password, phone, locale, time_zone } = request;
    let email = account::email(&email)?;
    password::check_new(&password, &email)?;
    let new = NewAccount {
        id: Id::new(clock),
        email,
        name: account::name("name", &name)?,
        phone,
        role: account::registered_role(&role)?,
        locale: account::locale(&locale),
        time_zone: account::time_zone("time_zone", &time_zone)?,
        password_hash: String::new(),
        verified: false,
    };
    Ok((new, password))
}

/// Makes the account of an operator, its address taken as proven. No RPC does this: only who holds the database can.
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
    let email = account::email(email)?;
    password::check_new(password, &email)?;
    let name = account::name("name", name)?;
    let password_hash = Hasher::new(1).await?.hash(password.to_owned()).await?;
    let new = NewAccount {
        id: Id::new(&clock),
        email,
        name,
        phone: String::new(),
        role: Role::Operator,
        locale: account::locale(""),
        time_zone: account::time_zone("time_zone", "")?,
        password_hash,
        verified: true,
    };
    let id = new.id;
    let db = Db::connect(&host.of("user").database_config(), clock).await?;
    let made = db.write(move |tx| async move { accounts::insert(&tx, &new).await }).await;
    db.close().await?;
    if made? { Ok(id) } else { Err(Error::EmailTaken) }
}
