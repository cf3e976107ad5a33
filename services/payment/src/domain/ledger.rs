//! What is written into the ledger: accounts, and journals whose entries sum to zero.

pub mod rows;

use super::{AttemptId, DueId, OrderId, PayoutId, ProviderId, UserId, commission::Split};
use uuid::Uuid;

/// An account. Money that comes in makes clearing negative, and what is owed positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// What QuickServe holds at the payment provider.
    Clearing,
    /// What the payment provider took for its service.
    Fees,
    /// What an order has paid and no one has earned yet.
    Escrow(OrderId),
    /// What a provider is owed.
    Payable(ProviderId),
    /// What the platform earned.
    Commission,
    /// Value added tax that is due.
    Vat,
    /// What customers' banks hold while they look at disputes: negative.
    Chargeback,
    /// What a customer owes: negative.
    Dues(UserId),
    /// What is earned with an order once its customer pays what is owed.
    Deferred(OrderId),
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
            Self::Chargeback => "chargeback",
            Self::Dues(_) => "customer.dues",
            Self::Deferred(_) => "order.deferred",
        }
    }

    /// The order, provider or customer it belongs to.
    pub const fn owner(self) -> Option<Uuid> {
        match self {
            Self::Escrow(order) | Self::Deferred(order) => Some(order.uuid()),
            Self::Payable(provider) => Some(provider.uuid()),
            Self::Dues(customer) => Some(customer.uuid()),
            Self::Clearing | Self::Fees | Self::Commission | Self::Vat | Self::Chargeback => None,
        }
    }

    /// Its unique name.
    pub fn code(self) -> String {
        match self {
            Self::Escrow(order) => format!("order:{order}.escrow"),
            Self::Deferred(order) => format!("order:{order}.deferred"),
            Self::Payable(provider) => format!("provider:{provider}.payable"),
            Self::Dues(customer) => format!("customer:{customer}.dues"),
            Self::Clearing | Self::Fees | Self::Commission | Self::Vat | Self::Chargeback => {
                self.kind().to_owned()
            }
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

/// Money arrives and waits for the split, and the payment provider takes its fee.
pub fn captured(
    attempt: AttemptId,
    order: OrderId,
    currency: &str,
    amount: i64,
    fee: i64,
) -> Vec<Journal> {
    let entries = [(Account::Clearing, -amount), (Account::Escrow(order), amount)];
    let taken = Journal::new(format!("capture:{attempt}"), order, currency, &entries);
    let fee = fee_of(format!("fee:{attempt}"), order, currency, fee);
    [taken, fee].into_iter().filter(|journal| !journal.entries.is_empty()).collect()
}

/// All who earn get their part of what was captured. None when there is nothing to split.
pub fn completed(
    capture: AttemptId,
    order: OrderId,
    provider: Option<ProviderId>,
    currency: &str,
    parts: Split,
) -> Option<Journal> {
    let reference = format!("complete:{capture}");
    let journal = split(reference, order, provider, currency, Account::Escrow(order), parts);
    Some(journal).filter(|journal| !journal.entries.is_empty())
}

/// The payment provider takes its fee.
fn fee_of(reference: String, order: OrderId, currency: &str, fee: i64) -> Journal {
    Journal::new(reference, order, currency, &[(Account::Fees, -fee), (Account::Clearing, fee)])
}

/// What `from` holds goes to those who earn it; with negative parts they give it back.
fn split(
    reference: String,
    order: OrderId,
    provider: Option<ProviderId>,
    currency: &str,
    from: Account,
    parts: Split,
) -> Journal {
    // Without a provider nothing is payable; its account then only stands for the zero that is left out.
    let payable = provider.map_or(Account::Commission, Account::Payable);
    Journal::new(
        reference,
        order,
        currency,
        &[
            (from, -parts.total()),
            (payable, parts.payable),
            (Account::Commission, parts.commission),
            (Account::Vat, parts.vat),
        ],
    )
}

/// A capture was declined: the customer owes the amount, and what it earns waits for that.
pub fn due(due: DueId, order: OrderId, customer: UserId, currency: &str, amount: i64) -> Journal {
    Journal::new(
        format!("due:{due}"),
        order,
        currency,
        &[(Account::Dues(customer), -amount), (Account::Deferred(order), amount)],
    )
}

/// A customer owes `amount` less, which is not earned: `reference` says for what.
pub fn due_lowered(
    reference: String,
    order: OrderId,
    customer: UserId,
    currency: &str,
    amount: i64,
) -> Journal {
    let entries = [(Account::Dues(customer), amount), (Account::Deferred(order), -amount)];
    Journal::new(reference, order, currency, &entries)
}

/// A due is paid: the payment provider takes its fee, and what waited is earned.
pub fn due_paid(
    attempt: AttemptId,
    order: OrderId,
    customer: UserId,
    provider: Option<ProviderId>,
    currency: &str,
    parts: Split,
    fee: i64,
) -> Vec<Journal> {
    let amount = parts.total();
    let journals = [
        Journal::new(
            format!("capture:{attempt}"),
            order,
            currency,
            &[(Account::Clearing, -amount), (Account::Dues(customer), amount)],
        ),
        fee_of(format!("fee:{attempt}"), order, currency, fee),
        split(
            format!("complete:{attempt}"),
            order,
            provider,
            currency,
            Account::Deferred(order),
            parts,
        ),
    ];
    journals.into_iter().filter(|journal| !journal.entries.is_empty()).collect()
}

/// The customer's bank takes money of a charge back while it looks at a dispute, and the payment provider its fee.
pub fn chargeback(
    charge: AttemptId,
    order: OrderId,
    currency: &str,
    amount: i64,
    fee: i64,
) -> Vec<Journal> {
    let taken = Journal::new(
        format!("chargeback:{charge}"),
        order,
        currency,
        &[(Account::Chargeback, -amount), (Account::Clearing, amount)],
    );
    let fee = fee_of(format!("chargeback_fee:{charge}"), order, currency, fee);
    [taken, fee].into_iter().filter(|journal| !journal.entries.is_empty()).collect()
}

/// The bank gave the money back: the chargeback is undone, its fee stays.
pub fn chargeback_won(
    charge: AttemptId,
    order: OrderId,
    currency: &str,
    amount: i64,
) -> Option<Journal> {
    chargeback(charge, order, currency, amount, 0).first().map(Journal::reversal)
}

/// The customer keeps the money of a chargeback: `back` says who bears it.
pub fn chargeback_lost(
    charge: AttemptId,
    order: OrderId,
    provider: Option<ProviderId>,
    currency: &str,
    back: GivenBack,
) -> Journal {
    let reference = format!("chargeback_lost:{charge}");
    given_back(reference, order, provider, currency, Account::Chargeback, back)
}

/// Money goes back to the customer: `back` says who gives it.
pub fn refund_journal(
    attempt: AttemptId,
    order: OrderId,
    provider: Option<ProviderId>,
    currency: &str,
    back: GivenBack,
) -> Journal {
    let reference = format!("refund:{attempt}");
    given_back(reference, order, provider, currency, Account::Clearing, back)
}

/// Who gives money back: the escrow, as far as the money is not split, and those who earned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenBack {
    pub escrow: i64,
    pub parts: Split,
}

fn given_back(
    reference: String,
    order: OrderId,
    provider: Option<ProviderId>,
    currency: &str,
    to: Account,
    back: GivenBack,
) -> Journal {
    let GivenBack { escrow, parts } = back;
    let mut journal = split(reference, order, provider, currency, to, parts.negated());
    journal.entries.retain(|(account, _)| *account != to);
    journal.entries.extend([(Account::Escrow(order), -escrow), (to, escrow + parts.total())]);
    journal.entries.retain(|(_, amount)| *amount != 0);
    journal
}

/// A provider gets what is owed; `transfer` counts the transfers of a payout.
pub fn payout_journal(
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
        let parts = Split { payable: 9_600, commission: 2_000, vat: 400 };
        let (order, provider) = (id(1), id(2));
        let mut journals = captured(id(3), order, "EUR", 12_000, 193);
        journals.extend(completed(id(3), order, Some(provider), "EUR", parts));
        let back = GivenBack { escrow: 500, parts: parts.share(3_000) };
        let refund = refund_journal(id(4), order, Some(provider), "EUR", back);
        assert!(refund.entries.contains(&(Account::Clearing, 3_500)));
        journals.push(refund);
        journals.push(payout_journal(id(5), 1, order, provider, "EUR", 9_600));
        journals.push(due(id(6), order, id(7), "EUR", 12_000));
        journals.push(due_lowered("lowered".into(), order, id(7), "EUR", 2_000));
        journals.extend(due_paid(id(8), order, id(7), Some(provider), "EUR", parts, 193));
        journals.extend(chargeback(id(3), order, "EUR", 12_000, 2_000));
        journals.extend(chargeback_won(id(3), order, "EUR", 12_000));
        let lost = GivenBack { escrow: 0, parts };
        journals.push(chargeback_lost(id(3), order, Some(provider), "EUR", lost));
        assert_eq!(journals.len(), 14);
        for journal in journals {
            assert_eq!(sum(&journal), 0, "{journal:?}");
            let reversal = journal.reversal();
            assert_eq!(sum(&reversal), 0);
            assert_eq!(reversal.reverses.as_deref(), Some(&*journal.reference));
        }
    }

    #[test]
    fn what_is_zero_is_left_out() {
        let parts = Split { payable: 0, commission: 83, vat: 17 };
        let mut journals = captured(id(3), id(1), "EUR", 100, 0);
        journals.extend(completed(id(3), id(1), None, "EUR", parts));
        assert_eq!(journals.len(), 2);
        assert!(journals.iter().flat_map(|it| &it.entries).all(|(_, amount)| *amount != 0));
        assert_eq!(captured(id(3), id(1), "EUR", 0, 0), []);
        assert_eq!(completed(id(3), id(1), None, "EUR", Split::default()), None);
    }

    fn sum(journal: &Journal) -> i64 {
        journal.entries.iter().map(|(_, amount)| amount).sum()
    }
}
