//! Acts about which the vertical is asked before they are written.
//!
//! An order may change between the vertical's word and the write, by a claim of the customer for one, and then the word is
//! not about the order that is written. A client who named no version has not said which order it means: the vertical is
//! asked again about the order as it is now. A client who named one is told that there is another.

use super::{Api, view};
use crate::{
    domain::{Action, Agreement, Error, OrderChange, OrderId, Principal},
    repository::orders,
};
use kit::{
    Tx,
    storage::{db::Begun, idempotency::Key, version},
};
use proto::quickserve::order::v1 as pb;
use tonic::Response;

/// How often the vertical is asked about one call, should the order change meanwhile.
pub(super) const MAX_ASKS: usize = 3;

/// An act about which the vertical is asked, with what is needed to write it.
pub(super) enum AskedAct {
    Accept,
    Depart,
    /// With the position of the provider's device, if it was sent.
    Arrive(Option<(f64, f64)>),
    /// With the code that the customer has told the provider.
    Start(String),
    NoShow,
    Deliver,
    /// With the reason.
    Abort(String),
}

/// A call that does such an act.
pub(super) struct AskedCall {
    pub id: OrderId,
    pub caller: Principal,
    pub key: Option<Key>,
    /// The version that the client expects; 0 expects none.
    pub version: i64,
    pub act: AskedAct,
}

impl Api {
    /// Asks the vertical about an act, and writes it with the answer of the call. Asks again where the order has changed
    /// meanwhile and the client expects no version.
    pub(super) async fn act_once_agreed<M>(
        &self,
        call: AskedCall,
        answer: fn(Option<pb::Order>) -> M,
    ) -> Result<Response<M>, Error>
    where
        M: prost::Message + Default,
    {
        let mut asked = 1;
        loop {
            let agreed = self.ask_about(&call).await?;
            match self.write_agreed(&call, agreed, answer).await {
                Err(Error::Changed) if call.version == 0 && asked < MAX_ASKS => {
                    tracing::debug!(order.id = %call.id, "the order has changed since the vertical was asked, asking again");
                    asked += 1;
                }
                written => return written,
            }
        }
    }

    async fn ask_about(&self, call: &AskedCall) -> Result<Option<Agreement>, Error> {
        let AskedCall { id, caller, version, .. } = call;
        match &call.act {
            AskedAct::Accept => self.app.prepare_acceptance(*id, caller).await,
            AskedAct::Depart => self.app.prepare_departure(*id, caller, *version).await,
            AskedAct::Arrive(_) => self.app.ask_before(*id, caller, Action::Arrive).await,
            AskedAct::Start(_) => self.app.ask_before(*id, caller, Action::Start).await,
            AskedAct::NoShow => self.app.ask_before(*id, caller, Action::NoShow).await,
            AskedAct::Deliver => self.app.ask_before(*id, caller, Action::Deliver).await,
            AskedAct::Abort(_) => self.app.ask_before(*id, caller, Action::Abort).await,
        }
    }

    async fn write_agreed<M>(
        &self,
        call: &AskedCall,
        agreed: Option<Agreement>,
        answer: fn(Option<pb::Order>) -> M,
    ) -> Result<Response<M>, Error>
    where
        M: prost::Message + Default,
    {
        let tx = match self.app.db.begin_call(call.key.clone()).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let timing = &self.app.timing;
        let mut change = orders::lock_order(&tx, call.id, &call.caller, timing).await?;
        version::expect_version(call.version, change.order.version)?;
        change.vertical_agreed(agreed);
        self.change_order(&tx, &mut change, &call.act)?;
        let order = orders::save_order(&tx, change).await?;
        let order = view::order_view(&self.app, &order, &call.caller)?;
        let response = tx.commit_answer(answer(Some(order))).await?;
        if matches!(call.act, AskedAct::Deliver) {
            self.app.note_delivery();
        }
        self.app.tell_vertical_at_once(call.id).await;
        Ok(response)
    }

    fn change_order(&self, tx: &Tx, change: &mut OrderChange, act: &AskedAct) -> Result<(), Error> {
        match act {
            AskedAct::Accept => change.accept(),
            AskedAct::Depart => change.depart(),
            AskedAct::Arrive(position) => change.arrive(*position),
            AskedAct::Start(code) => {
                let code_is_right = self.app.secret.opens(&change.order, code);
                change.start(code_is_right)
            }
            AskedAct::NoShow => change.no_show(),
            AskedAct::Deliver => change.deliver(),
            AskedAct::Abort(reason) => change.abort(tx.new_uuid(), reason),
        }
    }
}
