//! The books over REST.

use super::{Api, convert::to_money};
use crate::repository::journals;
use proto::quickserve::{
    common::v1::Money,
    payment::v1::{self as pb, ledger_service_server::LedgerService},
};
use std::collections::BTreeMap;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl LedgerService for Api {
    async fn get_trial_balance(
        &self,
        _: Request<pb::GetTrialBalanceRequest>,
    ) -> Result<Response<pb::GetTrialBalanceResponse>, Status> {
        let db = self.payments.db.connection();
        let lines = journals::journal_lines(db).await?;
        let open_escrows = journals::open_escrows(db).await?;
        let mut totals = BTreeMap::<String, i64>::new();
        for line in &lines {
            *totals.entry(line.currency.clone()).or_default() += line.amount;
        }
        Ok(Response::new(pb::GetTrialBalanceResponse {
            balanced: totals.values().all(|total| *total == 0) && open_escrows.is_empty(),
            lines: lines.into_iter().map(to_line).collect(),
            totals: totals
                .into_iter()
                .map(|(currency, minor_units)| Money { currency, minor_units })
                .collect(),
            open_escrows: open_escrows.into_iter().map(escrow_account).collect(),
        }))
    }
}

fn to_line(line: journals::TrialLine) -> pb::TrialBalanceLine {
    let journals::TrialLine { kind, currency, amount, accounts } = line;
    pb::TrialBalanceLine { account_kind: kind, balance: to_money(&currency, amount), accounts }
}

fn escrow_account(escrow: journals::Escrow) -> pb::EscrowBalance {
    let journals::Escrow { order_id, currency, amount } = escrow;
    pb::EscrowBalance { order_id: order_id.to_string(), balance: to_money(&currency, amount) }
}
