//! Accounts and their passwords.

use super::Repository;
use crate::domain::{
    Error, User, UserId,
    account::{Status, role_bits},
    records::{credential, user},
};
use chrono::{DateTime, Utc};
use kit::{Role, Tx, rpc::caller::Roles};
use sea_orm::{
    ActiveValue::Set,
    IntoActiveModel, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, OnConflict},
};

/// An account to be made.
#[derive(Clone)]
pub struct NewAccount {
    pub id: UserId,
    /// Its e-mail address, normalised.
    pub email: String,
    pub name: String,
    /// Its phone number, or empty.
    pub phone: String,
    /// Its one role.
    pub role: Role,
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

/// Inserts an account and its password, unless its address has an account. Returns whether it did. `facts` is how many
/// facts of the account follow in this transaction: they are counted ahead to spare a second write.
pub async fn insert_account(tx: &Tx, new: &NewAccount, facts: i64) -> Result<bool, Error> {
    let mut row = new.row(tx.now());
    row.event_seq = facts;
    let inserted = user::Entity::insert(row.into_active_model())
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
    Ok(true)
}

/// Locks all operators in the order of their ids, and returns those who can sign in: of two who would shut each other out
/// at the same time, the second finds itself shut out. Those who cannot sign in are locked too. Otherwise a transaction
/// that has just seen one suspended would lock that one after the others, and meet one that locks it first.
pub async fn lock_active_operators(tx: &Tx) -> Result<Vec<UserId>, Error> {
    let operator = role_bits(Roles::default().with(Role::Operator));
    let locked = user::Entity::find()
        .filter(Expr::col(user::Column::Roles).bit_and(operator).ne(0))
        .order_by_asc(user::Column::Id)
        .lock_exclusive()
        .all(&**tx)
        .await?;
    let active = locked.into_iter().filter(|user| user.status == Status::Active);
    Ok(active.map(|user| user.id).collect())
}

/// Locks the account with this address, if there is one.
pub async fn lock_by_email(tx: &Tx, email: &str) -> Result<Option<User>, Error> {
    let query = user::Entity::find().filter(user::Column::Email.eq(email)).lock_exclusive();
    Ok(query.one(&**tx).await?)
}

/// Inserts the placeholder of a registration whose address has an account.
pub async fn insert_placeholder(tx: &Tx, new: &NewAccount) -> Result<(), Error> {
    let mut row = new.row(tx.now());
    row.email = None;
    row.phone.clear();
    row.status = Status::Duplicate;
    user::Entity::insert(row.into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Deletes the password of an account.
pub async fn delete_password(tx: &Tx, id: UserId) -> Result<(), Error> {
    credential::Entity::delete_by_id(id).exec(&**tx).await?;
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
            .one(self.db.connection())
            .await?;
        Ok(found.map(|(user, credential)| (user, credential.map(|it| it.password_hash))))
    }

    /// The account with this address.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, Error> {
        let query = user::Entity::find().filter(user::Column::Email.eq(email));
        Ok(query.one(self.db.connection()).await?)
    }
}
