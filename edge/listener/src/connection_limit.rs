//! Limits on connections: altogether, and of one peer.

use crate::limits::Limits;
use ipnet::IpNet;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts the connections of one listener.
pub struct ConnectionLimit {
    all: Arc<Semaphore>,
    peers: Arc<Peers>,
}

/// How many connections each peer has; a peer without connections has no entry.
struct Peers {
    open: Mutex<HashMap<u128, usize>>,
    max: usize,
    proxies: Vec<IpNet>,
}

/// Allows one connection, until it is dropped.
pub struct ConnectionPermit {
    _of_all: OwnedSemaphorePermit,
    _of_peer: Option<PeerPermit>,
}

struct PeerPermit {
    peers: Arc<Peers>,
    key: u128,
}

impl ConnectionLimit {
    /// Nothing is open yet.
    pub fn new(limits: &Limits) -> Self {
        let peers = Peers {
            open: Mutex::default(),
            max: limits.max_peer_connections,
            proxies: limits.proxies.clone(),
        };
        let all = Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS));
        Self { all: Arc::new(all), peers: Arc::new(peers) }
    }

    /// Waits until another connection is allowed. Peers that connect meanwhile wait in the kernel's queue.
    pub async fn wait_for_place(&self) -> Option<OwnedSemaphorePermit> {
        // Fails only on a closed semaphore, and this one is never closed.
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Gives the place that was waited for to `peer`; none when it has as many connections as a peer may have.
    pub fn admit(
        &self,
        free: Option<OwnedSemaphorePermit>,
        peer: IpAddr,
    ) -> Option<ConnectionPermit> {
        let of_peer = self.peers.admit(peer.to_canonical())?;
        Some(ConnectionPermit { _of_all: free?, _of_peer: of_peer })
    }
}

impl Peers {
    /// Counts one more connection of `peer`; where there is no limit nothing is counted.
    fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Option<PeerPermit>> {
        if self.max == 0 || self.proxies.iter().any(|network| network.contains(&peer)) {
            return Some(None);
        }
        let key = peer_key(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Some(PeerPermit { peers: Arc::clone(self), key }))
    }
}

/// What a peer is counted by: its address, or of IPv6 the /64 network, which is what one customer of a provider has.
pub const fn peer_key(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits() as u128,
        IpAddr::V6(address) => (address.to_bits() >> 64) << 64 | 1 << 63,
    }
}

impl Drop for PeerPermit {
    fn drop(&mut self) {
        let mut open = self.peers.open.lock().unwrap_or_else(PoisonError::into_inner);
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

    fn limit(max: usize) -> ConnectionLimit {
        ConnectionLimit::new(&Limits {
            max_peer_connections: max,
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Limits::default()
        })
    }

    async fn connect(limit: &ConnectionLimit, peer: &str) -> Option<ConnectionPermit> {
        limit.admit(limit.wait_for_place().await, peer.parse().unwrap())
    }

    #[tokio::test]
    async fn a_peer_has_so_many_and_gets_them_back() {
        let limit = limit(2);
        let first = connect(&limit, "1.1.1.1").await.unwrap();
        let _second = connect(&limit, "::ffff:1.1.1.1").await.unwrap();
        assert!(connect(&limit, "1.1.1.1").await.is_none());
        assert!(connect(&limit, "1.1.1.2").await.is_some());
        drop(first);
        assert!(connect(&limit, "1.1.1.1").await.is_some());
    }

    #[tokio::test]
    async fn nothing_is_kept_of_those_who_left() {
        let limit = limit(2);
        for last in 0..100 {
            let peer = format!("1.1.1.{last}");
            let open = [(); 3].map(|()| connect(&limit, &peer));
            drop(futures::future::join_all(open).await);
        }
        assert!(limit.peers.open.lock().unwrap().is_empty());
        assert_eq!(limit.all.available_permits(), Limits::default().max_connections);
    }

    #[tokio::test]
    async fn proxies_are_not_counted_and_no_limit_is_none() {
        let (capped, open) = (limit(1), limit(0));
        let _many = futures::future::join_all((0..5).map(|_| async {
            let proxy = connect(&capped, "10.1.2.3").await.unwrap();
            (proxy, connect(&open, "1.1.1.1").await.unwrap())
        }))
        .await;
        assert!(capped.peers.open.lock().unwrap().is_empty());
    }

    #[test]
    fn neighbours_of_one_network_count_together() {
        let key = |text: &str| peer_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("1.1.1.1"), key("1.1.1.2"));
    }
}
