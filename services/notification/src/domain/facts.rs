//! What is known of a fact, and who is told of it.

use super::{
    catalogue::{
        Addressee::{self, Account, Adult, Customer, Guardian, Operator, Provider},
        Circumstance, NOTICES, Notice, Stage,
        When::{self, Addressed, From, If, NotFrom, NotTo, Parcel, To, Unless},
    },
    message::Particulars,
};
use uuid::Uuid;

/// What a message tells of an event.
#[derive(Clone, Debug, Default)]
pub struct NoticeFacts {
    pub kind: String,
    /// The customer's account.
    pub customer: Option<Uuid>,
    /// The provider's account.
    pub provider: Option<Uuid>,
    /// The account that it is about.
    pub account: Option<Uuid>,
    /// Accounts of the guardians of the child that it is about.
    pub guardians: Vec<Uuid>,
    /// Accounts of the adults who may fetch the child.
    pub adults: Vec<Uuid>,
    /// The side that it addresses, if one in particular.
    pub addressed: Option<Addressee>,
    /// What is special about it.
    pub circumstance: Circumstance,
    /// Where the order stood before.
    pub from: Option<Stage>,
    /// Where it stands.
    pub to: Option<Stage>,
    pub order_id: Option<Uuid>,
    /// Number of the order's last fact that the publisher knew; none where the fact is the order's own.
    pub order_seq: Option<i64>,
    /// Whether a parcel is carried, and no people.
    pub parcel: bool,
    /// What templates are filled in with.
    pub particulars: Particulars,
}

impl NoticeFacts {
    /// The notices that are to be given, each with its reader. Operators share a mailbox, whose account is nil.
    pub fn notices(&self, operators: bool) -> impl Iterator<Item = (&'static Notice, Uuid)> {
        let fitting = NOTICES.iter().filter(|it| it.kind == self.kind && self.fits(it));
        fitting.flat_map(move |notice| {
            let readers = self.readers(notice.addressee, operators);
            readers.into_iter().map(move |reader| (notice, reader))
        })
    }

    /// The accounts that are addressed, as far as they are known.
    fn readers(&self, addressee: Addressee, operators: bool) -> Vec<Uuid> {
        match addressee {
            Customer => self.customer.into_iter().collect(),
            Provider => self.provider.into_iter().collect(),
            Account => self.account.into_iter().collect(),
            Operator => operators.then_some(Uuid::nil()).into_iter().collect(),
            Guardian => self.guardians.clone(),
            Adult => self.adults.clone(),
        }
    }

    fn fits(&self, notice: &Notice) -> bool {
        match notice.when {
            When::Always => true,
            To(stage) => self.to == Some(stage),
            NotTo(stage) => self.to != Some(stage),
            From(stage) => self.from == Some(stage),
            NotFrom(stage) => self.from != Some(stage),
            If(special) => self.circumstance == special,
            Unless(special) => self.circumstance != special,
            Parcel => self.parcel,
            Addressed => self.addressed.is_none_or(|side| side == notice.addressee),
        }
    }
}
