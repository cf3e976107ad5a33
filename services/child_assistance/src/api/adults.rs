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
    /// Allows an adult to bring and fetch a child. Repeating it makes another link while no code is set, or sets the code that
    /// comes with it; another code than the one that is set is refused.
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
        let (child, guardian) = guardians::find_as_guardian(db, child_id, user).await?;
        if !guardian.manages() {
            return Err(Error::GuardianRight);
        }
        let key = self.vault.find_key(child.family_id)?;
        let code_hash = match request.code.is_empty() {
            true => String::new(),
            false => {
                self.check_same_code(id, child_id, &request.code).await?;
                self.codes.hash(&key, request.code).await?
            }
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
            code_hash: code_hash.clone(),
            link_hash: if has_code { Vec::new() } else { link_hash.clone() },
            link_expires_at: (!has_code).then(|| tx.now() + LINK_LIFE),
            created_at: tx.now(),
            updated_at: tx.now(),
        };
        let mut link_token = if has_code { String::new() } else { token };
        if adults::insert_adult(&tx, &adult).await? {
            events::record_authorization_changed(&tx, &mut child).await?;
        } else if !complete_adult(&tx, &child, id, code_hash, link_hash).await? {
            link_token = String::new();
        }
        tx.commit().await?;
        Ok(pb::CreateAuthorizedAdultResponse { id: id.to_string(), link_token })
    }

    /// Refuses a code for an adult who has another one: the adult is not made anew by the same id.
    async fn check_same_code(&self, id: Uuid, child_id: Uuid, code: &str) -> Result<(), Error> {
        let found = adults::find_adult(self.db.connection(), id).await;
        let found = found.ok().filter(|it| it.child_id == child_id && !it.code_hash.is_empty());
        match found {
            Some(adult) if !self.is_code_of(&adult, code).await? => {
                Err(Error::Exists("ADULT_EXISTS", "an adult of this id, with another code,"))
            }
            _ => Ok(()),
        }
    }

    async fn is_code_of(&self, adult: &Adult, code: &str) -> Result<bool, Error> {
        let key = self.vault.find_key(adult.family_id)?;
        self.codes.is_right(&key, code.to_owned(), adult.code_hash.clone()).await
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
        let mut keys = self.vault.call_keys();
        let adults = found.iter().map(|adult| {
            let profile = keys.open_adult(adult)?;
            Ok::<_, Error>(convert::adult(adult, Some(profile)))
        });
        let adults = adults.collect::<Result<_, _>>()?;
        let reader = ChildReader { user, part: ReaderRole::Guardian, order_id: None };
        self.write_down(&tx, &[(&child).into()], reader, access::ADULTS).await?;
        tx.commit().await?;
        Ok(adults)
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

    /// Sets the code of an adult: with the token of the link, or as a guardian who manages the child. Who repeats the call by
    /// which the link was used changes nothing.
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
        if by_link && found.was_opened_with(&token_hash, now) {
            let is_same = self.is_code_of(&found, &request.code).await.map_err(hide_adult)?;
            return if is_same { Ok(()) } else { Err(Error::AdultNotFound) };
        }
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
        match by_link {
            true => adult.set_code_by_link(code_hash, tx.now()),
            false => adult.set_code(code_hash, tx.now()),
        }
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

/// Gives an adult of the child who has no code the one that comes with the call, or else another link. False where there is a
/// code, and where the adult is revoked.
async fn complete_adult(
    tx: &Tx,
    child: &Child,
    id: Uuid,
    code_hash: String,
    link_hash: Vec<u8>,
) -> Result<bool, Error> {
    let mut adult = adults::find_adult(&**tx, id).await?;
    if adult.child_id != child.id {
        return Err(Error::Exists("ADULT_EXISTS", "an adult of this id"));
    }
    if !adult.code_hash.is_empty() || adult.revoked_at.is_some() {
        return Ok(false);
    }
    if code_hash.is_empty() {
        adult.link_hash = link_hash;
        adult.link_expires_at = Some(tx.now() + LINK_LIFE);
    } else {
        adult.set_code(code_hash, tx.now());
    }
    adults::save_adult(tx, &adult).await?;
    Ok(true)
}
