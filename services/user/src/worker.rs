//! Work that no answer waits for: asking for mail, and forgetting what is past its time.

use crate::{
    domain::{Error, code::Purpose},
    repository::Repository,
};
use chrono::Duration;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;

/// Requests for mail that may wait.
const WAITING_MOST: usize = 1_000;
/// How often what is past its time is forgotten.
const SWEEP_EVERY: Duration = Duration::hours(1);

/// Takes requests for mail.
#[derive(Clone)]
pub struct MailRequests(Sender<MailRequest>);

/// Somebody asks for a mail with a code.
pub struct MailRequest {
    email: String,
    purpose: Purpose,
}

/// The two ends of the queue of requests for mail.
pub fn mail_requests() -> (MailRequests, Receiver<MailRequest>) {
    let (sender, receiver) = mpsc::channel(WAITING_MOST);
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
    loop {
        let request = tokio::select! {
            request = requests.recv() => request,
            () = stop.cancelled() => {
                requests.close();
                requests.recv().await
            }
        };
        let Some(MailRequest { email, purpose }) = request else { return };
        if let Err(error) = repository.request_code(&email, purpose).await {
            tracing::error!(%error, ?purpose, "a request for mail was lost");
        }
    }
}

/// Forgets what is past its time, now and then.
pub async fn sweep(repository: Repository, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = repository.clock().sleep(SWEEP_EVERY) => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = repository.sweep().await {
            tracing::warn!(%error, "what is past its time stays for now");
        }
    }
}
