//! Accounts: registration and what happens to them.

use super::{
    Repository, addresses, check_version, codes, lock, lock_signed_in, save, save_version, sessions,
};
use crate::{
    domain::{
        Error, User, UserId,
        account::{Changes, Event, Status, role_bits},
        code::Purpose,
    },
    entity::{credential, user},
    events,
};
use chrono::{DateTime, Duration, Utc};
use kit::{Role, Tx, rpc::caller::Roles};
use sea_orm::{
    ActiveValue::Set, IntoActiveModel, QuerySelect, entity::prelude::*, sea_query::OnConflict,
};

/// The owner of an address hears of registrations that repeat it at most this often.
const NOTICE_INTERVAL: Duration = Duration::hours(1);
/// Name of an erased account.
const ERASED_NAME: &str = "—";

/// An account to be made.
#[derive(Clone)]
pub struct NewAccount {
    /// Its id.
    pub id: UserId,
    /// Its e-mail address, normalised.
    pub email: String,
    /// Its name.
    pub name: String,
    /// Its phone number, or empty.
    pub phone: String,
    /// Its one role.
    pub role: Role,
    /// Its language.
    pub locale: String,
    /// Its time zone.
    pub time_zone: String,
    /// The hash of its password.
    pub password_hash: String,
    /// Whether the address is taken as proven.
    pub verified: bool,
}

