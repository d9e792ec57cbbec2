//! The address of a request: the other end of the connection, or the client that a trusted proxy names.
//!
//! A proxy appends the address that it sees to a list that anybody may have begun. So the list is read from its end,
//! for as long as trusted proxies wrote the entries. Entries before the first stranger's are that stranger's own claim.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{Extensions, HeaderMap, HeaderName, header::FORWARDED};

use crate::config::Networks;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The address of a request's client; kept in the request's extensions, and in the engine's copy of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The address of a request; an unspecified one if nobody noted it.
    pub fn of(extensions: &Extensions) -> IpAddr {
        let address = extensions.get::<Self>();
        address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0)
    }
}

/// Whether the client's side of the way is encrypted; kept in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secure(pub bool);

/// The trusted proxies, which may say who the client is.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    trusted: Networks,
}

impl Proxies {
    /// Trusts these networks and nobody else.
    pub fn new(trusted: Networks) -> Self {
        Self { trusted }
    }

    /// Whether the other end of a connection is a trusted proxy.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted.contain(peer)
    }

    /// The client of a request.
    ///
    /// A proxy that writes one of the two headers passes on a client's version of the other. If both are there and
    /// differ, one is forged and nobody can say which, so the request counts as the proxy's own.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return ClientAddress(peer);
        }
        let listed = |list: Vec<Option<IpAddr>>| (!list.is_empty()).then(|| self.last(peer, &list));
        let client = match (listed(x_forwarded_for(headers)), listed(forwarded(headers))) {
            (Some(one), Some(other)) if one != other => peer,
            (Some(client), _) | (None, Some(client)) => client,
            (None, None) => peer,
        };
        ClientAddress(client)
    }

    /// The last entry that is no trusted proxy. An unreadable entry ends the list: nobody knows who is behind it.
    fn last(&self, peer: IpAddr, list: &[Option<IpAddr>]) -> IpAddr {
        let mut last = peer;
        for address in list.iter().rev() {
            let Some(address) = address else { break };
            last = *address;
            if !self.trusts(last) {
                break;
            }
        }
        last
    }

    /// Whether the client's side is encrypted, as the nearest proxy says, if there is one.
    pub fn secure(&self, peer: IpAddr, headers: &HeaderMap, encrypted: bool) -> Secure {
        let said = headers.get_all(X_FORWARDED_PROTO).iter().next_back();
        let said = said
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.rsplit(',').next())
            .map(str::trim);
        Secure(match said {
            Some(scheme) if self.trusts(peer) => {
                scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss")
            }
            _ => encrypted,
        })
    }
}

/// The headers that hold addresses of clients and nothing else.
const CLIENT: [&str; 13] = [
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded-for",
    "x-azure-clientip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-original-forwarded-for",
    "x-proxyuser-ip",
];

/// Every client that proxies name in a request, in any of the headers; `None` for an entry that is no address.
pub fn forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let plain = CLIENT.map(HeaderName::from_static);
    let plain = plain.iter().flat_map(|name| addresses(headers, name));
    let mut clients = x_forwarded_for(headers);
    clients.extend(forwarded(headers));
    clients.extend(plain);
    clients
}

/// The entries of all `X-Forwarded-For` headers in order; `None` for one that is no address.
fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    addresses(headers, &X_FORWARDED_FOR).collect()
}

fn addresses(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = Option<IpAddr>> {
    entries(headers, name).map(|entry| entry.and_then(|e| address(&e)))
}

/// The `for=` of all `Forwarded` headers in order.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let of = |entry: String| {
        let pair = entry
            .split(';')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| key.trim().eq_ignore_ascii_case("for"))?;
        address(pair.1.trim().trim_matches('"'))
    };
    entries(headers, &FORWARDED)
        .map(|entry| entry.and_then(of))
        .collect()
}

/// The entries of a header. One that isn't text gives an unreadable entry, so that the one before it doesn't count as
/// the last.
fn entries(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = Option<String>> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| match value.to_str() {
            Ok(text) => text.split(',').map(|e| Some(e.trim().to_owned())).collect(),
            Err(_) => vec![None],
        })
}

