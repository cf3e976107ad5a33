//! Tracking: positions come in ([`intake`]), are written together ([`writer`]), are shown to those who wait for a provider
//! ([`watch`]) and are forgotten ([`upkeep`]). Who is on which way follows from the facts of orders ([`follow`]).

pub mod facts;
pub mod follow;
pub mod intake;
pub mod upkeep;
pub mod watch;
pub mod writer;

use crate::domain::Error;

/// Does work to its end, whether or not the stream that wants it is read on meanwhile: half done, it would keep a
/// connection to the database, or the trail of a device, from all others.
pub async fn finish<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.map_err(kit::Error::internal)?
}
