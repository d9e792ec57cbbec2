//! The hosts that the server answers to.
//!
//! A page may point its own name to this machine (DNS rebinding). The browser then takes the server for the page's own
//! and lets the page read everything; only the name in `Host` still differs. An IP address and a loopback name can't be
//! pointed elsewhere, so they need not be listed.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, Uri, Version, header::HOST, uri};
use strum::IntoStaticStr;

/// Characters of a foreign host that a refusal quotes.
const SHOWN: usize = 80;

/// The host names that requests may be sent to.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// Whether `*` is among them.
    any: bool,
    /// Whole names, in lower case.
    names: Arc<[String]>,
    /// `.example` for `*.example`.
    suffixes: Arc<[String]>,
}

/// A host as a request or an origin names it: in lower case, without the dot that may end a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    /// A name, or an address; IPv6 in brackets.
    pub(super) host: String,
    /// The port, where one is given.
    pub(super) port: Option<u16>,
}

/// The reason why a request's host is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(super) enum HostFault {
    /// No host was given, which HTTP/1.1 demands.
    Missing,
    /// There are two hosts, and two readers could take a different one each.
    Double,
    /// The text is no host.
    Malformed,
    /// The host is not one of the server's.
    Unknown(String),
}

impl Authority {
    /// Reads `host` or `host:port`. A user name is refused.
    pub(super) fn read(text: &str) -> Option<Self> {
        let authority: uri::Authority = text.parse().ok()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let host = authority.host();
        let port = match authority.as_str().get(host.len()..)? {
            "" | ":" => None,
            // Only a port may follow the host: `[::1].evil.test` is no address.
            port => {
                let digits = port.strip_prefix(':')?;
                let only = digits.bytes().all(|byte| byte.is_ascii_digit());
                Some(digits.parse().ok().filter(|_| only)?)
            }
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        (!host.is_empty()).then(|| Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    fn address(&self) -> Option<IpAddr> {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
    }

    /// Whether the host is this machine, by any name or address, as browsers see it.
    pub(super) fn is_loopback(&self) -> bool {
        self.is_loopback_name() || self.address().is_some_and(|ip| ip.is_loopback())
    }

    fn is_loopback_name(&self) -> bool {
        self.host == "localhost" || self.host.ends_with(".localhost")
    }
}

impl Hosts {
    /// Accepts the listed hosts, and the name that the server listens on.
    pub fn new(listed: &[String], listens_on: &str) -> Self {
        let lower = |name: &str| name.to_ascii_lowercase();
        let suffix = |name: &String| name.strip_prefix('*').map(lower);
        let suffixes = listed.iter().filter_map(suffix).filter(|s| !s.is_empty());
        let names = listed.iter().filter(|name| !name.starts_with('*'));
        Self {
            any: listed.iter().any(|name| name == "*"),
            suffixes: suffixes.collect(),
            names: names
                .map(|name| lower(name))
                .chain([lower(listens_on)])
                .collect(),
        }
    }

    fn accept(&self, host: &Authority) -> bool {
        self.any
            || host.address().is_some()
            || host.is_loopback_name()
            || self.names.contains(&host.host)
            || self
                .suffixes
                .iter()
                .any(|s| host.host.ends_with(s.as_str()))
    }

    /// The host that a request is sent to. A host in the request's target counts first, as HTTP says, but `Host` must
    /// be right as well. HTTP/1.0 requests need not name any.
    pub(super) fn check(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        version: Version,
    ) -> Result<Option<Authority>, HostFault> {
        let mut given = headers.get_all(HOST).iter();
        let named = match (given.next(), given.next()) {
            (None, _) if version <= Version::HTTP_10 => None,
            (None, _) => return Err(HostFault::Missing),
            (Some(_), Some(_)) => return Err(HostFault::Double),
            (Some(host), None) if host.is_empty() => return Err(HostFault::Missing),
            (Some(host), None) => Some(host.to_str().ok().and_then(Authority::read)),
        };
        let target = uri
            .authority()
            .map(|target| Authority::read(target.as_str()));
        let mut host = None;
        for named in [named, target].into_iter().flatten() {
            let named = named.ok_or(HostFault::Malformed)?;
            if !self.accept(&named) {
                let shown = named.host.chars().take(SHOWN).collect();
                return Err(HostFault::Unknown(shown));
            }
            host = Some(named);
        }
        Ok(host)
    }
}

impl HostFault {
    /// The label of the counter.
    pub(super) fn reason(&self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn checked(
        hosts: &Hosts,
        target: &str,
        lines: &[&str],
    ) -> Result<Option<Authority>, HostFault> {
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = HeaderValue::from_str(line).unwrap();
            headers.append(HeaderName::from_static("host"), value);
        }
        hosts.check(&target.parse().unwrap(), &headers, Version::HTTP_11)
    }

    #[test]
    fn addresses_loopback_names_and_listed_names_are_accepted() {
        let listed = ["stoa.example".to_owned(), "*.apps.example".to_owned()];
        let hosts = Hosts::new(&listed, "Nimbus.lan");
        let table = [
            ("localhost", true),
            ("LocalHost:8000", true),
            ("localhost.:8000", true),
            ("a.b.localhost", true),
            ("127.0.0.1:8000", true),
            ("192.168.1.7", true),
            ("[::1]:8000", true),
            ("[2001:db8::7]", true),
            ("stoa.example", true),
            ("STOA.example.:443", true),
            ("one.apps.example:1", true),
            ("two.one.apps.example", true),
            ("nimbus.lan", true),
            ("apps.example", false),
            ("oneapps.example", false),
            ("sub.stoa.example", false),
            ("evil.test:8000", false),
            ("localhost.evil.test", false),
            ("evillocalhost", false),
            ("127.0.0.1.evil.test", false),
            ("1.2.3.4.5", false),
        ];
        for (host, accepted) in table {
            assert_eq!(checked(&hosts, "/", &[host]).is_ok(), accepted, "{host}");
        }
        let any = Hosts::new(&["*".to_owned()], "127.0.0.1");
        assert!(checked(&any, "/", &["evil.test"]).is_ok());
    }

    #[test]
    fn a_host_is_there_once_and_is_one() {
        let hosts = Hosts::new(&[], "127.0.0.1");
        let fault = |lines: &[&str]| checked(&hosts, "/", lines).unwrap_err();
        assert_eq!(fault(&[]), HostFault::Missing);
        assert_eq!(fault(&[""]), HostFault::Missing);
        assert_eq!(fault(&["localhost", "localhost"]), HostFault::Double);
        for odd in [
            "a b",
            "me@localhost",
            "localhost:99999",
            "localhost:x",
            "localhost:+80",
            "[::1]evil.test",
            "[::1].evil.test:80",
            ".",
            "/",
        ] {
            assert_eq!(fault(&[odd]), HostFault::Malformed, "{odd}");
        }
        let none = hosts.check(&Uri::from_static("/"), &HeaderMap::new(), Version::HTTP_10);
        assert_eq!(none, Ok(None));
    }

    #[test]
    fn a_target_that_names_a_host_counts_and_both_must_be_right() {
        let hosts = Hosts::new(&[], "127.0.0.1");
        let of = |target: &str, host: &str| checked(&hosts, target, &[host]);
        let here = of("http://localhost:8000/x", "127.0.0.1").unwrap().unwrap();
        assert_eq!((here.host.as_str(), here.port), ("localhost", Some(8000)));
        for (target, host) in [
            ("http://evil.test/x", "localhost"),
            ("http://localhost/x", "evil.test"),
            ("evil.test:443", "localhost"),
        ] {
            let fault = of(target, host).unwrap_err();
            assert_eq!(fault, HostFault::Unknown("evil.test".into()), "{target}");
        }
    }

    proptest::proptest! {
        /// Any text in `Host` is read, gives the same when it is read again, and is accepted only if it is known.
        #[test]
        fn any_host_is_read_safely(text in "\\PC{0,40}|[a-z0-9.:\\[\\]@-]{0,40}(localhost|127\\.0\\.0\\.1)?[.:a-z0-9]{0,8}") {
            let hosts = Hosts::new(&["stoa.example".to_owned()], "127.0.0.1");
            if let Some(host) = Authority::read(&text) {
                let port = host.port.map_or(String::new(), |port| format!(":{port}"));
                let again = Authority::read(&format!("{}{port}", host.host));
                // A name may end with more than one dot; each reading removes one.
                proptest::prop_assert!(again.as_ref() == Some(&host) || host.host.ends_with('.'));
                let name = host.host.as_str();
                let known = name == "localhost" || name.ends_with(".localhost") || name == "stoa.example";
                let bare = name.trim_start_matches('[').trim_end_matches(']');
                proptest::prop_assert_eq!(hosts.accept(&host), known || bare.parse::<IpAddr>().is_ok());
            }
        }
    }
}