/// An address, perhaps with a port behind it.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let found = bare
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    found.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    type Lines<'a> = &'a [(&'static str, &'a str)];

    fn headers(lines: Lines<'_>) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                (HeaderName::from_static(name), value)
            })
            .collect()
    }

    #[test]
    fn nobody_can_choose_their_own_address() {
        let proxies = Proxies::new("10.0.0.0/8,192.0.2.1".parse().unwrap());
        let xff = "x-forwarded-for";
        let table: &[(&str, Lines<'_>, &str)] = &[
            ("203.0.113.9", &[], "203.0.113.9"),
            ("203.0.113.9", &[(xff, "1.2.3.4")], "203.0.113.9"),
            (
                "203.0.113.9",
                &[("forwarded", "for=1.2.3.4")],
                "203.0.113.9",
            ),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[(xff, "198.51.100.7")], "198.51.100.7"),
            (
                "10.0.0.1",
                &[(xff, "1.2.3.4, 198.51.100.7")],
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                &[(xff, "1.2.3.4, 198.51.100.7, 10.0.0.2")],
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                &[(xff, "1.2.3.4"), (xff, "198.51.100.7")],
                "198.51.100.7",
            ),
            ("10.0.0.1", &[(xff, "10.9.9.9, 192.0.2.1")], "10.9.9.9"),
            ("10.0.0.1", &[(xff, "198.51.100.7:4711")], "198.51.100.7"),
            ("10.0.0.1", &[(xff, "[2001:db8::7]:4711")], "2001:db8::7"),
            ("10.0.0.1", &[(xff, "2001:db8::7")], "2001:db8::7"),
            ("10.0.0.1", &[(xff, "::ffff:198.51.100.7")], "198.51.100.7"),
            ("::ffff:10.0.0.1", &[(xff, "198.51.100.7")], "198.51.100.7"),
            ("10.0.0.1", &[(xff, "1.2.3.4, nonsense")], "10.0.0.1"),
            (
                "10.0.0.1",
                &[(xff, "1.2.3.4, nonsense, 10.0.0.2")],
                "10.0.0.2",
            ),
            ("10.0.0.1", &[(xff, "")], "10.0.0.1"),
            ("10.0.0.1", &[(xff, "1.2.3.4,")], "10.0.0.1"),
            ("10.0.0.1", &[(xff, "1.2.3.4"), (xff, "\u{e9}")], "10.0.0.1"),
            (
                "10.0.0.1",
                &[("forwarded", "for=1.2.3.4, for=198.51.100.7;proto=https")],
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                &[("forwarded", "proto=https;For=\"[2001:db8::7]:80\"")],
                "2001:db8::7",
            ),
            ("10.0.0.1", &[("forwarded", "for=_hidden")], "10.0.0.1"),
            (
                "10.0.0.1",
                &[(xff, "198.51.100.7"), ("forwarded", "for=198.51.100.7")],
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                &[(xff, "198.51.100.7"), ("forwarded", "for=1.2.3.4")],
                "10.0.0.1",
            ),
        ];
        for (peer, lines, expected) in table {
            let client = proxies.client(peer.parse().unwrap(), &headers(lines));
            assert_eq!(
                client.0,
                expected.parse::<IpAddr>().unwrap(),
                "{peer} {lines:?}"
            );
        }
    }

    #[test]
    fn encryption_is_what_is_seen_or_what_a_trusted_proxy_saw() {
        let proxies = Proxies::new("10.0.0.1".parse().unwrap());
        let (proxy, stranger) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let said = |text| headers(&[("x-forwarded-proto", text)]);
        assert_eq!(proxies.secure(proxy, &said("https"), false), Secure(true));
        assert_eq!(
            proxies.secure(proxy, &said("https, http"), true),
            Secure(false)
        );
        assert_eq!(
            proxies.secure(stranger, &said("https"), false),
            Secure(false)
        );
        assert_eq!(proxies.secure(stranger, &said("http"), true), Secure(true));
        assert_eq!(proxies.secure(proxy, &headers(&[]), true), Secure(true));
    }
}
