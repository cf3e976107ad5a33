//! The adults who may bring and fetch a child, and their codes.

use super::{Api, children::ChildReader, parse_id};
use crate::{
    codes::{hash_token, new_token},
    convert,
    domain::{
        Error,
        access::{self, ReaderRole},
        adult::{LINK_LIFE, check_validity},
        records::{Adult, Child},
    },
    events,
    repository::{adults, guardians},
    vault::seal_adult,
};
use chrono::{DateTime, Utc};
use kit::{Tx, values::time::moment};
use proto::quickserve::child_assistance::v1 as pb;
use uuid::Uuid;

impl Api {
    /// Allows an adult to bring and fetch a child. Repeating it makes another link, while no code is set.
    pub(super) async fn authorize_adult(
        &self,
        request: pb::CreateAuthorizedAdultRequest,
        user: Uuid,
    ) -> Result<pb::CreateAuthorizedAdultResponse, Error> {
        let child_id = parse_id("child_id", &request.child_id)?;
        let id = parse_id("id", &request.id)?;
        let now = self.db.clock().now();
        let given = |field, at: Option<&_>| at.map(|at| moment(field, Some(at))).transpose();
        let valid_from = given("valid_from", request.valid_from.as_ref())?.unwrap_or(now);
        let valid_to = given("valid_to", request.valid_to.as_ref())?;
        check_validity(valid_from, valid_to, now)?;
        let profile = convert::read_adult_profile(request.profile)?;
        // A hash takes long: none is computed while the child is locked.
        let db = self.db.connection();
        let (child, _) = guardians::find_as_guardian(db, child_id, user).await?;
        let key = self.vault.find_key(child.family_id)?;
        let code_hash = match request.code.is_empty() {
            true => String::new(),
            false => self.codes.hash(&key, request.code).await?,
        };
        let (token, link_hash) = new_token()?;
        let tx = self.db.begin().await?;
        let mut child = guardians::lock_as_manager(&tx, child_id, user).await?;
        let has_code = !code_hash.is_empty();
        let adult = Adult {
            id,
            child_id,
            family_id: child.family_id,
            secret: seal_adult(&key, id, &profile)?,
            user_id: None,
            valid_from,
            valid_to,
            revoked_at: None,
            code_hash,
            link_hash: if has_code { Vec::new() } else { link_hash.clone() },
            link_expires_at: (!has_code).then(|| tx.now() + LINK_LIFE),
            created_at: tx.now(),
            updated_at: tx.now(),
        };
        let mut link_token = if has_code { String::new() } else { token };
        if adults::insert_adult(&tx, &adult).await? {
            events::record_authorization_changed(&tx, &mut child).await?;
        } else if !renew_link(&tx, &child, id, link_hash).await? {
            link_token = String::new();
        }
        tx.commit().await?;
        Ok(pb::CreateAuthorizedAdultResponse { id: id.to_string(), link_token })
    }

    /// The adults of a child for one of its guardians. The read is written down before the answer.
    pub(super) async fn read_adults(
        &self,
        child_id: &str,
        user: Uuid,
    ) -> Result<Vec<pb::AuthorizedAdult>, Error> {
        let child_id = parse_id("child_id", child_id)?;
        let tx = self.db.begin().await?;
        let (child, _) = guardians::find_as_guardian(&*tx, child_id, user).await?;
        let found = adults::list_adults(&*tx, child_id).await?;
        let adults = found.iter().map(|adult| self.adult_view(adult));
        let adults = adults.collect::<Result<_, _>>()?;
        let reader = ChildReader { user, part: ReaderRole::Guardian, order_id: None };
        self.write_down(&tx, &[&child], reader, access::ADULTS).await?;
        tx.commit().await?;
        Ok(adults)
    }

    /// An adult with all that is told of them.
    pub(super) fn adult_view(&self, adult: &Adult) -> Result<pb::AuthorizedAdult, Error> {
        Ok(convert::adult(adult, Some(self.vault.open_adult(adult)?)))
    }

