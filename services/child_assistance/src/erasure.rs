//! Erasure: what is told of a family is forgotten with its key, and what happened stays without a name for as long as the
//! country asks.

use crate::{
    convert::OPEN_STATES,
    domain::{
        Error,
        adult::keep_a_manager,
        records::{Child, Guardian, Incident},
        tables::CareTables,
    },
    repository::{adults, children, guardians, incidents, orders},
    vault::{ARCHIVE, Vault, seal_incident},
    worker,
};
use async_trait::async_trait;
use chrono::Duration;
use kit::{
    Db, Event, Tx,
    messaging::{bus::Consumer, inbox, timers},
};
use proto::quickserve::user::v1::UserEvent;
use std::{collections::BTreeSet, sync::Arc};
use uuid::Uuid;

/// An account was erased.
const USER_ERASED: &str = "user.erased";
/// The name under which this service remembers the facts it has acted on.
const CONSUMER: &str = "child_assistance";
/// How long an erasure waits for an order that runs before it looks again.
const WAIT: Duration = Duration::minutes(15);
/// Days for which incidents are kept where the country is not in the tables.
const INCIDENT_DAYS: i64 = 5 * 365;

/// Forgets accounts, children and families.
#[derive(Clone)]
pub struct Eraser {
    pub db: Db,
    pub vault: Vault,
    pub tables: Arc<CareTables>,
}

impl Eraser {
    /// Ends what an account is a guardian of. A child without another guardian who manages it is forgotten; while it is in the care of a
    /// carer, that waits.
    pub async fn erase_account(&self, user: Uuid) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut families = BTreeSet::new();
        let mut waits = false;
        for guardian in guardians::list_guarded(&*tx, user).await? {
            let Ok(child) = children::lock_child(&tx, guardian.child_id).await else { continue };
            let all = guardians::list_guardians(&*tx, child.id).await?;
            if keep_a_manager(&all, user).is_err() {
                if is_in_care(&tx, child.id, &all).await? {
                    waits = true;
                    continue;
                }
                self.forget_child(&tx, &child).await?;
                families.insert(child.family_id);
            }
            guardians::end_guardian(&tx, guardian).await?;
        }
        adults::forget_account(&tx, user).await?;
        for family in families {
            self.end_empty_family(&tx, family).await?;
        }
        if waits {
            timers::schedule_timer(&tx, worker::ERASE, user, tx.now() + WAIT).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Forgets what was told of a locked child. What happened to it stays, without a name.
    pub async fn forget_child(&self, tx: &Tx, child: &Child) -> Result<(), Error> {
        let found = incidents::list_of_child(tx, child.id).await?;
        if !found.is_empty() {
            let archive = self.vault.make_key(ARCHIVE).await?;
            let number = Uuid::new_v4();
            for incident in found {
                let text = self.vault.open_incident(&incident)?;
                let prices = self.tables.prices.get(&incident.country);
                let days = prices.map_or(INCIDENT_DAYS, |care| care.incident_days);
                let archived = Incident {
                    child_id: number,
                    key_id: ARCHIVE,
                    secret: seal_incident(&archive, incident.id, &text)?,
                    kept_until: Some(tx.now() + Duration::days(days)),
                    ..incident
                };
                incidents::save_incident(tx, archived).await?;
            }
        }
        adults::forget_adults(tx, child.id).await?;
        children::forget_child(tx, child.id).await
    }

    /// Ends a family that has no child any more. Its key is destroyed once this has committed.
    pub async fn end_empty_family(&self, tx: &Tx, id: Uuid) -> Result<(), Error> {
        let Some(mut family) = children::lock_family(tx, id).await? else { return Ok(()) };
        if !children::list_of_family(tx, id).await?.is_empty() {
            return Ok(());
        }
        family.erased_at = Some(tx.now());
        children::save_family(tx, family).await?;
        Ok(timers::schedule_timer(tx, worker::DESTROY_KEY, id, tx.now()).await?)
    }

    /// Destroys the key of a family that has ended.
    pub async fn destroy_key(&self, family: Uuid) -> Result<(), Error> {
        self.vault.destroy_key(family).await
    }

    /// Deletes incidents past their time.
    pub async fn delete_old_incidents(&self) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        incidents::delete_old(&tx).await?;
        Ok(tx.commit().await?)
    }

    /// Has an erased account's erasure begin.
    async fn begin_erasure(&self, event: &Event) -> Result<(), Error> {
        let UserEvent { user_id } = event.decode()?;
        let user = user_id.parse().map_err(kit::Error::internal)?;
        let tx = self.db.begin().await?;
        if inbox::first_time(&tx, CONSUMER, event).await? {
            timers::schedule_timer(&tx, worker::ERASE, user, tx.now()).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Whether a carer has the child, or is about to.
async fn is_in_care(tx: &Tx, child_id: Uuid, guardians: &[Guardian]) -> Result<bool, Error> {
    let open = orders::list_with_child(tx, child_id, guardians, &OPEN_STATES).await?;
    Ok(open.iter().any(|job| job.own.is_going_on()))
}

#[async_trait]
impl Consumer for Eraser {
    fn wants(&self, kind: &str) -> bool {
        kind == USER_ERASED
    }

    async fn consume(&self, event: &Event) -> Result<(), kit::Error> {
        Ok(self.begin_erasure(event).await?)
    }
}
