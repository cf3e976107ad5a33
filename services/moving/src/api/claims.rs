//! `ClaimService`: claims for what was damaged or lost.

use super::{Api, account_of};
use crate::{
    convert::{self, MoveJob},
    domain::{
        claim::{ClaimDecision, ClaimKind, Model as DamageClaim, check_claim_window},
        state::MoveState,
    },
    events,
    repository::{self, find_claim, save_claim},
    worker,
};
use kit::{
    Money, Tx,
    messaging::timers,
    storage::{db::Begun, idempotency::Key},
    values::id::parse_uuid,
};
use proto::quickserve::moving::v1::{self as pb, claim_service_server::ClaimService};
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;
use vertical::{
    Error,
    convert::parse_order_id,
    repository::{self as orders, Reach},
    signals,
};

/// Most claims about an order that a customer may open, with those that the reserves of the delivery opened.
const MOST_CLAIMS: u64 = 100;

/// Who decides a claim, and which claims are theirs.
#[derive(Clone, Copy)]
enum Decider {
    Customer(Uuid),
    Provider(Uuid),
    Operator(Uuid),
}

impl Decider {
    /// Locks the job of a claim, which is absent where it is not theirs.
    async fn lock_job(self, tx: &Tx, order_id: Uuid) -> Result<MoveJob, Error> {
        let locked = match self {
            Self::Customer(account) => lock_own_job(tx, order_id, account).await,
            Self::Provider(account) => {
                orders::lock_job(tx, order_id, Reach::Provider(account)).await
            }
            Self::Operator(_) => orders::lock_job(tx, order_id, Reach::All).await,
        };
        locked.map_err(|error| match error {
            Error::OrderNotFound => repository::claim_not_found(),
            other => other,
        })
    }

    const fn account(self) -> Uuid {
        match self {
            Self::Customer(account) | Self::Provider(account) | Self::Operator(account) => account,
        }
    }
}

/// Locks the job of an order that `customer` has booked.
async fn lock_own_job(tx: &Tx, order_id: Uuid, customer: Uuid) -> Result<MoveJob, Error> {
    let job: MoveJob = orders::lock_job(tx, order_id, Reach::Party(customer)).await?;
    if job.order.customer_id == customer { Ok(job) } else { Err(Error::OrderNotFound) }
}

impl Api {
    /// Decides a claim. One that was decided in the same way before stays as it is.
    async fn decide_claim(
        &self,
        claim_id: &str,
        decider: Decider,
        decision: ClaimDecision,
    ) -> Result<Option<pb::DamageClaim>, Error> {
        let id = parse_uuid("claim_id", claim_id)?;
        let tx = self.db.begin().await?;
        let order_id = find_claim(&*tx, id).await?.order_id;
        let mut job = decider.lock_job(&tx, order_id).await?;
        // Read under the lock of its order, so that it is decided once.
        let mut claim = find_claim(&*tx, id).await?;
        if claim.decide(decision, tx.now())? {
            save_claim(&tx, &claim).await?;
            timers::cancel_timer(&tx, worker::CLAIM, id).await?;
            let refund = claim.money(claim.refund.unwrap_or_default());
            let (order, account) = (&mut job.order, decider.account());
            signals::record_claim_resolved(&tx, order, account, id, refund).await?;
            events::record_move_event(&tx, &mut job, events::CLAIM_RESOLVED, Some(id)).await?;
            orders::save_job(&tx, &mut job).await?;
        }
        tx.commit().await?;
        Ok(Some(convert::claim(&claim)))
    }