impl NewAccount {
    /// The row of the account when it is made at `now`.
    pub fn row(&self, now: DateTime<Utc>) -> User {
        User {
            id: self.id,
            email: Some(self.email.clone()),
            name: self.name.clone(),
            phone: self.phone.clone(),
            status: Status::Active,
            suspension_reason: String::new(),
            role: self.role.name().to_owned(),
            roles: role_bits(Roles::default().with(self.role)),
            locale: self.locale.clone(),
            time_zone: self.time_zone.clone(),
            email_verified_at: self.verified.then_some(now),
            repetition_noticed_at: None,
            token_version: 1,
            event_seq: 0,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

/// Makes an account, unless its address has one. Returns whether it did.
pub async fn insert(tx: &Tx, new: &NewAccount) -> Result<bool, Error> {
    let mut row = new.row(tx.now());
    // The facts that follow in this transaction, counted ahead to spare a second write.
    row.event_seq = if new.verified { 1 } else { 2 };
    let inserted = user::Entity::insert(row.clone().into_active_model())
        .on_conflict(OnConflict::column(user::Column::Email).do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    if inserted == 0 {
        return Ok(false);
    }
    let credential = credential::ActiveModel {
        user_id: Set(new.id),
        password_hash: Set(new.password_hash.clone()),
        changed_at: Set(tx.now()),
    };
    credential::Entity::insert(credential).exec_without_returning(&**tx).await?;
    row.event_seq = 0;
    events::record(tx, &mut row, events::REGISTERED).await?;
    if !new.verified {
        codes::request(tx, row.id, Purpose::Verification).await?;
        events::record(tx, &mut row, Purpose::Verification.request_fact()).await?;
    }
    Ok(true)
}

/// Makes the placeholder of a registration whose address has an account, and has its owner told.
pub async fn insert_duplicate(tx: &Tx, new: &NewAccount) -> Result<(), Error> {
    let now = tx.now();
    let owner = user::Entity::find()
        .filter(user::Column::Email.eq(&new.email))
        .lock_exclusive()
        .one(&**tx)
        .await?;
    if let Some(mut owner) = owner {
        let noticed = owner.repetition_noticed_at.is_some_and(|at| now < at + NOTICE_INTERVAL);
        if owner.status == Status::Active && !noticed {
            owner.repetition_noticed_at = Some(now);
            events::record(tx, &mut owner, events::REGISTRATION_REPEATED).await?;
        }
        save(tx, owner).await?;
    }
    let mut row = new.row(now);
    row.email = None;
    row.phone.clear();
    row.status = Status::Duplicate;
    user::Entity::insert(row.into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Replaces the password hash of an account.
pub async fn set_password_hash(tx: &Tx, id: UserId, password_hash: String) -> Result<(), Error> {
    credential::Entity::update_many()
        .col_expr(credential::Column::PasswordHash, Expr::value(password_hash))
        .col_expr(credential::Column::ChangedAt, Expr::value(tx.now()))
        .filter(credential::Column::UserId.eq(id))
        .exec(&**tx)
        .await?;
    Ok(())
}

impl Repository {
    /// The account with this address and the hash of its password: one query, whether there is one or not.
    pub async fn credentials(&self, email: &str) -> Result<Option<(User, Option<String>)>, Error> {
        let found = user::Entity::find()
            .filter(user::Column::Email.eq(email))
            .find_also_related(credential::Entity)
            .one(self.db.read())
            .await?;
        Ok(found.map(|(user, credential)| (user, credential.map(|it| it.password_hash))))
    }

    /// The account with this address.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, Error> {
        let query = user::Entity::find().filter(user::Column::Email.eq(email));
        Ok(query.one(self.db.read()).await?)
    }

    /// Changes the caller's account.
    pub async fn update_profile(
        &self,
        id: UserId,
        seen: i64,
        paths: Vec<String>,
        changes: Changes,
    ) -> Result<User, Error> {
        let change = move |tx: Tx| async move {
            let mut user = lock_signed_in(&tx, id).await?;
            check_version(seen, user.version)?;
            let before = user.clone();
            changes.apply(&paths, &mut user)?;
            if user == before {
                return Ok(user);
            }
            save_version(&tx, user).await
        };
        self.change(id, change).await
    }

    /// Closes an account and ends its sessions.
    pub async fn suspend(&self, id: UserId, reason: String) -> Result<User, Error> {
        let change = move |tx: Tx| async move {
            let mut user = lock(&tx, id).await?;
            let status = user.status.transition(Event::Suspend)?;
            if status == user.status {
                return Ok(user);
            }
            user.status = status;
            user.suspension_reason = reason;
            sessions::end_all(&tx, &mut user).await?;
            events::record(&tx, &mut user, events::SUSPENDED).await?;
            save_version(&tx, user).await
        };
        self.change(id, change).await
    }

    /// Opens a suspended account again.
    pub async fn reinstate(&self, id: UserId) -> Result<User, Error> {
        let change = move |tx: Tx| async move {
            let mut user = lock(&tx, id).await?;
            let status = user.status.transition(Event::Reinstate)?;
            if status == user.status {
                return Ok(user);
            }
            user.status = status;
            user.suspension_reason.clear();
            events::record(&tx, &mut user, events::REINSTATED).await?;
            save_version(&tx, user).await
        };
        self.change(id, change).await
    }

    /// Takes every personal trait from an account and ends its sessions. Its id stays, as a pseudonym. A suspended
    /// account cannot get here: it has no session.
    pub async fn erase(&self, id: UserId) -> Result<User, Error> {
        let change = move |tx: Tx| async move {
            let mut user = lock(&tx, id).await?;
            let status = user.status.transition(Event::Erase)?;
            if status == user.status {
                return Ok(user);
            }
            user.status = status;
            user.email = None;
            user.email_verified_at = None;
            ERASED_NAME.clone_into(&mut user.name);
            user.phone.clear();
            user.suspension_reason.clear();
            sessions::end_all(&tx, &mut user).await?;
            credential::Entity::delete_by_id(id).exec(&*tx).await?;
            codes::delete_all(&tx, id).await?;
            addresses::delete_all(&tx, id).await?;
            events::record(&tx, &mut user, events::ERASED).await?;
            save_version(&tx, user).await
        };
        self.change(id, change).await
    }

    /// Runs a change of an account and forgets what is kept of it.
    pub(super) async fn change<F, Fut>(&self, id: UserId, work: F) -> Result<User, Error>
    where
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<User, Error>> + Send + 'static,
    {
        let changed = self.db.write(work).await?;
        self.hot.forget(id).await;
        Ok(changed)
    }
}
