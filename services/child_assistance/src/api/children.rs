//! Children and their guardians.

use super::{Api, parse_id};
use crate::{
    codes::{hash_token, new_token},
    convert::{self, CareJob},
    domain::{
        Error,
        access::{self, ReaderRole, told_guardians},
        adult::{INVITATION_LIFE, keep_a_manager},
        records::{Access, Child, Guardian, Invitation},
    },
    repository::{children, guardians, orders},
    vault::seal_child,
};
use chrono::NaiveDate;
use kit::{
    Tx,
    storage::{page::Page, version::expect_version},
    values::time::timestamp,
};
use proto::quickserve::child_assistance::v1 as pb;
use uuid::Uuid;

impl Api {
    /// The date by which birth dates are judged. It is a day ahead, for those who are east of Greenwich.
    fn latest_birth_date(&self) -> NaiveDate {
        (self.db.clock().now() + chrono::Duration::days(1)).date_naive()
    }

    /// Enters a child, whose guardian the caller is.
    pub(super) async fn enter_child(
        &self,
        request: pb::CreateChildRequest,
        user: Uuid,
    ) -> Result<pb::CreateChildResponse, Error> {
        let id = parse_id("id", &request.id)?;
        let profile = convert::read_child_profile(request.profile, self.latest_birth_date())?;
        let tx = self.db.begin().await?;
        if children::has_child(&*tx, id).await? {
            return self.answer_entered(&tx, id, user).await;
        }
        let family = children::find_or_found_family(&tx, user).await?;
        children::check_room(&tx, family.id).await?;
        // The key is made last: it is a file, which no failure of the transaction takes back.
        let key = self.vault.make_key(family.id).await?;
        let now = tx.now();
        let child = Child {
            id,
            family_id: family.id,
            secret: seal_child(&key, id, &profile)?,
            forgotten_at: None,
            event_seq: 0,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        if !children::insert_child(&tx, &child).await? {
            return self.answer_entered(&tx, id, user).await;
        }
        let guardian = Guardian {
            child_id: id,
            user_id: user,
            can_manage: true,
            revoked_at: None,
            since: now,
        };
        guardians::save_guardian(&tx, guardian).await?;
        tx.commit().await?;
        Ok(pb::CreateChildResponse { id: id.to_string(), version: 1 })
    }

    /// Answers who enters a child whose id is taken: by their own child, as the first time.
    async fn answer_entered(
        &self,
        tx: &Tx,
        id: Uuid,
        user: Uuid,
    ) -> Result<pb::CreateChildResponse, Error> {
        let found = guardians::find_as_guardian(&**tx, id, user).await;
        let Ok((child, _)) = found else {
            return Err(Error::Exists("CHILD_EXISTS", "a child of this id"));
        };
        Ok(pb::CreateChildResponse { id: id.to_string(), version: child.version })
    }

    pub(super) async fn summarize_children(
        &self,
        user: Uuid,
    ) -> Result<Vec<pb::ChildSummary>, Error> {
        let rows = children::list_children(self.db.connection(), user).await?;
        let rows = rows.into_iter().map(|(child, guardian)| pb::ChildSummary {
            id: child.id.to_string(),
            right: convert::right_of(guardian.can_manage).into(),
            version: child.version,
        });
        Ok(rows.collect())
    }

    /// A child for one of its guardians. The read is written down before the answer.
    pub(super) async fn read_child(&self, id: &str, user: Uuid) -> Result<pb::Child, Error> {
        let id = parse_id("child_id", id)?;
        let tx = self.db.begin().await?;
        let (child, _) = guardians::find_as_guardian(&*tx, id, user).await?;
        let profile = self.vault.open_child(&child)?;
        let found = guardians::list_guardians(&*tx, id).await?;
        let reader = ChildReader { user, part: ReaderRole::Guardian, order_id: None };
        self.write_down(&tx, &[(&child).into()], reader, access::PROFILE).await?;
        tx.commit().await?;
        let active = found.iter().filter(|guardian| guardian.is_active());
        Ok(pb::Child {
            id: id.to_string(),
            profile: Some(convert::child_profile(profile)),
            guardians: active.map(convert::guardian).collect(),
            version: child.version,
            created_at: Some(timestamp(child.created_at)),
            updated_at: Some(timestamp(child.updated_at)),
        })
    }

    pub(super) async fn change_child(
        &self,
        request: pb::UpdateChildRequest,
        user: Uuid,
    ) -> Result<pb::UpdateChildResponse, Error> {
        let id = parse_id("child_id", &request.child_id)?;
        let profile = convert::read_child_profile(request.profile, self.latest_birth_date())?;
        let tx = self.db.begin().await?;
        let mut child = guardians::lock_as_manager(&tx, id, user).await?;
        expect_version(request.version, child.version)?;
        let key = self.vault.find_key(child.family_id)?;
        child.secret = seal_child(&key, id, &profile)?;
        child.version += 1;
        child.updated_at = tx.now();
        children::save_child(&tx, &child).await?;
        tx.commit().await?;
        Ok(pb::UpdateChildResponse { id: id.to_string(), version: child.version })
    }

    /// Forgets a child that is in no open order.
    pub(super) async fn drop_child(&self, id: &str, user: Uuid) -> Result<(), Error> {
        let id = parse_id("child_id", id)?;
        let tx = self.db.begin().await?;
        let child = guardians::lock_as_manager(&tx, id, user).await?;
        let guardians = guardians::list_guardians(&*tx, id).await?;
        let open = orders::list_with_child(&tx, id, &guardians, &convert::OPEN_STATES).await?;
        let present = told_guardians(&guardians);
        // What a former guardian has booked cannot be ended here: it counts once the carer is there.
        let counts =
            |job: &CareJob| present.contains(&job.order.customer_id) || job.own.is_going_on();
        if open.iter().any(counts) {
            return Err(Error::ChildInCare);
        }
        self.eraser.forget_child(&tx, &child).await?;
        self.eraser.end_empty_family(&tx, child.family_id).await?;
        Ok(tx.commit().await?)
    }

    pub(super) async fn make_invitation(
        &self,
        request: &pb::InviteGuardianRequest,
        user: Uuid,
    ) -> Result<pb::GuardianInvitation, Error> {
        let child_id = parse_id("child_id", &request.child_id)?;
        let can_manage = convert::read_right(request.right())?;
        let (token, token_hash) = new_token()?;
        let tx = self.db.begin().await?;
        guardians::lock_as_manager(&tx, child_id, user).await?;
        let expires_at = tx.now() + INVITATION_LIFE;
        let invitation = Invitation {
            id: tx.new_uuid(),
            token_hash,
            child_id,
            can_manage,
            expires_at,
            accepted_by: None,
            created_at: tx.now(),
        };
        guardians::insert_invitation(&tx, invitation).await?;
        tx.commit().await?;
        let right = convert::right_of(can_manage).into();
        Ok(pb::GuardianInvitation { token, right, expires_at: Some(timestamp(expires_at)) })
    }

    pub(super) async fn become_guardian(
        &self,
        token: &str,
        user: Uuid,
    ) -> Result<pb::AcceptInvitationResponse, Error> {
        let tx = self.db.begin().await?;
        let found = guardians::find_invitation(&*tx, hash_token(token)).await?;
        let child = children::lock_child(&tx, found.child_id).await;
        child.map_err(|_| Error::InvitationNotFound)?;
        // It may have ended before the child was locked.
        let mut invitation = guardians::find_invitation(&*tx, found.token_hash).await?;
        invitation.check_open(user, tx.now())?;
        let (child_id, can_manage) = (invitation.child_id, invitation.can_manage);
        let is_new = invitation.accepted_by.is_none();
        if is_new {
            let found = guardians::find_as_guardian(&*tx, child_id, user).await;
            // Who manages the child already does not lose that by an invitation to be told.
            let keeps = found.is_ok_and(|(_, guardian)| guardian.manages());
            let guardian = Guardian {
                child_id,
                user_id: user,
                can_manage: can_manage || keeps,
                revoked_at: None,
                since: tx.now(),
            };
            guardians::save_guardian(&tx, guardian).await?;
            invitation.accepted_by = Some(user);
            guardians::save_invitation(&tx, invitation).await?;
            tx.commit().await?;
        }
        let right = convert::right_of(can_manage).into();
        Ok(pb::AcceptInvitationResponse { child_id: child_id.to_string(), right })
    }

    /// Ends the rights of a guardian: by one who manages the child, or by the guardian. Invitations and links that are not
    /// used yet end as well.
    pub(super) async fn end_guardian(
        &self,
        request: &pb::RemoveGuardianRequest,
        user: Uuid,
    ) -> Result<(), Error> {
        let child_id = parse_id("child_id", &request.child_id)?;
        let leaving = parse_id("user_id", &request.user_id)?;
        let tx = self.db.begin().await?;
        if leaving == user {
            guardians::find_as_guardian(&*tx, child_id, user).await?;
            children::lock_child(&tx, child_id).await?;
        } else {
            guardians::lock_as_manager(&tx, child_id, user).await?;
        }
        let all = guardians::list_guardians(&*tx, child_id).await?;
        keep_a_manager(&all, leaving)?;
        let found = all.into_iter().find(|guardian| guardian.user_id == leaving);
        if let Some(guardian) = found.filter(Guardian::is_active) {
            guardians::end_guardian(&tx, guardian).await?;
        }
        Ok(tx.commit().await?)
    }

    pub(super) async fn page_accesses(
        &self,
        request: &pb::ListChildAccessesRequest,
        user: Uuid,
    ) -> Result<pb::ListChildAccessesResponse, Error> {
        let child_id = parse_id("child_id", &request.child_id)?;
        let page = Page::parse(request.page_size, &request.page_token)?;
        let db = self.db.connection();
        let (child, guardian) = guardians::find_as_guardian(db, child_id, user).await?;
        if !guardian.manages() {
            return Err(Error::GuardianRight);
        }
        let mut rows = guardians::list_accesses(db, child_id, page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id);
        let accesses = rows.iter().map(|row| self.access_view(&child, row));
        let accesses = accesses.collect::<Result<_, _>>()?;
        Ok(pb::ListChildAccessesResponse { accesses, next_page_token })
    }

    fn access_view(&self, child: &Child, row: &Access) -> Result<pb::ChildAccess, Error> {
        Ok(pb::ChildAccess {
            id: row.id.to_string(),
            reader_id: row.reader_id.to_string(),
            role: row.role.clone(),
            order_id: row.order_id.map(|id| id.to_string()).unwrap_or_default(),
            fields: row.fields.split(' ').map(str::to_owned).collect(),
            reason: self.vault.open_reason(child.family_id, row)?,
            at: Some(timestamp(row.at)),
        })
    }
}

/// Who reads of children.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChildReader {
    pub(super) user: Uuid,
    pub(super) part: ReaderRole,
    /// The order in the course of which it is read.
    pub(super) order_id: Option<Uuid>,
}
