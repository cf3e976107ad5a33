//! Asks the user service which access tokens became void, and first for the keys that sign them: every few seconds, and as
//! soon as the user service says that there are some.

use super::Revoked;
use crate::{
    identity::token::{ACCESS_LIFE, LEEWAY},
    program::host::Host,
    rpc::client::Channel,
};
use chrono::{DateTime, Utc};
use proto::quickserve::user::v1::{
    ListRevocationsRequest, Revocation, account_service_client::AccountServiceClient,
};
use std::time::Duration;
use tonic::Status;
use uuid::Uuid;

/// How often the set is brought up to date: a void token is refused within ten seconds.
const EVERY: Duration = Duration::from_secs(5);
/// How long to wait for more once some became void: one question is for all of them.
const GATHER: Duration = Duration::from_millis(20);
/// How soon the next try follows one that failed.
const AGAIN: Duration = Duration::from_millis(500);

/// Keeps the revocations of the process up to date until the host stops. One of its callers is enough for a process.
pub async fn follow(host: Host) {
    let stop = host.stop_token();
    let mut accounts = AccountServiceClient::new(host.channel("user"));
    let mut since = host.clock().now() - ACCESS_LIFE - LEEWAY;
    let mut failing = false;
    let mut news = host.of("user").wake_ups("revocations").subscribe();
    loop {
        // What was said before is in the answer.
        news = news.resubscribe();
        let begun = host.clock().now();
        let answer = match host.identity().has_access_keys().await {
            true => ask(&mut accounts, since).await,
            false => Err(Status::unavailable("the keys of access tokens cannot be fetched")),
        };
        match answer {
            Ok(revoked) => {
                host.identity().revocations().add(revoked, begun);
                // The clocks of two machines differ, and what is committed late may have an earlier time.
                since = begun - LEEWAY;
                failing = false;
            }
            Err(status) => {
                if !std::mem::replace(&mut failing, true) {
                    let code = status.code();
                    tracing::warn!(
                        ?code,
                        message = status.message(),
                        "cannot read which access tokens are void, they are accepted until this works again"
                    );
                }
            }
        }
        let pause = if failing { AGAIN } else { EVERY };
        tokio::select! {
            () = host.clock().poll(pause) => {}
            // An error says that there was more than one.
            _ = news.recv() => tokio::time::sleep(GATHER).await,
            () = stop.cancelled() => return,
        }
    }
}

async fn ask(
    accounts: &mut AccountServiceClient<Channel>,
    since: DateTime<Utc>,
) -> Result<Vec<(Revoked, DateTime<Utc>)>, Status> {
    let request = ListRevocationsRequest { since: Some(timestamp(since)) };
    let answer = accounts.list_revocations(request).await?.into_inner();
    // One that cannot be read must not hide the others.
    Ok(answer.revocations.into_iter().filter_map(read).collect())
}

fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    let nanos = i32::try_from(time.timestamp_subsec_nanos()).unwrap_or(0);
    prost_types::Timestamp { seconds: time.timestamp(), nanos }
}

fn read(revocation: Revocation) -> Option<(Revoked, DateTime<Utc>)> {
    let Revocation { user_id, session_id, token_version, revoked_at } = revocation;
    let revoked = if session_id.is_empty() {
        Revoked::Below { user_id: Uuid::parse_str(&user_id).ok()?, token_version }
    } else {
        Revoked::Session(Uuid::parse_str(&session_id).ok()?)
    };
    let at = revoked_at?;
    Some((revoked, DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?)?))
}
