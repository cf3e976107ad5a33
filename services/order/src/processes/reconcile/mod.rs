//! After a restore: orders compared with what provider and payment have for them, and mended by the steps by which orders
//! go on otherwise. What is mended is found right when it is looked at again.
//!
//! [`time`] is about the time of providers, [`money`] about payments. The program's `reconcile` calls this page by page, when
//! nothing else works on the data.

mod money;
mod time;

use crate::{
    app::App,
    domain::{Error, Order, OrderId, Principal},
    peers::{HeldTime, is_refusal},
    repository::orders,
};
use kit::storage::page::Page;
use proto::quickserve::{
    payment::v1::{ListOrderPaymentsRequest, Payment},
    provider::v1::ListOrderReservationsRequest,
};

/// The largest page of provider and payment.
const PAGE: i32 = 100;

/// Something that two services told differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub order: OrderId,
    /// What differed, a code of the contract.
    pub kind: &'static str,
    /// What was done, or is left to do.
    pub detail: String,
    /// Whether nothing is left to do.
    pub mended: bool,
}

impl Finding {
    fn mended(order: OrderId, kind: &'static str, detail: &str) -> Self {
        Self { order, kind, detail: detail.to_owned(), mended: true }
    }

    fn left(order: OrderId, kind: &'static str, detail: &str) -> Self {
        Self { order, kind, detail: detail.to_owned(), mended: false }
    }
}

/// The findings of a page, and the token of the next one.
pub type Reconciled = (Vec<Finding>, String);

impl App {
    /// Compares a page of the orders that go on with their time, their money and what their verticals know.
    pub async fn reconcile_orders(&self, page: &Page) -> Result<Reconciled, Error> {
        let db = self.db.connection();
        let mut orders = orders::list_going_on(db, page).await?;
        let next = page.cut(&mut orders, |order| order.id.uuid());
        let reservations = self.reservations_of(&orders).await?;
        let payments = self.payments_of(&orders).await?;
        let mut findings = Vec::new();
        for order in orders {
            let id = order.id;
            let payment = payments.iter().find(|it| it.order_id == id.to_string());
            findings.extend(self.reconcile_money(&order, payment).await?);
            // Its money may have ended it.
            let order = orders::get_order(db, id, &Principal::System).await?;
            let held: Vec<_> = reservations.iter().filter(|held| held.order == id).collect();
            findings.extend(self.reconcile_time(&order, &held).await?);
            findings.extend(self.tell_vertical_of_restore(id).await?);
        }
        Ok((findings, next))
    }

    /// Compares a page of the time that providers have for orders with the orders.
    pub async fn reconcile_reservations(
        &self,
        page_size: i32,
        page_token: String,
    ) -> Result<Reconciled, Error> {
        let request = ListOrderReservationsRequest { page_size, page_token, order_ids: Vec::new() };
        let (held, next) = self.peers.list_reservations(request).await?;
        let mut findings = Vec::new();
        for held in held {
            findings.extend(self.free_orphan(held).await?);
        }
        Ok((findings, next))
    }

    /// Compares a page of the payments that are not closed with the orders.
    pub async fn reconcile_payments(
        &self,
        page_size: i32,
        page_token: String,
    ) -> Result<Reconciled, Error> {
        let request = ListOrderPaymentsRequest { page_size, page_token, order_ids: Vec::new() };
        let (payments, next) = self.peers.list_payments(request).await?;
        let mut findings = Vec::new();
        for payment in payments {
            findings.extend(self.settle_orphan(&payment).await?);
        }
        Ok((findings, next))
    }

    async fn reservations_of(&self, orders: &[Order]) -> Result<Vec<HeldTime>, Error> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        // Without any order named, all would be listed.
        while !orders.is_empty() {
            let order_ids = orders.iter().map(|order| order.id.to_string()).collect();
            let request = ListOrderReservationsRequest { page_size: PAGE, page_token, order_ids };
            let (held, next) = self.peers.list_reservations(request).await?;
            found.extend(held);
            if next.is_empty() {
                break;
            }
            page_token = next;
        }
        Ok(found)
    }

    /// There is one for each order at most.
    async fn payments_of(&self, orders: &[Order]) -> Result<Vec<Payment>, Error> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let order_ids = orders.iter().map(|order| order.id.to_string()).collect();
        let page_token = String::new();
        let request = ListOrderPaymentsRequest { page_size: PAGE, page_token, order_ids };
        Ok(self.peers.list_payments(request).await?.0)
    }

    /// The vertical may know a later version of the order, or none.
    async fn tell_vertical_of_restore(&self, id: OrderId) -> Result<Option<Finding>, Error> {
        let order = orders::get_order(self.db.connection(), id, &Principal::System).await?;
        if order.progress.assignments == 0 {
            return Ok(None);
        }
        match self.verticals.tell_restored(&order).await {
            Err(error) if is_refusal(&error) => {
                tracing::error!(%error, order.id = %id, "the vertical does not take a restored order");
                let detail = "its vertical does not take it as it stands; the log says why";
                Ok(Some(Finding::left(id, "VERTICAL_UNTOLD", detail)))
            }
            told => told.map(|()| None),
        }
    }
}