    /// Ends what an adult may do, under the lock of the child: a hand-out is before it or after it, and never between.
    pub(super) async fn revoke_adult(
        &self,
        id: &str,
        user: Uuid,
    ) -> Result<pb::AuthorizedAdult, Error> {
        let id = parse_id("adult_id", id)?;
        let tx = self.db.begin().await?;
        let (mut child, mut adult) = lock_of_manager(&tx, id, user).await?;
        if adult.revoke(tx.now()) {
            adults::save_adult(&tx, &adult).await?;
            events::record_authorization_changed(&tx, &mut child).await?;
            tx.commit().await?;
        }
        Ok(convert::adult(&adult, None))
    }

    /// Sets the code of an adult: with the token of the link, or as a guardian who manages the child.
    pub(super) async fn change_code(
        &self,
        request: pb::SetAdultCodeRequest,
        user: Option<Uuid>,
    ) -> Result<(), Error> {
        let id = parse_id("adult_id", &request.adult_id)?;
        let token_hash = hash_token(&request.token);
        let by_link = !request.token.is_empty();
        let now = self.db.clock().now();
        let found = adults::find_adult(self.db.connection(), id).await?;
        // Who does not know the token costs no hash.
        check_author(&found, by_link, &token_hash, user, now)?;
        if let (false, Some(user)) = (by_link, user) {
            let db = self.db.connection();
            let guarded = guardians::find_as_guardian(db, found.child_id, user).await;
            let (_, guardian) = guarded.map_err(hide_adult)?;
            if !guardian.manages() {
                return Err(Error::GuardianRight);
            }
        }
        let key = self.vault.find_key(found.family_id).map_err(hide_adult)?;
        let code_hash = self.codes.hash(&key, request.code).await?;
        let tx = self.db.begin().await?;
        let mut adult = match (by_link, user) {
            (false, Some(user)) => lock_of_manager(&tx, id, user).await?.1,
            _ => {
                crate::repository::children::lock_child(&tx, found.child_id)
                    .await
                    .map_err(hide_adult)?;
                let adult = adults::find_adult(&*tx, id).await?;
                check_author(&adult, by_link, &token_hash, user, tx.now())?;
                Adult { user_id: user.or(adult.user_id), ..adult }
            }
        };
        adult.set_code(code_hash, tx.now());
        adults::save_adult(&tx, &adult).await?;
        Ok(tx.commit().await?)
    }
}

/// Refuses who neither has the token nor is signed in.
fn check_author(
    adult: &Adult,
    by_link: bool,
    token_hash: &[u8],
    user: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    match (by_link, user) {
        (true, _) if adult.opens_with(token_hash, now) => Ok(()),
        (true, _) | (false, None) => Err(Error::AdultNotFound),
        (false, Some(_)) => Ok(()),
    }
}

/// An adult and their locked child, for a guardian who manages it.
async fn lock_of_manager(tx: &Tx, id: Uuid, user: Uuid) -> Result<(Child, Adult), Error> {
    let found = adults::find_adult(&**tx, id).await?;
    let child = guardians::lock_as_manager(tx, found.child_id, user).await.map_err(hide_adult)?;
    // What was read before the lock may have changed.
    Ok((child, adults::find_adult(&**tx, id).await?))
}

/// To who is no guardian of the child, the adult is absent.
fn hide_adult(error: Error) -> Error {
    match error {
        Error::ChildNotFound => Error::AdultNotFound,
        other => other,
    }
}

/// Makes another link for an adult of the child who has no code. False where there is a code.
async fn renew_link(tx: &Tx, child: &Child, id: Uuid, link_hash: Vec<u8>) -> Result<bool, Error> {
    let mut adult = adults::find_adult(&**tx, id).await?;
    if adult.child_id != child.id {
        return Err(Error::Exists("ADULT_EXISTS", "an adult of this id"));
    }
    if !adult.code_hash.is_empty() || adult.revoked_at.is_some() {
        return Ok(false);
    }
    adult.link_hash = link_hash;
    adult.link_expires_at = Some(tx.now() + LINK_LIFE);
    adults::save_adult(tx, &adult).await?;
    Ok(true)
}