    /// The claim that a customer asks to open about a move.
    fn new_claim(
        &self,
        tx: &Tx,
        job: &MoveJob,
        request: pb::CreateClaimRequest,
    ) -> Result<DamageClaim, Error> {
        let pb::CreateClaimRequest { order_id: _, line, kind, amount, photo_sha256 } = request;
        if job.own.state != MoveState::Signed {
            let problem = "the goods are not delivered: note what is wrong when you sign for them";
            return Err(Error::OrderState(problem));
        }
        let days = self.moves.tables.claims.days;
        check_claim_window(job.order.delivered_at, days, tx.now())?;
        let kind = ClaimKind::parse("kind", &kind)?;
        let line = u32::try_from(line).unwrap_or_default();
        if job.own.line(line).is_none_or(|line| line.counted() == 0) {
            return Err(Error::invalid("line", "has nothing that was loaded"));
        }
        let amount = Money::parse("amount", amount.as_ref())?;
        job.own.check_amount("amount", amount)?;
        if kind == ClaimKind::Damaged && job.own.was_damaged_before(line) {
            let problem = "the damage was noted before the goods were loaded";
            return Err(Error::Refused("DAMAGE_KNOWN", problem.to_owned()));
        }
        let (id, order) = (tx.new_uuid(), job.order.order_id);
        Ok(DamageClaim::open(id, order, (line, kind), amount, photo_sha256, tx.now()))
    }
}

#[async_trait]
impl ClaimService for Api {
    async fn list_claims(
        &self,
        request: Request<pb::ListClaimsRequest>,
    ) -> Result<Response<pb::ListClaimsResponse>, Status> {
        let reach = Reach::party(&kit::caller_of(&request))?;
        let id = parse_order_id(&request.get_ref().order_id)?;
        let _: MoveJob = orders::find_job(self.db.connection(), id, reach).await?;
        let claims = repository::list_claims(self.db.connection(), id).await?;
        let claims = claims.iter().map(convert::claim).collect();
        Ok(Response::new(pb::ListClaimsResponse { claims }))
    }

    async fn create_claim(
        &self,
        request: Request<pb::CreateClaimRequest>,
    ) -> Result<Response<pb::CreateClaimResponse>, Status> {
        let (customer, key) = (account_of(&request)?, Key::of(&request));
        let request = request.into_inner();
        let id = parse_order_id(&request.order_id)?;
        let tx = match self.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut job = lock_own_job(&tx, id, customer).await?;
        // Counted under the lock of the job, so that no two calls open the last one.
        if repository::count_claims(&*tx, id).await? >= MOST_CLAIMS {
            let problem =
                format!("there are {MOST_CLAIMS} claims about the order: no more can be opened");
            return Err(Error::Refused("CLAIM_LIMIT", problem).into());
        }
        let claim = self.new_claim(&tx, &job, request)?;
        self.open_claim(&tx, &mut job, &claim).await?;
        orders::save_job(&tx, &mut job).await?;
        let answer = pb::CreateClaimResponse { claim: Some(convert::claim(&claim)) };
        Ok(tx.commit_answer(answer).await?)
    }

    async fn accept_claim(
        &self,
        request: Request<pb::AcceptClaimRequest>,
    ) -> Result<Response<pb::AcceptClaimResponse>, Status> {
        let provider = Decider::Provider(account_of(&request)?);
        let pb::AcceptClaimRequest { claim_id } = request.into_inner();
        let claim = self.decide_claim(&claim_id, provider, ClaimDecision::Accept).await?;
        Ok(Response::new(pb::AcceptClaimResponse { claim }))
    }

    async fn withdraw_claim(
        &self,
        request: Request<pb::WithdrawClaimRequest>,
    ) -> Result<Response<pb::WithdrawClaimResponse>, Status> {
        let customer = Decider::Customer(account_of(&request)?);
        let pb::WithdrawClaimRequest { claim_id } = request.into_inner();
        let claim = self.decide_claim(&claim_id, customer, ClaimDecision::Withdraw).await?;
        Ok(Response::new(pb::WithdrawClaimResponse { claim }))
    }

    async fn settle_claim(
        &self,
        request: Request<pb::SettleClaimRequest>,
    ) -> Result<Response<pb::SettleClaimResponse>, Status> {
        let operator = Decider::Operator(account_of(&request)?);
        let pb::SettleClaimRequest { claim_id, refund } = request.into_inner();
        let decision = ClaimDecision::Settle(Money::parse("refund", refund.as_ref())?);
        let claim = self.decide_claim(&claim_id, operator, decision).await?;
        Ok(Response::new(pb::SettleClaimResponse { claim }))
    }
}
