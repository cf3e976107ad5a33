//! Check-in and check-out: one path for both, under the locks of the order and of the child.

use super::{Api, children::ChildReader};
use crate::{
    convert::{self, CareJob},
    domain::{
        Error,
        access::ReaderRole,
        adult::managers_of,
        care::{ChildStep, Handover, Proof},
        error::PickupRefusal,
        records::{Adult, Child},
    },
    events,
    repository::{adults, children, guardians},
    worker,
};
use kit::{Caller, Tx};
use proto::quickserve::child_assistance::v1 as pb;
use uuid::Uuid;
use vertical::repository::{Reach, find_job, lock_job, save_job};

/// What is asked for.
pub(super) struct HandoverCall {
    pub(super) order_id: Uuid,
    pub(super) child_id: Uuid,
    /// None for an authority.
    pub(super) adult_id: Option<Uuid>,
    /// Empty for none.
    pub(super) code: String,
    /// Whether the adult showed a photo ID instead.
    pub(super) photo_id: bool,
    /// Number of the hand-over.
    pub(super) n: u32,
    pub(super) step: ChildStep,
}

/// What comparing a code told, and with which hash.
struct ComparedCode {
    code_hash: String,
    is_right: bool,
}

/// What becomes of a call.
enum HandoverVerdict {
    HandOver(Proof, Option<Uuid>),
    /// A guardian must approve first.
    AskGuardian(Uuid),
}

impl Api {
    /// Hands a child over, or says why not. Repeating the last hand-over changes nothing.
    pub(super) async fn hand_over(
        &self,
        call: HandoverCall,
        caller: &Caller,
    ) -> Result<pb::Care, Error> {
        let user = caller.subject()?.user_id;
        let by_operator = call.step == ChildStep::CheckOut && caller.is_operator();
        let reach = if by_operator { Reach::All } else { Reach::Provider(user) };
        let compared = self.compare_code(&call, reach).await?;
        let tx = self.db.begin().await?;
        let mut job: CareJob = lock_job(&tx, call.order_id, reach).await?;
        if job.own.is_repeated(call.child_id, call.adult_id, call.n, call.step)? {
            return Ok(convert::care(&job, tx.now()));
        }
        if call.step == ChildStep::CheckIn {
            job.check_working(tx.now())?;
        }
        job.own.child(call.child_id)?.state.next(call.step)?;
        let child = children::lock_child(&tx, call.child_id).await?;
        let verdict = match by_operator {
            true => judge_operator(&tx, &call).await,
            false => judge_carer(&tx, &job, &call, compared).await,
        };
        match verdict {
            Ok(HandoverVerdict::HandOver(proof, release)) => {
                self.record_handover(&tx, &mut job, &child, &call, (user, proof, release)).await?;
            }
            Ok(HandoverVerdict::AskGuardian(adult_id)) => {
                ask_guardian(&tx, &mut job, call.child_id, adult_id).await?;
            }
            Err(Error::PickupRefused(refusal)) => {
                let refusal = record_refusal(&tx, &mut job, &call, refusal).await?;
                save_job(&tx, &mut job).await?;
                tx.commit().await?;
                return Err(refusal.into());
            }
            Err(error) => return Err(error),
        }
        save_job(&tx, &mut job).await?;
        let care = convert::care(&job, tx.now());
        tx.commit().await?;
        Ok(care)
    }

    /// Compares the code before anything is locked: a hash takes long. None where there is nothing to compare.
    async fn compare_code(
        &self,
        call: &HandoverCall,
        reach: Reach,
    ) -> Result<Option<ComparedCode>, Error> {
        let (db, Some(adult_id)) = (self.db.connection(), call.adult_id) else { return Ok(None) };
        let job: CareJob = find_job(db, call.order_id, reach).await?;
        let child = job.own.child(call.child_id)?;
        if call.code.is_empty() || child.is_code_locked() || child.handover(call.n).is_some() {
            return Ok(None);
        }
        let found = adults::find_adult(db, adult_id).await.ok();
        let found = found.filter(|it| it.child_id == call.child_id && !it.code_hash.is_empty());
        let Some(adult) = found else { return Ok(None) };
        let key = self.vault.find_key(adult.family_id)?;
        let is_right =
            self.codes.is_right(&key, call.code.clone(), adult.code_hash.clone()).await?;
        Ok(Some(ComparedCode { code_hash: adult.code_hash, is_right }))
    }

    /// Records a hand-over, with the fact, and sets the alarms of a late pick-up.
    async fn record_handover(
        &self,
        tx: &Tx,
        job: &mut CareJob,
        child: &Child,
        call: &HandoverCall,
        (user, proof, release): (Uuid, Proof, Option<Uuid>),
    ) -> Result<(), Error> {
        let handover =
            Handover { n: call.n, adult_id: call.adult_id, proof, recorded_by: user, at: tx.now() };
        job.own.hand_over(call.child_id, call.step, handover)?;
        if let Some(release) = release {
            job.own.use_release(release, call.n);
        }
        let kind = match call.step {
            ChildStep::CheckIn => events::CHECKED_IN,
            _ => events::CHECKED_OUT,
        };
        let handover = i32::try_from(call.n).unwrap_or(i32::MAX);
        let event = pb::ChildEvent { handover, ..pb::ChildEvent::default() };
        events::record_child_event(tx, job, kind, call.child_id, event).await?;
        if call.step == ChildStep::CheckIn {
            worker::schedule_late_alarms(tx, job).await?;
        }
        if proof == Proof::Operator {
            let order_id = Some(call.order_id);
            let reader = ChildReader { user, part: ReaderRole::Operator, order_id };
            self.write_down(tx, &[child.into()], reader, "check_out").await?;
        }
        Ok(())
    }
}

