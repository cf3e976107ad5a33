//! Codes that prove a mailbox.

use crate::domain::{
    Error, User, UserId,
    account::Status,
    code::{self as rules, Code, Purpose},
    records::contact_code,
};
use chrono::{DateTime, Duration, Utc};
use kit::Tx;
use sea_orm::{ActiveValue::Set, IntoActiveModel, QuerySelect, entity::prelude::*};

/// How long after a request its code may be made.
const ISSUED_WITHIN: Duration = Duration::hours(24);

/// Notes that an account asks for a code. False when it did so a moment ago.
pub async fn note_request(tx: &Tx, user_id: UserId, purpose: Purpose) -> Result<bool, Error> {
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

/// Deletes the codes of an account.
pub async fn delete_all(tx: &Tx, user_id: UserId) -> Result<(), Error> {
    contact_code::Entity::delete_many()
        .filter(contact_code::Column::UserId.eq(user_id))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// The account of a code. A wrong guess is counted, so commit the transaction also when this fails.
pub async fn find_owner(tx: &Tx, code: &Code, purpose: Purpose) -> Result<Option<UserId>, Error> {
    let found = contact_code::Entity::find()
        .filter(contact_code::Column::Selector.eq(code.selector()))
        .filter(contact_code::Column::Purpose.eq(purpose))
        .lock_exclusive()
        .one(&**tx)
        .await?;
    let now = tx.now();
    let Some(found) = found.filter(|it| rules::open_code(it.expires_at, it.attempts, now)) else {
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

/// Uses a code up and locks its account. None when the code is not good or the account is closed. A wrong guess is
/// counted, so commit the transaction also when this fails.
pub async fn redeem_code(tx: &Tx, code: &Code, purpose: Purpose) -> Result<Option<User>, Error> {
    let Some(user_id) = find_owner(tx, code, purpose).await? else { return Ok(None) };
    contact_code::Entity::delete_by_id((user_id, purpose)).exec(&**tx).await?;
    let user = super::lock_user(tx, user_id).await?;
    Ok(Some(user).filter(|user| user.status == Status::Active))
}

/// Keeps the code that is about to be mailed, in the place of any before it. Returns when it expires.
pub async fn issue_code(
    tx: &Tx,
    user_id: UserId,
    purpose: Purpose,
    code: &Code,
) -> Result<DateTime<Utc>, Error> {
    let found = contact_code::Entity::find_by_id((user_id, purpose)).one(&**tx).await?;
    let now = tx.now();
    let asked = found.filter(|it| now < it.requested_at + ISSUED_WITHIN);
    let mut row = asked.ok_or(Error::CodeNotRequested)?.into_active_model();
    let expires_at = now + purpose.life();
    row.selector = Set(Some(code.selector().to_owned()));
    row.code_hash = Set(code.hash());
    row.expires_at = Set(expires_at);
    row.attempts = Set(0);
    row.update(&**tx).await?;
    Ok(expires_at)
}
