//! `quickserve reconcile`: after a restore, has the services compare what they know of each other and mend it. It runs
//! them without an edge, so that nothing new comes in meanwhile.

use crate::commands::print_line;
use anyhow::{Context, bail};
use kit::{Host, rpc::client::Channel};
use proto::quickserve::{
    kit::v1::{
        GetBacklogRequest, GetBacklogResponse, RepublishEventsRequest,
        maintenance_service_client::MaintenanceServiceClient,
    },
    order::v1::{
        Finding, ReconcileOrdersRequest, ReconcilePaymentsRequest, ReconcileReservationsRequest,
        reconcile_service_client::ReconcileServiceClient,
    },
};
use quickserve::{
    process::{OPS, Plan, Process},
    service::Service,
};
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

/// Comparisons at most. What is still found after the last one does not mend by itself.
const MAX_ROUNDS: usize = 4;
/// How long the services may take to come to rest.
const MAX_UNREST: Duration = Duration::from_secs(120);
/// Orders, reservations and payments that are compared in one call, and how long that may take.
const PAGE: i32 = 25;
const MAX_PAGE_TIME: Duration = Duration::from_secs(60);
/// The pause between two looks at what they have still to do.
const PAUSE: Duration = Duration::from_millis(300);
/// Looks in a row that find nothing to do: an event may pass from one service to the next between two questions.
const QUIET_LOOKS: u32 = 2;

/// Runs the services of `plan` and mends what they know of each other. Fails when something is left to do.
pub async fn run(plan: Plan) -> anyhow::Result<ExitCode> {
    let process = Process::start(plan).await?;
    let reconciled = reconcile(&process.host().of(OPS)).await;
    process.stop().await;
    Ok(if reconciled? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// True when nothing is left to do.
async fn reconcile(host: &Host) -> anyhow::Result<bool> {
    let published = republish_events(host).await?;
    print_line(&format!("{published} events are published again to those who lost them"))?;
    let mut mended = 0;
    let mut left = Vec::new();
    for _ in 0..MAX_ROUNDS {
        come_to_rest(host).await?;
        left = compare(host).await?;
        let steps: Vec<&Finding> = left.iter().filter(|finding| finding.mended).collect();
        mended += steps.len();
        for finding in &steps {
            print_finding("mended", finding)?;
        }
        if steps.is_empty() {
            break;
        }
    }
    for finding in &left {
        print_finding("LEFT", finding)?;
    }
    let parked = count_parked(host).await?;
    if parked > 0 {
        print_line(&format!(
            "LEFT    {parked} events wait for a decision: start the system, then see `quickserve events parked list`"
        ))?;
    }
    print_line(&format!("{mended} mended, {} left", left.len() + usize::from(parked > 0)))?;
    Ok(left.is_empty() && parked == 0)
}

fn print_finding(what: &str, finding: &Finding) -> anyhow::Result<ExitCode> {
    let Finding { order_id, kind, detail, .. } = finding;
    print_line(&format!("{what:7} order {order_id}  {kind}: {detail}"))
}

async fn republish_events(host: &Host) -> anyhow::Result<i64> {
    let mut events = 0;
    for service in Service::ALL.map(Service::name) {
        let again =
            maintenance(host, service).republish_events(RepublishEventsRequest::default()).await;
        events += again.with_context(|| refused(service))?.into_inner().events;
    }
    Ok(events)
}

/// Waits until the services have nothing to do that is due.
async fn come_to_rest(host: &Host) -> anyhow::Result<()> {
    let limit = Instant::now() + MAX_UNREST;
    let mut quiet = 0;
    while quiet < QUIET_LOOKS {
        let busy = find_busy(host).await?;
        match busy {
            None => quiet += 1,
            Some(busy) if Instant::now() > limit => {
                bail!("{busy} after {} s: look at the log and try again", MAX_UNREST.as_secs())
            }
            Some(_) => quiet = 0,
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// What a service has still to do, in words.
async fn find_busy(host: &Host) -> anyhow::Result<Option<String>> {
    for service in Service::ALL.map(Service::name) {
        let GetBacklogResponse { unpublished_events, held_events, due_timers, parked_events: _ } =
            backlog(host, service).await?;
        if unpublished_events + held_events + due_timers > 0 {
            return Ok(Some(format!(
                "{service} has still {unpublished_events} events to publish, {held_events} events to take and \
                 {due_timers} timers to fire"
            )));
        }
    }
    Ok(None)
}

async fn count_parked(host: &Host) -> anyhow::Result<i64> {
    let mut parked = 0;
    for service in Service::ALL.map(Service::name) {
        parked += backlog(host, service).await?.parked_events;
    }
    Ok(parked)
}

async fn backlog(host: &Host, service: &'static str) -> anyhow::Result<GetBacklogResponse> {
    let backlog = maintenance(host, service).get_backlog(GetBacklogRequest {}).await;
    Ok(backlog.with_context(|| refused(service))?.into_inner())
}

/// Compares everything once, and mends what it can.
async fn compare(host: &Host) -> anyhow::Result<Vec<Finding>> {
    let mut order = ReconcileServiceClient::new(host.channel(Service::Order.name()));
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = patient(ReconcileOrdersRequest { page_size: PAGE, page_token });
        let page = order.reconcile_orders(request).await.context("orders cannot be compared")?;
        let page = page.into_inner();
        found.extend(page.findings);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    loop {
        let request = patient(ReconcileReservationsRequest { page_size: PAGE, page_token });
        let page = order.reconcile_reservations(request).await;
        let page = page.context("reservations cannot be compared")?.into_inner();
        found.extend(page.findings);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    loop {
        let request = patient(ReconcilePaymentsRequest { page_size: PAGE, page_token });
        let page =
            order.reconcile_payments(request).await.context("payments cannot be compared")?;
        let page = page.into_inner();
        found.extend(page.findings);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

/// A request whose page may hold much to mend.
fn patient<M>(message: M) -> tonic::Request<M> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(MAX_PAGE_TIME);
    request
}

fn maintenance(host: &Host, service: &str) -> MaintenanceServiceClient<Channel> {
    MaintenanceServiceClient::new(host.channel(service))
}

fn refused(service: &str) -> String {
    format!("{service} does not answer")
}
