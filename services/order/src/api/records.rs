//! What is kept about orders.

use super::{Api, asked::MAX_ASKS, view};
use crate::{
    domain::{
        Action, Actor, ChangeId, ChangeProposal, Error, Order, OrderId, PricedChange, Principal,
        Resource, records::change_order,
    },
    processes::changes::parse_proposal,
    repository::{change_raises, orders, records},
};
use kit::{
    Id,
    storage::{db::Begun, idempotency::Key, page::Page},
    values::time::moment,
};
use proto::quickserve::order::v1::{self as pb, record_service_server::RecordService};
use tonic::{Request, Response, Status};
use uuid::Uuid;

impl Api {
    /// The order whose records are listed, if the caller may see it, and the page.
    async fn order_and_page(
        &self,
        caller: &Principal,
        order_id: &str,
        (size, token): (i32, &str),
    ) -> Result<(Order, Page), Error> {
        let page = Page::parse(size, token)?;
        let id = Id::parse("order_id", order_id)?;
        Ok((orders::get_order(self.app.db.connection(), id, caller).await?, page))
    }

    /// Prices a proposal, has it paid for where its author is the customer, and writes it down. [`Error::Changed`] says that
    /// the order is not the one that was priced any more; what was authorised for that price is given back.
    async fn price_and_propose(
        &self,
        call: &ProposalCall,
    ) -> Result<Response<pb::ProposeChangeResponse>, Error> {
        let order = orders::get_order(self.app.db.connection(), call.id, &call.caller).await?;
        let by = order.side(&call.caller).ok_or(Error::NotFound(Resource::Order))?;
        let priced = self.app.price_change(&order, by, call.proposal.clone()).await?;
        let Some(own) = priced.clone().filter(|_| by == Actor::Customer) else {
            return self.write_proposal(call, priced, None).await;
        };
        let payment = self.pay_for_proposal(call, &order, &own).await?;
        let answer = self.write_proposal(call, priced, payment).await;
        if let Err(refused) = &answer {
            self.app.release_unless_approved(call.id, call.change_id, refused).await;
        }
        answer
    }

    /// Has the customer's own proposal paid for. The vertical is asked again afterwards, since the card may take its time.
    async fn pay_for_proposal(
        &self,
        call: &ProposalCall,
        order: &Order,
        priced: &PricedChange,
    ) -> Result<Option<Uuid>, Error> {
        let amount = priced.amount()?;
        let paid = self.app.authorize_own_change(order, amount, call.change_id).await;
        let refused = match paid {
            Ok(payment) => {
                let asked = self.app.ask_about_approval(order, Actor::Customer, &priced.lines);
                match asked.await {
                    Ok(()) => return Ok(payment),
                    Err(denied) => denied,
                }
            }
            // Such a change waits for no second call, as those of a provider do.
            Err(Error::ConfirmationRequired(_)) => {
                Error::ChangeDeclined("AUTHENTICATION_REQUIRED".to_owned())
            }
            // Nothing is reserved, or the same call finds later what is.
            Err(error) => return Err(error),
        };
        self.app.release_unless_approved(call.id, call.change_id, &refused).await;
        Err(refused)
    }

    /// Writes a priced proposal down, with the payment that was begun for it where the order had cost nothing.
    async fn write_proposal(
        &self,
        call: &ProposalCall,
        priced: Option<PricedChange>,
        payment: Option<Uuid>,
    ) -> Result<Response<pb::ProposeChangeResponse>, Error> {
        let tx = match self.app.db.begin_call(call.key.clone()).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let timing = &self.app.timing;
        let mut change = orders::lock_order(&tx, call.id, &call.caller, timing).await?;
        change.check(Action::ProposeChange)?;
        let priced = priced.ok_or(Error::Changed)?;
        // Where the raise has ended by now, what it added is on its way back.
        if change.by == Actor::Customer
            && priced.amount()? > 0
            && !change_raises::end_raise(&tx, call.change_id).await?
        {
            return Err(Error::Changed);
        }
        change.note_authorized_change(payment);
        let proposed = change.propose_change(call.change_id, priced, call.reason.clone())?;
        let order = orders::save_order(&tx, change).await?;
        let change_order = Some(view::change_order_of(&order, proposed));
        self.commit(tx, call.id, pb::ProposeChangeResponse { change_order }).await
    }

