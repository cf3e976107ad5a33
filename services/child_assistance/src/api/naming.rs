//! Naming: which children an order's care is of, where they were booked by their ages.

use super::{Api, parse_id};
use crate::{
    convert::{self, CareJob},
    domain::{Error, age::INFANT_BELOW, price::PricedChildren, records::Child},
    repository::guardians,
};
use kit::Tx;
use proto::quickserve::child_assistance::v1 as pb;
use std::collections::BTreeMap;
use uuid::Uuid;
use vertical::repository::{Reach, lock_job, save_job};

impl Api {
    /// Names the children of an order: as many as were booked, and none of an age for which the care was not booked. The
    /// order and the children are locked: none of them is dropped, and no guardian removed, before they are named.
    pub(super) async fn name_children_of(
        &self,
        request: &pb::NameChildrenRequest,
        user: Uuid,
    ) -> Result<pb::Care, Error> {
        let order_id = parse_id("order_id", &request.order_id)?;
        let ids = convert::read_ids("child_ids", &request.child_ids)?;
        let tx = self.db.begin().await?;
        let mut job: CareJob = lock_job(&tx, order_id, Reach::Party(user)).await?;
        if job.order.customer_id != user {
            return Err(vertical::Error::OrderNotFound.into());
        }
        let is_new = job.own.name_children(ids.clone())?;
        let children = lock_managed(&tx, &ids, user).await?;
        let booked = self.cares.find_booked(&tx, &job.order).await?;
        self.check_ages(&job, &ids, &children, booked)?;
        if is_new {
            save_job(&tx, &mut job).await?;
        }
        let care = convert::care(&job, tx.now());
        tx.commit().await?;
        Ok(care)
    }

    /// Refuses children who are younger or older than those who were booked: a carer looks after so many infants only, and
    /// has the skills for the ages that were priced.
    fn check_ages(
        &self,
        job: &CareJob,
        ids: &[Uuid],
        children: &BTreeMap<Uuid, Child>,
        booked: PricedChildren,
    ) -> Result<(), Error> {
        let mut infants = 0;
        for (index, child) in ids.iter().filter_map(|id| children.get(id)).enumerate() {
            let field = format!("child_ids[{index}]");
            let is_infant = self.cares.age_of(child, &job.order.window(), &field)? < INFANT_BELOW;
            infants += usize::from(is_infant);
            if is_infant && infants > booked.infants {
                let problem = match booked.infants {
                    0 => {
                        "is younger than three years, for which the care was not booked".to_owned()
                    }
                    most => format!(
                        "is younger than three years: the care was booked for {most} such children"
                    ),
                };
                return Err(Error::invalid(field, problem));
            }
            if !is_infant && !booked.has_older {
                let problem = "is three years or older, for which the care was not booked";
                return Err(Error::invalid(field, problem));
            }
        }
        Ok(())
    }
}

/// Locks children in the order of their ids, for a guardian who manages each of them.
async fn lock_managed(tx: &Tx, ids: &[Uuid], user: Uuid) -> Result<BTreeMap<Uuid, Child>, Error> {
    let mut wanted: Vec<(usize, Uuid)> = ids.iter().copied().enumerate().collect();
    wanted.sort_by_key(|(_, id)| *id);
    let mut children = BTreeMap::new();
    for (index, id) in wanted {
        let child = match guardians::lock_as_manager(tx, id, user).await {
            Err(Error::ChildNotFound | Error::GuardianRight) => {
                let field = format!("child_ids[{index}]");
                return Err(Error::invalid(field, "must be a child that you manage"));
            }
            locked => locked?,
        };
        children.insert(id, child);
    }
    Ok(children)
}
