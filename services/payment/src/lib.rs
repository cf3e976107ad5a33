//! Payment: the money of orders. It owns intents and attempts, captures, refunds, payouts, saved payment methods, the
//! double-entry ledger and the events of payment providers; it calls no one but the payment provider.
//!
//! Start reading at [`flow`]; the records and their rules are in [`domain`], and `psp` says what a payment provider is.

mod api;
mod config;
mod consumer;
mod domain;
mod events;
mod flow;
mod psp;
mod repository;
mod worker;

use anyhow::Context;
use config::Config;
use flow::Payments;
use kit::{Host, Routes};
use proto::quickserve::payment::v1 as pb;
use psp::sandbox::{Courier, Sandbox};
use std::sync::Arc;

/// Starts the service on tables that are up to date.
pub async fn start(host: &Host) -> anyhow::Result<Routes> {
    let mut config: Config = host.config()?;
    config.check()?;
    if config.psp_webhook_secrets.is_empty() {
        let secret = config::own_secret(host.data_dir()).context("the secret of the webhook")?;
        config.psp_webhook_secrets.push(secret);
    }
    let config = Arc::new(config);
    let db = host.database().await?;
    let sandbox = Arc::new(Sandbox::new(db.clone(), config.confirmation_url.clone()));
    let payments = Payments::new(db.clone(), sandbox.clone(), config.clone());

    if let Some(secret) = config.psp_webhook_secrets.first() {
        let webhook = Arc::new(worker::Webhook(payments.clone()));
        let courier = Courier { sandbox, secret: secret.clone(), to: webhook };
        host.spawn(courier.run(host.stop_token()));
    }
    host.timers(&db, Arc::new(worker::PaymentTimers(payments.clone())));
    let swept = payments.clone();
    host.every("settle unanswered attempts", worker::SWEEP_EVERY, move || {
        let payments = swept.clone();
        async move { payments.sweep().await.map(drop) }
    });
    host.subscribe(Arc::new(consumer::ErasureConsumer { db: db.clone() }))?;
    let held_blocks = config.held_blocks.clone();
    host.subscribe(Arc::new(consumer::StandingConsumer { db, held_blocks }))?;

    let api = api::Api { payments };
    Ok(Routes::default()
        .add(pb::charge_service_server::ChargeServiceServer::new(api.clone()))
        .add(pb::payment_service_server::PaymentServiceServer::new(api.clone()))
        .add(pb::payment_method_service_server::PaymentMethodServiceServer::new(api.clone()))
        .add(pb::payout_service_server::PayoutServiceServer::new(api.clone()))
        .add(pb::due_service_server::DueServiceServer::new(api.clone()))
        .add(pb::ledger_service_server::LedgerServiceServer::new(api.clone()))
        .add(pb::psp_event_service_server::PspEventServiceServer::new(api)))
}