    /// Writes down that a change is approved, which is paid for by now.
    async fn write_approval(
        &self,
        caller: &Principal,
        id: OrderId,
        key: Option<Key>,
        row: &change_order::Model,
        payment: Option<Uuid>,
    ) -> Result<Response<pb::ApproveChangeResponse>, Error> {
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, caller, &self.app.timing).await?;
        change.approve_change(row, payment)?;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, caller)?);
        self.commit(tx, id, pb::ApproveChangeResponse { order }).await
    }
}

/// A call that proposes a change.
struct ProposalCall {
    id: OrderId,
    caller: Principal,
    key: Option<Key>,
    change_id: ChangeId,
    proposal: ChangeProposal,
    reason: String,
}

#[tonic::async_trait]
impl RecordService for Api {
    async fn post_order_message(
        &self,
        request: Request<pb::PostOrderMessageRequest>,
    ) -> Result<Response<pb::PostOrderMessageResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::PostOrderMessageRequest { order_id, text } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        let message = change.post_message(tx.new_uuid(), text)?;
        orders::save_order(&tx, change).await?;
        let message = Some(view::message_of(message));
        Ok(tx.commit_answer(pb::PostOrderMessageResponse { message }).await?)
    }

    async fn list_order_messages(
        &self,
        request: Request<pb::ListOrderMessagesRequest>,
    ) -> Result<Response<pb::ListOrderMessagesResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let pb::ListOrderMessagesRequest { order_id, page_size, page_token } = request.into_inner();
        let (order, page) =
            self.order_and_page(&caller, &order_id, (page_size, &page_token)).await?;
        let mut rows = records::list_messages(self.app.db.connection(), order.id, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id);
        let messages = rows.into_iter().map(view::message_of).collect();
        Ok(Response::new(pb::ListOrderMessagesResponse { messages, next_page_token }))
    }

    async fn add_proof(
        &self,
        request: Request<pb::AddProofRequest>,
    ) -> Result<Response<pb::AddProofResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::AddProofRequest { order_id, kind, sha256, position, taken_at } =
            request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let taken_at = match taken_at {
            None => self.app.now(),
            Some(at) => moment("taken_at", Some(&at))?,
        };
        let position = position.and_then(|pb::Position { lat, lng }| lat.zip(lng));
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        let proof = change.add_proof(tx.new_uuid(), kind, sha256, position, taken_at)?;
        orders::save_order(&tx, change).await?;
        let proof = Some(view::proof_of(proof));
        Ok(tx.commit_answer(pb::AddProofResponse { proof }).await?)
    }

    async fn list_proofs(
        &self,
        request: Request<pb::ListProofsRequest>,
    ) -> Result<Response<pb::ListProofsResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let pb::ListProofsRequest { order_id, page_size, page_token } = request.into_inner();
        let (order, page) =
            self.order_and_page(&caller, &order_id, (page_size, &page_token)).await?;
        let mut rows = records::list_proofs(self.app.db.connection(), order.id, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id);
        let proofs = rows.into_iter().map(view::proof_of).collect();
        Ok(Response::new(pb::ListProofsResponse { proofs, next_page_token }))
    }

    async fn propose_change(
        &self,
        request: Request<pb::ProposeChangeRequest>,
    ) -> Result<Response<pb::ProposeChangeResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let mut request = request.into_inner();
        let id = Id::parse("order_id", &request.order_id)?;
        if let Some(answer) = self.kept_answer(&key).await? {
            return Ok(Response::new(answer));
        }
        let proposal = parse_proposal(&mut request)?;
        // The same call finds what it has authorised.
        let change_id = key.as_ref().map_or_else(|| Id::new(self.app.db.clock()), Key::derived_id);
        let mut call =
            ProposalCall { id, caller, key, change_id, proposal, reason: request.reason };
        for _ in 1..MAX_ASKS {
            match self.price_and_propose(&call).await {
                Err(Error::Changed) => call.change_id = Id::new(self.app.db.clock()),
                answer => return Ok(answer?),
            }
        }
        Ok(self.price_and_propose(&call).await?)
    }

    async fn list_change_orders(
        &self,
        request: Request<pb::ListChangeOrdersRequest>,
    ) -> Result<Response<pb::ListChangeOrdersResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let pb::ListChangeOrdersRequest { order_id, page_size, page_token } = request.into_inner();
        let (order, page) =
            self.order_and_page(&caller, &order_id, (page_size, &page_token)).await?;
        let mut rows = records::change_orders(self.app.db.connection(), order.id, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id.uuid());
        let change_orders =
            rows.into_iter().map(|row| view::change_order_of(&order, row)).collect();
        Ok(Response::new(pb::ListChangeOrdersResponse { change_orders, next_page_token }))
    }

    async fn approve_change(
        &self,
        request: Request<pb::ApproveChangeRequest>,
    ) -> Result<Response<pb::ApproveChangeResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::ApproveChangeRequest { order_id, change_order_id, confirmation } =
            request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let change_id: ChangeId = Id::parse("change_order_id", &change_order_id)?;
        let db = self.app.db.connection();
        let order = orders::get_order(db, id, &caller).await?;
        let row = records::change_order(db, order.id, change_id).await?;
        let by = order.side(&caller).ok_or(Error::NotFound(Resource::Order))?;
        let is_pending = order.progress.change.as_ref().is_some_and(|it| it.id == change_id);
        let is_approvable = is_pending && order.check(Action::ApproveChange, by).is_ok();
        let mut payment = None;
        if is_approvable {
            let lines = row.approved_lines();
            self.app.ask_about_approval(&order, row.proposed_by, &lines).await?;
            let amount = row.amount;
            payment = self.app.authorize_change(&order, amount, change_id, confirmation).await?;
        }
        let answer = self.write_approval(&caller, id, key, &row, payment).await;
        if let Err(refused) = &answer
            && is_approvable
        {
            self.app.release_unless_approved(id, change_id, refused).await;
        }
        Ok(answer?)
    }

    async fn reject_change(
        &self,
        request: Request<pb::RejectChangeRequest>,
    ) -> Result<Response<pb::RejectChangeResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::RejectChangeRequest { order_id, change_order_id } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let change_id: ChangeId = Id::parse("change_order_id", &change_order_id)?;
        let db = self.app.db.connection();
        let order = orders::get_order(db, id, &caller).await?;
        records::change_order(db, order.id, change_id).await?;
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        change.reject_change(change_id)?;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        Ok(self.commit(tx, id, pb::RejectChangeResponse { order }).await?)
    }

    async fn list_timeline(
        &self,
        request: Request<pb::ListTimelineRequest>,
    ) -> Result<Response<pb::ListTimelineResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let pb::ListTimelineRequest { order_id, page_size, page_token } = request.into_inner();
        let (order, page) =
            self.order_and_page(&caller, &order_id, (page_size, &page_token)).await?;
        let mut rows = records::list_timeline(self.app.db.connection(), order.id, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id);
        let entries = rows.into_iter().map(view::timeline_entry).collect();
        Ok(Response::new(pb::ListTimelineResponse { entries, next_page_token }))
    }

    async fn list_provider_reviews(
        &self,
        request: Request<pb::ListProviderReviewsRequest>,
    ) -> Result<Response<pb::ListProviderReviewsResponse>, Status> {
        let pb::ListProviderReviewsRequest { provider_id, page_size, page_token } =
            request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let provider = Id::parse("provider_id", &provider_id)?;
        let mut rows = records::provider_reviews(self.app.db.connection(), provider, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id);
        let reviews = rows.into_iter().map(|row| view::review_of(row, false)).collect();
        Ok(Response::new(pb::ListProviderReviewsResponse { reviews, next_page_token }))
    }
}
