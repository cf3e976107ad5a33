//! Limits the connections of one peer.

use crate::limits::Limits;
use ipnet::IpNet;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts the connections of each peer; a peer without connections has no entry.
pub struct PeerLimit {
    open: Mutex<HashMap<u128, usize>>,
    max: usize,
    proxies: Vec<IpNet>,
}

/// Allows a peer one connection, until it is dropped.
pub struct PeerPermit {
    /// None where nothing is counted.
    counted: Option<(Arc<PeerLimit>, u128)>,
}

impl PeerLimit {
    /// Nothing is open yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            open: Mutex::default(),
            max: limits.max_peer_connections,
            proxies: limits.proxies.clone(),
        }
    }

    /// Counts one more connection of `peer`; none when it has as many as a peer may have.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<PeerPermit> {
        let peer = peer.to_canonical();
        if self.max == 0 || self.proxies.iter().any(|network| network.contains(&peer)) {
            return Some(PeerPermit { counted: None });
        }
        let key = peer_key(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(PeerPermit { counted: Some((Arc::clone(self), key)) })
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
        let Some((limit, key)) = &self.counted else { return };
        let mut open = limit.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                open.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(max: usize) -> Arc<PeerLimit> {
        Arc::new(PeerLimit::new(&Limits {
            max_peer_connections: max,
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Limits::default()
        }))
    }

    fn connect(limit: &Arc<PeerLimit>, peer: &str) -> Option<PeerPermit> {
        limit.admit(peer.parse().unwrap())
    }

    #[test]
    fn a_peer_has_so_many_and_gets_them_back() {
        let limit = limit(2);
        let first = connect(&limit, "1.1.1.1").unwrap();
        let _second = connect(&limit, "::ffff:1.1.1.1").unwrap();
        assert!(connect(&limit, "1.1.1.1").is_none());
        assert!(connect(&limit, "1.1.1.2").is_some());
        drop(first);
        assert!(connect(&limit, "1.1.1.1").is_some());
    }

    #[test]
    fn nothing_is_kept_of_those_who_left() {
        let limit = limit(2);
        for last in 0..100 {
            let peer = format!("1.1.1.{last}");
            drop([(); 3].map(|()| connect(&limit, &peer)));
        }
        assert!(limit.open.lock().unwrap().is_empty());
    }

    #[test]
    fn proxies_are_not_counted_and_no_limit_is_none() {
        let (capped, open) = (limit(1), limit(0));
        let _many = [(); 5].map(|()| {
            let proxy = connect(&capped, "10.1.2.3").unwrap();
            (proxy, connect(&open, "1.1.1.1").unwrap())
        });
        assert!(capped.open.lock().unwrap().is_empty());
    }

    #[test]
    fn neighbours_of_one_network_count_together() {
        let key = |text: &str| peer_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("1.1.1.1"), key("1.1.1.2"));
    }
}
