//! Reads of children in the course of an order: who reads, what they may know, and that it is written down.

use super::{Api, children::ChildReader, parse_id};
use crate::{
    convert::{self, CareJob},
    domain::{
        Error,
        access::{self, ReaderRole, carer_reads},
        care::CareState,
        records::{Access, Adult, Child},
    },
    repository::{adults, children, guardians, incidents},
    vault::{CallKeys, seal_reason},
};
use chrono::{DateTime, Utc};
use kit::{Caller, Tx, rpc::context::Context, values::time::timestamp};
use proto::quickserve::child_assistance::v1 as pb;
use uuid::Uuid;
use vertical::repository::{Reach, find_job};

/// Minutes after the end from which on a carer sees how to call the adults.
const PHONES_AFTER: i64 = 30;

impl Api {
    /// The care of an order, with what the caller may know of the children. The read is written down before the answer.
    pub(super) async fn read_care(
        &self,
        order_id: &str,
        caller: Caller,
    ) -> Result<pb::Care, Error> {
        let order_id = parse_id("order_id", order_id)?;
        let tx = self.db.begin().await?;
        let job: CareJob = find_job(&*tx, order_id, Reach::All).await?;
        let (now, user) = (tx.now(), caller.subject()?.user_id);
        let (part, visible) = find_part(&tx, &caller, &job).await?;
        if part == ReaderRole::Carer && !carer_reads(job.order.starts_at, is_waiting(&job), now) {
            return Err(Error::CareClosed);
        }
        let mut care = convert::care(&job, now);
        let is_visible = |id: &str| visible.iter().any(|child| child.to_string() == id);
        care.children.retain(|child| is_visible(&child.child_id));
        care.releases.retain(|release| is_visible(&release.child_id));
        let shows_phones = part != ReaderRole::Carer || is_late(&job, now);
        let mut read = Vec::new();
        let mut keys = self.vault.call_keys();
        for child_id in visible {
            let Ok(child) = children::find_child(&*tx, child_id).await else { continue };
            let shown = care.children.iter_mut().find(|it| it.child_id == child_id.to_string());
            let Some(shown) = shown else { continue };
            shown.profile = Some(convert::child_profile(keys.open_child(&child)?));
            for adult in adults::list_adults(&*tx, child_id).await? {
                if adult.check_valid(now).is_ok() {
                    shown.adults.push(adult_for_reader(&mut keys, &adult, shows_phones)?);
                }
            }
            read.push(ReadChild::from(&child));
        }
        let reader = ChildReader { user, part, order_id: Some(order_id) };
        let fields = format!("{} {}", access::PROFILE, access::ADULTS);
        self.write_down(&tx, &read, reader, &fields).await?;
        tx.commit().await?;
        Ok(care)
    }

    /// What happened in the course of an order, for guardians and operators. The read is written down before the answer.
    pub(super) async fn read_incidents(
        &self,
        order_id: &str,
        caller: Caller,
    ) -> Result<Vec<pb::Incident>, Error> {
        let order_id = parse_id("order_id", order_id)?;
        let tx = self.db.begin().await?;
        let job: CareJob = find_job(&*tx, order_id, Reach::All).await?;
        let user = caller.subject()?.user_id;
        let (part, visible) = find_part(&tx, &caller, &job).await?;
        if part == ReaderRole::Carer {
            return Err(vertical::Error::OrderNotFound.into());
        }
        let (mut found, mut read) = (Vec::new(), Vec::new());
        let mut keys = self.vault.call_keys();
        for incident in incidents::list_of_order(&*tx, order_id).await? {
            let is_archived = part == ReaderRole::Operator && incident.kept_until.is_some();
            if !visible.contains(&incident.child_id) && !is_archived {
                continue;
            }
            if is_archived && !read.iter().any(|it: &ReadChild| it.id == incident.child_id) {
                read.push(ReadChild { id: incident.child_id, key_id: incident.key_id });
            }
            found.push(pb::Incident {
                id: incident.id.to_string(),
                order_id: order_id.to_string(),
                child_id: incident.child_id.to_string(),
                kind: incident.kind.clone(),
                text: keys.open_incident(&incident)?,
                reported_by: incident.reported_by.to_string(),
                at: Some(timestamp(incident.at)),
            });
        }
        for child_id in visible {
            if let Ok(child) = children::find_child(&*tx, child_id).await {
                read.push(ReadChild::from(&child));
            }
        }
        let reader = ChildReader { user, part, order_id: Some(order_id) };
        self.write_down(&tx, &read, reader, access::INCIDENTS).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Writes down that an account reads of children, and why, where it is an operator.
    pub(super) async fn write_down(
        &self,
        tx: &Tx,
        children: &[ReadChild],
        reader: ChildReader,
        fields: &str,
    ) -> Result<(), Error> {
        let context = Context::current();
        let mut rows = Vec::new();
        for child in children {
            let id = tx.new_uuid();
            let reason = match &context.reason {
                Some(reason) => seal_reason(&self.vault.find_key(child.key_id)?, id, &reason.0)?,
                None => Vec::new(),
            };
            rows.push(Access {
                id,
                child_id: child.id,
                reader_id: reader.user,
                role: reader.part.name().to_owned(),
                order_id: reader.order_id,
                fields: fields.to_owned(),
                reason,
                at: tx.now(),
            });
        }
        guardians::insert_accesses(tx, rows).await?;
        context.audited.note();
        Ok(())
    }
}

fn adult_for_reader(
    keys: &mut CallKeys<'_>,
    adult: &Adult,
    shows_phones: bool,
) -> Result<pb::AuthorizedAdult, Error> {
    let mut view = convert::adult(adult, Some(keys.open_adult(adult)?));
    if let Some(profile) = view.profile.as_mut().filter(|_| !shows_phones) {
        profile.phone.clear();
    }
    Ok(view)
}

/// Of whom is read: a child, or the number that stands for one whose family is erased.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadChild {
    id: Uuid,
    /// The family, or the archive, under whose key the reason is written down.
    key_id: Uuid,
}

impl From<&Child> for ReadChild {
    fn from(child: &Child) -> Self {
        Self { id: child.id, key_id: child.family_id }
    }
}

/// As what an account meets the care of an order, and of which children it may know. To who is nothing there, it is absent.
async fn find_part(
    tx: &Tx,
    caller: &Caller,
    job: &CareJob,
) -> Result<(ReaderRole, Vec<Uuid>), Error> {
    let user = caller.subject()?.user_id;
    let all = job.own.children.iter().map(|child| child.child_id);
    if caller.is_operator() {
        return Ok((ReaderRole::Operator, all.collect()));
    }
    if job.order.provider_user_id == Some(user) {
        return Ok((ReaderRole::Carer, all.collect()));
    }
    let mut guarded = Vec::new();
    for child_id in all {
        if guardians::find_as_guardian(&**tx, child_id, user).await.is_ok() {
            guarded.push(child_id);
        }
    }
    if guarded.is_empty() && job.order.customer_id != user {
        return Err(vertical::Error::OrderNotFound.into());
    }
    Ok((ReaderRole::Guardian, guarded))
}

/// Whether the care is still to come, or a child is there or awaited.
fn is_waiting(job: &CareJob) -> bool {
    let is_open = matches!(job.own.state, CareState::Booked | CareState::Ready | CareState::Caring);
    job.own.has_child_in() || (is_open && !job.own.is_over())
}

/// Whether a child is still there long after the end.
fn is_late(job: &CareJob, now: DateTime<Utc>) -> bool {
    job.own.has_child_in() && now >= job.order.ends_at + chrono::Duration::minutes(PHONES_AFTER)
}
