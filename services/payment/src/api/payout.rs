//! Payouts over REST.

use super::{Api, convert};
use crate::{
    domain::{Error, PayoutId, ProviderId, UserId},
    repository::{
        holds, journals,
        payouts::{self, Scope},
    },
};
use kit::{Caller, caller_of, storage::page::Page};
use proto::quickserve::payment::v1::{self as pb, payout_service_server::PayoutService};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl PayoutService for Api {
    async fn list_payouts(
        &self,
        request: Request<pb::ListPayoutsRequest>,
    ) -> Result<Response<pb::ListPayoutsResponse>, Status> {
        let caller = caller_of(&request);
        let pb::ListPayoutsRequest { page_size, page_token, provider_id } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let provider = ProviderId::parse_optional("provider_id", &provider_id)?;
        let scope = scope_of(&caller, provider)?;
        let db = self.payments.db.connection();
        let mut rows = payouts::list_payouts(db, scope, page).await?;
        let next_page_token = page.cut(&mut rows, |payout| payout.id.uuid());
        let holds = holds::list_of_payouts(db, &rows).await?;
        let balances = match scope.is_everything() {
            true => Vec::new(),
            false => journals::account_balances(db, scope).await?,
        };
        Ok(Response::new(pb::ListPayoutsResponse {
            payouts: rows.into_iter().map(|payout| convert::to_payout(payout, &holds)).collect(),
            next_page_token,
            balances: balances
                .iter()
                .filter_map(|total| convert::to_money(&total.currency, total.amount))
                .collect(),
        }))
    }

    async fn get_payout(
        &self,
        request: Request<pb::GetPayoutRequest>,
    ) -> Result<Response<pb::GetPayoutResponse>, Status> {
        let scope = scope_of(&caller_of(&request), None)?;
        let id = PayoutId::parse("payout_id", &request.into_inner().payout_id)?;
        let found = payouts::find_payout(self.payments.db.connection(), id, scope).await?;
        let holds = holds::list_of_payout(self.payments.db.connection(), &found).await?;
        let payout = Some(convert::to_payout(found, &holds));
        Ok(Response::new(pb::GetPayoutResponse { payout }))
    }

    async fn freeze_payout(
        &self,
        request: Request<pb::FreezePayoutRequest>,
    ) -> Result<Response<pb::FreezePayoutResponse>, Status> {
        let operator = UserId::from_uuid(caller_of(&request).subject()?.user_id);
        let id = PayoutId::parse("payout_id", &request.into_inner().payout_id)?;
        let (payout, holds) = self.payments.freeze_payout(id, operator).await?;
        let payout = Some(convert::to_payout(payout, &holds));
        Ok(Response::new(pb::FreezePayoutResponse { payout }))
    }

    async fn release_payout(
        &self,
        request: Request<pb::ReleasePayoutRequest>,
    ) -> Result<Response<pb::ReleasePayoutResponse>, Status> {
        let operator = UserId::from_uuid(caller_of(&request).subject()?.user_id);
        let id = PayoutId::parse("payout_id", &request.into_inner().payout_id)?;
        let (payout, holds) = self.payments.release_payout(id, operator).await?;
        let payout = Some(convert::to_payout(payout, &holds));
        Ok(Response::new(pb::ReleasePayoutResponse { payout }))
    }
}

/// Operators see every payout, providers their own.
fn scope_of(caller: &Caller, provider: Option<ProviderId>) -> Result<Scope, Error> {
    let user = match caller.is_operator() {
        true => None,
        false => Some(UserId::from_uuid(caller.subject()?.user_id)),
    };
    Ok(Scope { user, provider })
}
