//! Timers: children who are still there after the end, accounts to erase, keys to destroy.

use crate::{
    convert::CareJob,
    domain::{Error, care::ChildState},
    erasure::Eraser,
    events::{self, texts_of},
    repository::adults,
};
use async_trait::async_trait;
use chrono::Duration;
use kit::{
    Db, Tx,
    messaging::timers::{self, Timer, TimerHandler},
};
use proto::quickserve::child_assistance::v1::ChildEvent;
use uuid::Uuid;
use vertical::repository::{Reach, lock_job, save_job};

/// The alarms of a late pick-up: their timers, the minutes after the end, and whom they address.
const ALARMS: [(&str, i64, &str); 3] =
    [("late15", 15, "guardians"), ("late30", 30, "adults"), ("late60", 60, "operator")];
/// An account is to be erased.
pub const ERASE: &str = "erase";
/// The key of a family is to be destroyed.
pub const DESTROY_KEY: &str = "destroy_key";

/// Sets the alarms of an order whose care has begun.
pub async fn schedule_late_alarms(tx: &Tx, job: &CareJob) -> Result<(), Error> {
    let (id, ends_at) = (job.order.order_id, job.order.ends_at);
    let alarms = ALARMS.map(|(kind, minutes, _)| (kind, id, ends_at + Duration::minutes(minutes)));
    Ok(timers::schedule_all(tx, alarms).await?)
}

/// Acts on the timers of child_assistance.
pub struct CareTimers {
    pub db: Db,
    pub eraser: Eraser,
}

impl CareTimers {
    /// Tells that children are still there. An alarm that was told before is not told again.
    async fn tell_late(&self, order_id: Uuid, minutes: i64, addressee: &str) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut job: CareJob = match lock_job(&tx, order_id, Reach::All).await {
            Err(vertical::Error::OrderNotFound) => return Ok(()),
            found => found?,
        };
        let due_at = job.order.ends_at + Duration::minutes(minutes);
        if tx.now() < due_at || job.own.late_told >= minutes {
            return Ok(());
        }
        let waiting = job.own.children.iter().filter(|child| child.state == ChildState::In);
        let waiting: Vec<Uuid> = waiting.map(|child| child.child_id).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        for child_id in waiting {
            let found = adults::list_adults(&*tx, child_id).await?;
            let valid = found.iter().filter(|adult| adult.check_valid(tx.now()).is_ok());
            let event = ChildEvent {
                addressee: addressee.to_owned(),
                adult_user_ids: texts_of(valid.filter_map(|adult| adult.user_id)),
                late_minutes: i32::try_from(minutes).unwrap_or(i32::MAX),
                ..ChildEvent::default()
            };
            events::record_child_event(&tx, &mut job, events::LATE_PICKUP, child_id, event).await?;
        }
        job.own.late_told = minutes;
        save_job(&tx, &mut job).await?;
        Ok(tx.commit().await?)
    }
}

#[async_trait]
impl TimerHandler for CareTimers {
    async fn fire(&self, timer: &Timer) -> Result<(), kit::Error> {
        let id = timer.aggregate;
        let fired = match timer.kind.as_str() {
            ERASE => self.eraser.erase_account(id).await,
            DESTROY_KEY => self.eraser.destroy_key(id).await,
            kind => match ALARMS.iter().find(|(alarm, ..)| *alarm == kind) {
                Some((_, minutes, addressee)) => self.tell_late(id, *minutes, addressee).await,
                None => Err(kit::Error::internal(format!("no timer is called {kind}")).into()),
            },
        };
        Ok(fired?)
    }

    /// A child that waits is told of within seconds.
    fn longest_pause(&self, kind: &str) -> Duration {
        match ALARMS.iter().any(|(alarm, ..)| *alarm == kind) {
            true => Duration::seconds(8),
            false => Duration::minutes(10),
        }
    }
}
