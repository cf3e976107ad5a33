//! Payouts over REST.

use super::{Api, account_of, convert};
use crate::{
    domain::{Error, PayoutId, ProviderId, UserId},
    repository::{
        holds, journals,
        payouts::{self, PayoutFilter},
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
        let filter = payout_filter(&caller, provider)?;
        let db = self.payments.db.connection();
        let mut rows = payouts::list_payouts(db, filter, page).await?;
        let next_page_token = page.cut(&mut rows, |payout| payout.id.uuid());
        let holds = holds::list_of_payouts(db, &rows).await?;
        let balances = match filter.is_everything() {
            true => Vec::new(),
            false => journals::account_balances(db, filter).await?,
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
        let filter = payout_filter(&caller_of(&request), None)?;
        let id = PayoutId::parse("payout_id", &request.into_inner().payout_id)?;
        let found = payouts::find_payout(self.payments.db.connection(), id, filter).await?;
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
fn payout_filter(caller: &Caller, provider: Option<ProviderId>) -> Result<PayoutFilter, Error> {
    Ok(PayoutFilter { user: account_of(caller.scope()?), provider })
}
