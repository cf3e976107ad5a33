//! Where a request came from.

use crate::throttle::Client;
use ipnet::Ipv6Net;
use kit::rpc::caller::EDGE;
use std::net::IpAddr;
use tonic::Request;

/// The metadata in which the edge says from which address a request came. From anybody else it is not believed.
pub const CLIENT_ADDRESS: &str = "x-quickserve-client";

/// The client, as limits count it: an IPv4 address, or the /64 network of an IPv6 address, which is one customer's.
/// None when it is not known.
pub fn client_of<T>(request: &Request<T>) -> Client {
    let address = match kit::caller_of(request).service.as_deref() {
        Some(EDGE) => request.metadata().get(CLIENT_ADDRESS)?.to_str().ok()?.parse().ok()?,
        _ => request.remote_addr()?.ip(),
    };
    Some(network_of(address))
}

fn network_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, 64).trunc().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::Caller;

    fn told(service: Option<&str>, address: &str) -> Client {
        let mut request = Request::new(());
        request.extensions_mut().insert(Caller { service: service.map(Into::into), subject: None });
        request.metadata_mut().insert(CLIENT_ADDRESS, address.parse().unwrap());
        client_of(&request)
    }

    #[test]
    fn only_the_edge_is_believed() {
        assert_eq!(told(Some(EDGE), "192.0.2.7").as_deref(), Some("192.0.2.7"));
        assert_eq!(told(Some(EDGE), "::ffff:192.0.2.7").as_deref(), Some("192.0.2.7"));
        assert_eq!(told(Some(EDGE), "nowhere"), None);
        for service in [None, Some("order")] {
            assert_eq!(told(service, "192.0.2.7"), None);
        }
    }

    #[test]
    fn a_network_of_version_6_is_one_client() {
        let one = told(Some(EDGE), "2001:db8:1:2::1");
        assert_eq!(one.as_deref(), Some("2001:db8:1:2::/64"));
        assert_eq!(one, told(Some(EDGE), "2001:db8:1:2:ffff::9"));
        assert_ne!(one, told(Some(EDGE), "2001:db8:1:3::1"));
    }
}
