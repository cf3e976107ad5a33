//! Places for connections: so many altogether, and so many of one client.

use crate::{client::Network, config::Config, rate::client_key};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one listener.
pub struct Places {
    all: Arc<Semaphore>,
    clients: Arc<Clients>,
}

/// How many connections each client has; one that has none has no entry.
struct Clients {
    open: Mutex<HashMap<u128, usize>>,
    most: usize,
    /// Proxies, whose connections are those of many clients.
    trusted: Vec<Network>,
}

/// A connection's place, until it is dropped.
pub struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_client: Option<ClientPlace>,
}

struct ClientPlace {
    clients: Arc<Clients>,
    key: u128,
}

impl Places {
    /// The places that the configuration allows.
    pub fn new(config: &Config) -> Self {
        let clients = Clients {
            open: Mutex::default(),
            most: config.max_client_connections,
            trusted: config.trusted_proxies.clone(),
        };
        let all = Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS));
        Self { all: Arc::new(all), clients: Arc::new(clients) }
    }

    /// Waits for a place; whoever connects meanwhile waits in the listener's queue.
    pub async fn free(&self) -> Option<OwnedSemaphorePermit> {
        // Fails only on a closed semaphore, and nobody closes this one.
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Gives a free place to `peer`, or none when it has as many as a client may have.
    pub fn take(&self, free: Option<OwnedSemaphorePermit>, peer: IpAddr) -> Option<Place> {
        let of_client = self.clients.enter(peer.to_canonical())?;
        Some(Place { _of_all: free?, _of_client: of_client })
    }
}

impl Clients {
    /// A place among the client's own; nothing is counted of those without a limit.
    fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Option<ClientPlace>> {
        if self.most == 0 || self.trusted.iter().any(|network| network.contains(peer)) {
            return Some(None);
        }
        let key = client_key(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Some(ClientPlace { clients: Arc::clone(self), key }))
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let mut open = self.clients.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(most: usize) -> Places {
        Places::new(&Config {
            max_client_connections: most,
            trusted_proxies: vec!["10.0.0.0/8".to_owned().try_into().unwrap()],
            ..Config::default()
        })
    }

    async fn take(places: &Places, peer: &str) -> Option<Place> {
        places.take(places.free().await, peer.parse().unwrap())
    }

    #[tokio::test]
    async fn a_client_has_so_many_and_gets_them_back() {
        let places = places(2);
        let first = take(&places, "1.1.1.1").await.unwrap();
        let _second = take(&places, "::ffff:1.1.1.1").await.unwrap();
        assert!(take(&places, "1.1.1.1").await.is_none());
        assert!(take(&places, "1.1.1.2").await.is_some());
        drop(first);
        assert!(take(&places, "1.1.1.1").await.is_some());
    }

    #[tokio::test]
    async fn nothing_is_kept_of_those_who_left() {
        let places = places(2);
        for last in 0..100 {
            let open = [(); 3].map(|()| async { take(&places, &format!("1.1.1.{last}")).await });
            drop(futures::future::join_all(open).await);
        }
        assert!(places.clients.open.lock().unwrap().is_empty());
        assert_eq!(places.all.available_permits(), Config::default().max_connections);
    }

    #[tokio::test]
    async fn proxies_are_not_counted_and_no_limit_is_none() {
        let (capped, open) = (places(1), places(0));
        let _many = futures::future::join_all((0..5).map(|_| async {
            let proxy = take(&capped, "10.1.2.3").await.unwrap();
            (proxy, take(&open, "1.1.1.1").await.unwrap())
        }))
        .await;
        assert!(capped.clients.open.lock().unwrap().is_empty());
    }
}
