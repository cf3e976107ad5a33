//! The ledger: posting, balances and the trial balance. No row holds a balance, for which
//! transactions would wait: a balance is a sum.

use super::payouts::{self, PayoutFilter};
use crate::domain::{
    Error, ProviderId,
    ledger::{
        Account, ESCROW, Journal, PAYABLE,
        rows::{account, entry, journal},
    },
};
use kit::Tx;
use sea_orm::{
    FromQueryResult, IntoActiveModel, JoinType, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, LockType, OnConflict, Query},
};

/// Posts journals: drafts, their entries, then all at once. The database refuses what does not balance.
pub async fn post_journal(tx: &Tx, journals: &[Journal]) -> Result<(), Error> {
    if journals.is_empty() {
        return Ok(());
    }
    open_accounts(tx, journals).await?;
    let drafts = journals.iter().map(|it| draft_journal(tx, it).into_active_model());
    journal::Entity::insert_many(drafts).exec_without_returning(&**tx).await?;
    let entries = journals.iter().flat_map(entry_rows).map(IntoActiveModel::into_active_model);
    entry::Entity::insert_many(entries).exec_without_returning(&**tx).await?;
    journal::Entity::update_many()
        .col_expr(journal::Column::Posted, Expr::value(true))
        .filter(journal::Column::Id.is_in(journals.iter().map(|it| journal_id(&it.reference))))
        .exec(&**tx)
        .await?;
    Ok(())
}

async fn open_accounts(tx: &Tx, journals: &[Journal]) -> Result<(), Error> {
    let mut accounts: Vec<account::Model> = journals
        .iter()
        .flat_map(|journal| {
            journal.entries.iter().map(|(account, _)| entry_row(*account, &journal.currency))
        })
        .collect();
    // The same order of rows in every transaction, so that two that open accounts never deadlock.
    accounts.sort_by_key(|account| account.id);
    accounts.dedup_by_key(|account| account.id);
    let accounts = accounts.into_iter().map(IntoActiveModel::into_active_model);
    account::Entity::insert_many(accounts)
        .on_conflict(OnConflict::column(account::Column::Id).do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    Ok(())
}

/// Locks a provider's account until the transaction ends, so that one payout at a time looks at its balance.
pub async fn lock_payable(tx: &Tx, provider: ProviderId, currency: &str) -> Result<(), Error> {
    account::Entity::find_by_id(account_id(Account::Payable(provider), currency))
        .lock(LockType::NoKeyUpdate)
        .one(&**tx)
        .await?;
    Ok(())
}

/// What a provider is owed, negative when it owes.
pub async fn payable_balance(tx: &Tx, provider: ProviderId, currency: &str) -> Result<i64, Error> {
    balance_of(tx, Account::Payable(provider), currency).await
}

/// The sum of the entries of an account.
pub async fn balance_of(tx: &Tx, account: Account, currency: &str) -> Result<i64, Error> {
    let sum = entry::Entity::find()
        .select_only()
        .expr(Expr::cust("CAST(SUM(amount) AS BIGINT)"))
        .filter(entry::Column::AccountId.eq(account_id(account, currency)))
        .into_tuple::<Option<i64>>()
        .one(&**tx)
        .await?;
    Ok(sum.flatten().unwrap_or_default())
}

/// The entries of a journal, by account; none when nothing was posted under that reference.
pub async fn list_entries(tx: &Tx, reference: &str) -> Result<Vec<(Uuid, i64)>, Error> {
    let found = entry::Entity::find()
        .select_only()
        .column(entry::Column::AccountId)
        .column(entry::Column::Amount)
        .filter(entry::Column::JournalId.eq(journal_id(reference)))
        .into_tuple()
        .all(&**tx)
        .await?;
    Ok(found)
}

/// What a journal posted to an account, from its entries.
pub fn amount_of(entries: &[(Uuid, i64)], account: Account, currency: &str) -> i64 {
    let id = account_id(account, currency);
    entries.iter().filter(|(account, _)| *account == id).map(|(_, amount)| amount).sum()
}

/// A sum in one currency.
#[derive(Clone, Debug, FromQueryResult, PartialEq, Eq)]
pub struct Total {
    pub currency: String,
    /// The sum, in minor units.
    pub amount: i64,
}

/// What the providers whose payouts the filter lets through are owed in each currency.
pub async fn account_balances(
    db: &impl ConnectionTrait,
    filter: PayoutFilter,
) -> Result<Vec<Total>, Error> {
    let found = account_sums()
        .column_as(entry::Column::Currency, "currency")
        .filter(account::Column::Kind.eq(PAYABLE))
        .filter(account::Column::Owner.in_subquery(payouts::list_providers(filter)))
        .group_by(entry::Column::Currency)
        .order_by_asc(entry::Column::Currency)
        .into_model()
        .all(db)
        .await?;
    Ok(found)
}

/// A line of the trial balance.
#[derive(Clone, Debug, FromQueryResult)]
pub struct TrialLine {
    /// The kind of account.
    pub kind: String,
    pub currency: String,
    /// The sum, in minor units.
    pub amount: i64,
    /// Number of accounts.
    pub accounts: i64,
}

/// Balances by kind of account and currency.
pub async fn journal_lines(db: &impl ConnectionTrait) -> Result<Vec<TrialLine>, Error> {
    let found = account_sums()
        .column_as(account::Column::Kind, "kind")
        .column_as(entry::Column::Currency, "currency")
        .expr_as(Expr::col((account::Entity, account::Column::Id)).count_distinct(), "accounts")
        .group_by(account::Column::Kind)
        .group_by(entry::Column::Currency)
        .order_by_asc(entry::Column::Currency)
        .order_by_asc(account::Column::Kind)
        .into_model()
        .all(db)
        .await?;
    Ok(found)
}

/// Money left in the escrow of an order.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Escrow {
    pub order_id: Uuid,
    pub currency: String,
    /// The sum, in minor units.
    pub amount: i64,
}