/// The adult of a call, who may fetch the child now. It is read again under the lock of the child: a revocation that was
/// answered counts.
async fn find_valid_adult(tx: &Tx, child_id: Uuid, adult_id: Uuid) -> Result<Adult, Error> {
    let adult = match adults::find_adult(&**tx, adult_id).await {
        Err(Error::AdultNotFound) => return Err(PickupRefusal::AdultUnknown.into()),
        found => found?,
    };
    if adult.child_id != child_id {
        return Err(PickupRefusal::AdultUnknown.into());
    }
    adult.check_valid(tx.now())?;
    Ok(adult)
}

/// An operator hands a child out to one of its adults, or to an authority.
async fn judge_operator(tx: &Tx, call: &HandoverCall) -> Result<HandoverVerdict, Error> {
    if let Some(adult_id) = call.adult_id {
        find_valid_adult(tx, call.child_id, adult_id).await?;
    }
    Ok(HandoverVerdict::HandOver(Proof::Operator, None))
}

/// A carer takes a child in or hands it out.
async fn judge_carer(
    tx: &Tx,
    job: &CareJob,
    call: &HandoverCall,
    compared: Option<ComparedCode>,
) -> Result<HandoverVerdict, Error> {
    let adult_id = call.adult_id.ok_or_else(|| Error::invalid("adult_id", "must be given"))?;
    let adult = find_valid_adult(tx, call.child_id, adult_id).await?;
    if !call.code.is_empty() {
        let proof = judge_code(job, call, &adult, compared)?;
        return Ok(HandoverVerdict::HandOver(proof, None));
    }
    if call.step == ChildStep::CheckIn {
        return Ok(HandoverVerdict::HandOver(Proof::Sight, None));
    }
    if !call.photo_id {
        return Err(Error::invalid("code", "must be given, or else `photo_id`"));
    }
    let managers = managers_of(&guardians::list_guardians(&**tx, call.child_id).await?);
    Ok(match job.own.good_release(call.child_id, adult_id, &managers, tx.now()) {
        Some(release) => HandoverVerdict::HandOver(Proof::PhotoId, Some(release)),
        None => HandoverVerdict::AskGuardian(adult_id),
    })
}

fn judge_code(
    job: &CareJob,
    call: &HandoverCall,
    adult: &Adult,
    compared: Option<ComparedCode>,
) -> Result<Proof, Error> {
    if job.own.child(call.child_id)?.is_code_locked() {
        return Err(PickupRefusal::CodeLocked.into());
    }
    if adult.code_hash.is_empty() {
        return Err(Error::invalid("code", "is not set by this adult yet: take a photo ID"));
    }
    match compared.filter(|it| it.code_hash == adult.code_hash) {
        Some(ComparedCode { is_right: true, .. }) => Ok(Proof::Code),
        Some(_) => Err(PickupRefusal::CodeWrong.into()),
        // Another code was set in this moment: the same call compares it with that.
        None => Err(kit::Error::InProgress.into()),
    }
}

/// Asks the guardians to approve a hand-out by photo ID, unless they are asked already.
async fn ask_guardian(
    tx: &Tx,
    job: &mut CareJob,
    child_id: Uuid,
    adult_id: Uuid,
) -> Result<(), Error> {
    let managers = managers_of(&guardians::list_guardians(&**tx, child_id).await?);
    if job.own.request_release(tx.new_uuid(), child_id, adult_id, &managers, tx.now()) {
        let event = pb::ChildEvent::default();
        events::record_child_event(tx, job, events::RELEASE_REQUESTED, child_id, event).await?;
    }
    Ok(())
}

/// Records that a child was not handed over. Guardians are told of who may not fetch it, and when codes are locked; a single
/// wrong code is no news.
async fn record_refusal(
    tx: &Tx,
    job: &mut CareJob,
    call: &HandoverCall,
    refusal: PickupRefusal,
) -> Result<PickupRefusal, Error> {
    let (refusal, is_told) = match refusal {
        PickupRefusal::CodeWrong => {
            let counted = job.own.note_wrong_code(call.child_id)?;
            (counted, counted == PickupRefusal::CodeLocked)
        }
        // It was told when it was locked.
        PickupRefusal::CodeLocked => (refusal, false),
        PickupRefusal::AdultUnknown | PickupRefusal::AdultRevoked => {
            (refusal, call.step == ChildStep::CheckOut)
        }
    };
    if is_told {
        let reason = refusal.code().to_owned();
        let event = pb::ChildEvent { reason, ..pb::ChildEvent::default() };
        events::record_child_event(tx, job, events::PICKUP_REFUSED, call.child_id, event).await?;
    }
    Ok(refusal)
}
