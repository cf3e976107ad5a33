//! Hears what is published on a channel, on a connection of its own. What is published while there is no connection is
//! not heard: who listens also looks from time to time.

use super::client::{Redis, connection, performance, reconnect_policy};
use fred::{
    clients::SubscriberClient,
    interfaces::{ClientLike, EventInterface, PubsubInterface},
    types::Message,
};
use std::time::Duration;
use tokio::sync::broadcast;

/// How soon the channel is asked for again after that failed.
const AGAIN: Duration = Duration::from_millis(500);

/// Listens to `channel` for as long as the process runs. Of many messages, a slow reader misses the oldest.
pub fn listen_to(redis: &Redis, channel: &str) -> broadcast::Receiver<Message> {
    let client = SubscriberClient::new(
        redis.config(),
        Some(performance()),
        Some(connection()),
        Some(reconnect_policy()),
    );
    let messages = client.message_rx();
    drop(client.connect());
    // Asks again after each new connection.
    drop(client.manage_subscriptions());
    let channel = channel.to_owned();
    tokio::spawn(async move {
        // Redis may come later.
        while client.subscribe(channel.clone()).await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    });
    messages
}
