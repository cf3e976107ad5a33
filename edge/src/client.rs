//! Whose request it is: the address of the connection, or what a trusted proxy says.

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use serde::Deserialize;
use std::net::IpAddr;

/// The header in which proxies note the address they got a request from.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Addresses with a common prefix, written `10.0.0.0/8` or as a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(pub(crate) IpNet);

impl TryFrom<String> for Network {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address)),
            Err(_) => text.parse(),
        };
        network.map(Self).map_err(|_| "expected an address or a network such as 10.0.0.0/8")
    }
}

/// The client behind `peer`. Each trusted proxy vouches for the address it notes, so the list is walked from its end
/// to the first address that is not trusted; what stands before it is the client's own claim.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let mut client = peer.to_canonical();
    if !is_trusted(client, trusted) {
        return client;
    }
    let lines = headers.get_all(FORWARDED_FOR).into_iter().rev();
    let noted = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(','));
    for text in noted {
        let Ok(address) = text.trim().parse::<IpAddr>() else { break };
        client = address.to_canonical();
        if !is_trusted(client, trusted) {
            break;
        }
    }
    client
}

/// Whether `address` is that of a trusted proxy.
pub fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.0.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.to_owned().try_into().unwrap()
    }

    fn of(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| network(text)).collect();
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        for (peer, forwarded, trusted, want) in [
            ("10.0.0.1", &["1.1.1.1"][..], &[][..], "10.0.0.1"),
            ("10.0.0.1", &[], &["10.0.0.0/8"], "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1"], &["10.0.0.0/8"], "1.1.1.1"),
            ("10.0.0.1", &["9.9.9.9, 1.1.1.1, 10.2.3.4"], &["10.0.0.0/8"], "1.1.1.1"),
            ("10.0.0.1", &["9.9.9.9", "1.1.1.1"], &["10.0.0.1"], "1.1.1.1"),
            ("10.0.0.1", &["1.1.1.1, nonsense"], &["10.0.0.0/8"], "10.0.0.1"),
            ("11.0.0.1", &["1.1.1.1"], &["10.0.0.0/8"], "11.0.0.1"),
            ("::ffff:10.0.0.1", &["2001:db8::7"], &["10.0.0.0/8"], "2001:db8::7"),
            ("2001:db8::1", &["1.1.1.1"], &["2001:db8::/32"], "1.1.1.1"),
            ("8.8.8.8", &["1.1.1.1"], &["0.0.0.0/0"], "1.1.1.1"),
        ] {
            assert_eq!(of(peer, forwarded, trusted), want, "{peer} {forwarded:?} {trusted:?}");
        }
    }

    #[test]
    fn malformed_networks_are_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "a", "1.1.1.1/", "1.1.1.1/-1"] {
            assert!(Network::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }
}
