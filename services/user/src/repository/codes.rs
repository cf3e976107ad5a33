//! Codes that prove a mailbox.

use super::{Repository, accounts, lock, save, save_version, sessions};
use crate::{
    domain::{
        Error, User, UserId,
        account::Status,
        code::{self as rules, Code, Purpose},
    },
    entity::contact_code,
    events,
};
use chrono::{DateTime, Duration, Utc};
use kit::Tx;
use sea_orm::{ActiveValue::Set, IntoActiveModel, QuerySelect, entity::prelude::*};

/// How long after a request its code may be made.
const ISSUED_WITHIN: Duration = Duration::hours(24);

/// A code to be made for the account that asked for it.
pub struct Issuable {
    /// The account.
    pub user_id: UserId,
    /// What for.
    pub purpose: Purpose,
    /// The code.
    pub code: Code,
}

/// Notes that an account asks for a code. False when it did so a moment ago.
pub async fn request(tx: &Tx, user_id: UserId, purpose: Purpose) -> Result<bool, Error> {
    let now = tx.now();
    let found = contact_code::Entity::find_by_id((user_id, purpose)).one(&**tx).await?;
    match found {
        Some(found) if now < found.requested_at + rules::INTERVAL => Ok(false),
        Some(found) => {
            let mut row = found.into_active_model();
            row.requested_at = Set(now);
            row.update(&**tx).await?;
            Ok(true)
        }
        None => {
            let row = contact_code::ActiveModel {
                user_id: Set(user_id),
                purpose: Set(purpose),
                requested_at: Set(now),
                selector: Set(None),
                code_hash: Set(String::new()),
                expires_at: Set(now),
                attempts: Set(0),
            };
            contact_code::Entity::insert(row).exec_without_returning(&**tx).await?;
            Ok(true)
        }
    }
}

/// Forgets the codes of an account.
pub async fn delete_all(tx: &Tx, user_id: UserId) -> Result<(), Error> {
    contact_code::Entity::delete_many()
        .filter(contact_code::Column::UserId.eq(user_id))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// The account of a code. A wrong guess is counted, so the transaction must be committed whatever this returns.
async fn owner(tx: &Tx, code: &Code, purpose: Purpose) -> Result<Option<UserId>, Error> {
    let found = contact_code::Entity::find()
        .filter(contact_code::Column::Selector.eq(code.selector()))
        .filter(contact_code::Column::Purpose.eq(purpose))
        .lock_exclusive()
        .one(&**tx)
        .await?;
    let now = tx.now();
    let Some(found) = found.filter(|it| rules::open(it.expires_at, it.attempts, now)) else {
        return Ok(None);
    };
    if code.matches(&found.code_hash) {
        return Ok(Some(found.user_id));
    }
    let attempts = found.attempts + 1;
    let mut row = found.into_active_model();
    row.attempts = Set(attempts);
    row.update(&**tx).await?;
    Ok(None)
}

/// As [`owner`], and the code is used up.
async fn redeem(tx: &Tx, code: &Code, purpose: Purpose) -> Result<Option<User>, Error> {
    let Some(user_id) = owner(tx, code, purpose).await? else { return Ok(None) };
    contact_code::Entity::delete_by_id((user_id, purpose)).exec(&**tx).await?;
    let user = lock(tx, user_id).await?;
    Ok(Some(user).filter(|user| user.status == Status::Active))
}

impl Repository {
    /// Notes that the account with this address asks for a code, and has it mailed. Nothing happens when there is no
    /// such account, when its address is proven already, or when it asked a moment ago.
    pub async fn request_code(&self, email: &str, purpose: Purpose) -> Result<(), Error> {
        let Some(user) = self.user_by_email(email).await? else { return Ok(()) };
        let id = user.id;
        self.db
            .write(move |tx| async move {
                let mut user = lock(&tx, id).await?;
                let proven = user.email_verified_at.is_some();
                let of_use =
                    user.status == Status::Active && !(purpose == Purpose::Verification && proven);
                if of_use && request(&tx, id, purpose).await? {
                    events::record(&tx, &mut user, purpose.request_fact()).await?;
                    save(&tx, user).await?;
                }
                Ok(())
            })
            .await
    }

    /// Keeps the code that is about to be mailed, in the place of any before it. Returns its end.
    pub async fn issue_code(&self, new: Issuable) -> Result<DateTime<Utc>, Error> {
        self.db
            .write(move |tx| async move {
                let Issuable { user_id, purpose, code } = new;
                let user = lock(&tx, user_id).await?;
                if user.status != Status::Active {
                    return Err(Error::UserNotFound);
                }
                let found = contact_code::Entity::find_by_id((user_id, purpose)).one(&*tx).await?;
                let now = tx.now();
                let asked = found.filter(|it| now < it.requested_at + ISSUED_WITHIN);
                let mut row = asked.ok_or(Error::CodeNotRequested)?.into_active_model();
                let expires_at = now + purpose.life();
                row.selector = Set(Some(code.selector().to_owned()));
                row.code_hash = Set(code.hash());
                row.expires_at = Set(expires_at);
                row.attempts = Set(0);
                row.update(&*tx).await?;
                Ok(expires_at)
            })
            .await
    }

    /// Whether a code is good. A wrong guess at one is counted.
    pub async fn is_good(&self, code: Code, purpose: Purpose) -> Result<bool, Error> {
        let owner = self.db.write(move |tx| async move { owner(&tx, &code, purpose).await });
        Ok(owner.await?.is_some())
    }

    /// Uses up a code that proves an e-mail address. None when it is not good.
    pub async fn verify_contact(&self, code: Code) -> Result<Option<User>, Error> {
        let verified = self.db.write(move |tx| async move {
            let Some(mut user) = redeem(&tx, &code, Purpose::Verification).await? else {
                return Ok(None);
            };
            if user.email_verified_at.is_none() {
                user.email_verified_at = Some(tx.now());
                events::record(&tx, &mut user, events::CONTACT_VERIFIED).await?;
            }
            save_version(&tx, user).await.map(Some)
        });
        self.forget(verified.await?).await
    }

    /// Uses up a code and sets a new password with it; every session ends. None when the code is not good.
    pub async fn reset_password(
        &self,
        code: Code,
        password_hash: String,
    ) -> Result<Option<User>, Error> {
        let reset = self.db.write(move |tx| async move {
            let Some(mut user) = redeem(&tx, &code, Purpose::PasswordReset).await? else {
                return Ok(None);
            };
            // Whoever has the mail has proven the address.
            user.email_verified_at = user.email_verified_at.or(Some(tx.now()));
            accounts::set_password_hash(&tx, user.id, password_hash).await?;
            sessions::end_all(&tx, &mut user).await?;
            events::record(&tx, &mut user, events::PASSWORD_CHANGED).await?;
            save_version(&tx, user).await.map(Some)
        });
        self.forget(reset.await?).await
    }

    async fn forget(&self, changed: Option<User>) -> Result<Option<User>, Error> {
        if let Some(user) = &changed {
            self.hot.forget(user.id).await;
        }
        Ok(changed)
    }
}
