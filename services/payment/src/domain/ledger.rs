//! What is written into the ledger: accounts, and journals whose entries sum to zero.

pub mod rows;

use super::{AttemptId, OrderId, PayoutId, ProviderId, commission::Parts};
use uuid::Uuid;

/// An account. Money that comes in makes clearing negative, and what is owed positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// What QuickServe holds at the payment provider.
    Clearing,
    /// What the payment provider took for its service.
    Fees,
    /// What an order has paid and the provider has not earned yet.
    Escrow(OrderId),
    /// What a provider is owed.
    Payable(ProviderId),
    /// What the platform earned.
    Commission,
    /// Value added tax that is due.
    Vat,
}

impl Account {
    /// The group under which the trial balance shows it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Clearing => "psp.clearing",
            Self::Fees => "psp.fees",
            Self::Escrow(_) => ESCROW,
            Self::Payable(_) => PAYABLE,
            Self::Commission => "platform.commission",
            Self::Vat => "platform.vat",
        }
    }

    /// The order or provider it belongs to.
    pub const fn owner(self) -> Option<Uuid> {
        match self {
            Self::Escrow(order) => Some(order.uuid()),
            Self::Payable(provider) => Some(provider.uuid()),
            Self::Clearing | Self::Fees | Self::Commission | Self::Vat => None,
        }
    }

    /// Its unique name.
    pub fn code(self) -> String {
        match self {
            Self::Escrow(order) => format!("order:{order}.escrow"),
            Self::Payable(provider) => format!("provider:{provider}.payable"),
            Self::Clearing | Self::Fees | Self::Commission | Self::Vat => self.kind().to_owned(),
        }
    }
}

/// The kind of escrow accounts.
pub const ESCROW: &str = "order.escrow";
/// The kind of providers' accounts.
pub const PAYABLE: &str = "provider.payable";

/// Something to post: entries that sum to zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Names what is posted; nothing is posted twice.
    pub reference: String,
    /// Reference of the journal that this one undoes.
    pub reverses: Option<String>,
    /// The order it is about.
    pub order: OrderId,
    /// The entries' currency.
    pub currency: String,
    /// The entries, none of them zero.
    pub entries: Vec<(Account, i64)>,
}

impl Journal {
    fn new(reference: String, order: OrderId, currency: &str, entries: &[(Account, i64)]) -> Self {
        let entries = entries.iter().copied().filter(|(_, amount)| *amount != 0).collect();
        Self { reference, reverses: None, order, currency: currency.to_owned(), entries }
    }

    /// The journal that undoes this one.
    #[must_use]
    pub fn reversal(&self) -> Self {
        Self {
            reference: format!("reversal:{}", self.reference),
            reverses: Some(self.reference.clone()),
            entries: self.entries.iter().map(|(account, amount)| (*account, -amount)).collect(),
            ..self.clone()
        }
    }
}

/// Money arrives, the payment provider takes its fee, and everybody gets their part.
pub fn capture(
    attempt: AttemptId,
    order: OrderId,
    provider: Option<ProviderId>,
    currency: &str,
    parts: Parts,
    fee: i64,
) -> Vec<Journal> {
    let escrow = Account::Escrow(order);
    let amount = parts.total();
    // Without a provider nothing is payable; its account then only stands for the zero that is left out.
    let payable = provider.map_or(Account::Commission, Account::Payable);
    let journals = [
        Journal::new(
            format!("capture:{attempt}"),
            order,
            currency,
            &[(Account::Clearing, -amount), (escrow, amount)],
        ),
        Journal::new(
            format!("fee:{attempt}"),
            order,
            currency,
            &[(Account::Fees, -fee), (Account::Clearing, fee)],
        ),
        Journal::new(
            format!("complete:{attempt}"),
            order,
            currency,
            &[
                (escrow, -amount),
                (payable, parts.payable),
                (Account::Commission, parts.commission),
                (Account::Vat, parts.vat),
            ],
        ),
    ];
    journals.into_iter().filter(|journal| !journal.entries.is_empty()).collect()
}

/// Everybody gives their part back.
pub fn refund(
    attempt: AttemptId,
    order: OrderId,
    provider: Option<ProviderId>,
    currency: &str,
    parts: Parts,
) -> Journal {
    let payable = provider.map_or(Account::Commission, Account::Payable);
    Journal::new(
        format!("refund:{attempt}"),
        order,
        currency,
        &[
            (payable, -parts.payable),
            (Account::Commission, -parts.commission),
            (Account::Vat, -parts.vat),
            (Account::Clearing, parts.total()),
        ],
    )
}

/// A provider gets what is owed; `transfer` counts the transfers of a payout.
pub fn payout(
    payout: PayoutId,
    transfer: i32,
    order: OrderId,
    provider: ProviderId,
    currency: &str,
    amount: i64,
) -> Journal {
    Journal::new(
        format!("payout:{payout}:{transfer}"),
        order,
        currency,
        &[(Account::Payable(provider), -amount), (Account::Clearing, amount)],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id<T>(n: u128) -> kit::Id<T> {
        kit::Id::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn every_journal_sums_to_zero_and_so_does_its_reversal() {
        let parts = Parts { payable: 9_600, commission: 2_000, vat: 400 };
        let (order, provider) = (id(1), id(2));
        let mut journals = capture(id(3), order, Some(provider), "EUR", parts, 193);
        journals.push(refund(id(4), order, Some(provider), "EUR", parts.share(3_000)));
        journals.push(payout(id(5), 1, order, provider, "EUR", 9_600));
        assert_eq!(journals.len(), 5);
        for journal in journals {
            assert_eq!(sum(&journal), 0, "{journal:?}");
            let reversal = journal.reversal();
            assert_eq!(sum(&reversal), 0);
            assert_eq!(reversal.reverses.as_deref(), Some(&*journal.reference));
        }
    }

    #[test]
    fn what_is_zero_is_left_out() {
        let parts = Parts { payable: 0, commission: 83, vat: 17 };
        let journals = capture(id(3), id(1), None, "EUR", parts, 0);
        assert_eq!(journals.len(), 2);
        assert!(journals.iter().flat_map(|it| &it.entries).all(|(_, amount)| *amount != 0));
        assert_eq!(capture(id(3), id(1), None, "EUR", Parts::default(), 0), []);
    }

    fn sum(journal: &Journal) -> i64 {
        journal.entries.iter().map(|(_, amount)| amount).sum()
    }
}