/// Orders whose escrow is not empty although they are settled or closed and nothing of it is on its way back.
pub async fn open_escrows(db: &impl ConnectionTrait) -> Result<Vec<Escrow>, Error> {
    let found = account_sums()
        .column_as(account::Column::Owner, "order_id")
        .column_as(entry::Column::Currency, "currency")
        .filter(account::Column::Kind.eq(ESCROW))
        .group_by(account::Column::Owner)
        .group_by(entry::Column::Currency)
        .having(Expr::col((entry::Entity, entry::Column::Amount)).sum().ne(0))
        .having(Expr::cust(NOT_AWAITED))
        .limit(100)
        .into_model()
        .all(db)
        .await?;
    Ok(found)
}

/// Money waits in escrow for the split of what was captured before, and for refunds that are under way.
const NOT_AWAITED: &str = "
    accounts.owner NOT IN (SELECT order_id FROM intents WHERE state = 'AUTHORIZED')
    AND accounts.owner NOT IN (
        SELECT COALESCE(intents.for_order, intents.order_id)
        FROM attempts JOIN intents ON intents.id = attempts.intent_id
        WHERE attempts.kind = 'REFUND' AND attempts.state IN ('UNKNOWN', 'PENDING'))";

/// Sums of posted entries, as `amount`.
fn account_sums() -> Select<entry::Entity> {
    let posted = Query::select()
        .column(journal::Column::Id)
        .from(journal::Entity)
        .and_where(Expr::col(journal::Column::Posted).eq(true))
        .to_owned();
    let account = entry::Entity::belongs_to(account::Entity)
        .from(entry::Column::AccountId)
        .to(account::Column::Id)
        .into();
    entry::Entity::find()
        .select_only()
        .join(JoinType::InnerJoin, account)
        .filter(entry::Column::JournalId.in_subquery(posted))
        .expr_as(Expr::cust("CAST(SUM(entries.amount) AS BIGINT)"), "amount")
}

fn entry_row(account: Account, currency: &str) -> account::Model {
    account::Model {
        id: account_id(account, currency),
        code: account.code(),
        kind: account.kind().to_owned(),
        owner: account.owner(),
        currency: currency.to_owned(),
    }
}

fn draft_journal(tx: &Tx, journal: &Journal) -> journal::Model {
    journal::Model {
        id: journal_id(&journal.reference),
        reference: journal.reference.clone(),
        reverses: journal.reverses.as_deref().map(journal_id),
        order_id: journal.order.uuid(),
        n_entries: i32::try_from(journal.entries.len()).unwrap_or(i32::MAX),
        posted: false,
        created_at: tx.now(),
    }
}

fn entry_rows(journal: &Journal) -> impl Iterator<Item = entry::Model> {
    (0..).zip(&journal.entries).map(|(line, (account, amount))| entry::Model {
        journal_id: journal_id(&journal.reference),
        line,
        account_id: account_id(*account, &journal.currency),
        currency: journal.currency.clone(),
        amount: *amount,
    })
}

/// Ids follow from names, so that nothing is read in order to write.
fn account_id(account: Account, currency: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("account:{}:{currency}", account.code()).as_bytes())
}

fn journal_id(reference: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("journal:{reference}").as_bytes())
}
