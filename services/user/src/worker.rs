//! Work that no answer waits for: asking for mail, and forgetting what is past its time.

use crate::{
    domain::{Error, code::Purpose},
    events,
    repository::{self, Repository, codes},
};
use chrono::Duration;
use std::time::Duration as StdDuration;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;

/// Requests for mail that may wait.
const MAX_WAITING: usize = 1_000;
/// Requests for mail that are worked off at a time.
const BATCH: usize = 100;
/// How long requests for mail wait, in milliseconds, at random: the answers are gone when the work begins, so that
/// nothing of it shows in their timing.
const PAUSE_MS: std::ops::Range<u64> = 50..300;
/// How often what is past its time is deleted.
pub const SWEEP_EVERY: Duration = Duration::hours(1);

/// Takes requests for mail.
#[derive(Clone)]
pub struct MailRequests(Sender<MailRequest>);

/// A request for a mail with a code.
pub struct MailRequest {
    email: String,
    purpose: Purpose,
}

/// The two ends of the queue of requests for mail.
pub fn mail_requests() -> (MailRequests, Receiver<MailRequest>) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    (MailRequests(sender), receiver)
}

impl MailRequests {
    /// Asks for a mail. Whether the address has an account is found out later.
    pub fn ask(&self, email: String, purpose: Purpose) -> Result<(), Error> {
        self.0.try_send(MailRequest { email, purpose }).map_err(|_| Error::Overloaded)
    }
}

/// Works off requests for mail until the service stops, and then those that are left.
pub async fn request_mail(
    repository: Repository,
    mut requests: Receiver<MailRequest>,
    stop: CancellationToken,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            _ = requests.recv_many(&mut batch, BATCH) => {}
            () = stop.cancelled() => {
                requests.close();
                requests.recv_many(&mut batch, BATCH).await;
            }
        }
        if batch.is_empty() {
            return;
        }
        let pause = tokio::time::sleep(StdDuration::from_millis(rand::random_range(PAUSE_MS)));
        let _ = stop.run_until_cancelled(pause).await;
        for MailRequest { email, purpose } in batch.drain(..) {
            if let Err(error) = note_mail_request(&repository, &email, purpose).await {
                tracing::error!(%error, ?purpose, "cannot note a request for mail, it is dropped");
            }
        }
    }
}

/// Notes that the account with this address asks for a code, and has it mailed. Nothing happens when there is no such
/// account, when the code is of no use to it, or when it asked a moment ago.
async fn note_mail_request(
    repository: &Repository,
    email: &str,
    purpose: Purpose,
) -> Result<(), Error> {
    let Some(user) = repository.user_by_email(email).await? else { return Ok(()) };
    let tx = repository.db.begin().await?;
    let mut user = repository::lock_user(&tx, user.id).await?;
    if user.can_use_code(purpose) && codes::note_request(&tx, user.id, purpose).await? {
        events::record_event(&tx, &mut user, purpose.request_fact()).await?;
        repository::save_quietly(&tx, &user).await?;
    }
    Ok(tx.commit().await?)
}
