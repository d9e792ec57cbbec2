//! Requests that came through a proxy, while no token is required.
//!
//! Behind a proxy is usually the whole world. A server that requires no token listens on loopback, but a proxy on the
//! same machine makes it public all the same. So the server refuses such requests, and says why.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::HeaderMap;

use crate::net::forwarded_for;

/// Headers that only proxies add.
const MARKS: [&str; 27] = [
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "via",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "cdn-loop",
    "client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded-for",
    "x-azure-clientip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-forwarded",
    "x-forwarded-by",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-scheme",
    "x-forwarded-ssl",
    "x-original-forwarded-for",
    "x-original-host",
    "x-proxyuser-ip",
];

/// The least time between two log lines about a proxy.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Refuses requests that came through a proxy.
#[derive(Debug, Clone, Default)]
pub struct ProxiedRequests {
    /// Whether they are refused at all.
    refused: bool,
    /// The time of the last log line.
    told: Arc<Mutex<Option<Instant>>>,
}

impl ProxiedRequests {
    /// Refuses such requests, or lets them pass.
    pub fn refused(refused: bool) -> Self {
        Self {
            refused,
            told: Arc::default(),
        }
    }

    /// The header that shows a proxy, if the request is to be refused. A development server's proxy on this machine
    /// names loopback clients only, and passes.
    pub(super) fn refuse(&self, headers: &HeaderMap) -> Option<&'static str> {
        if !self.refused {
            return None;
        }
        let mark = MARKS.iter().find(|mark| headers.contains_key(**mark))?;
        let clients = forwarded_for(headers);
        let of_this_machine = |ip: &Option<std::net::IpAddr>| ip.is_some_and(|ip| ip.is_loopback());
        let local = !clients.is_empty() && clients.iter().all(of_this_machine);
        (!local).then_some(*mark)
    }

    /// Logs a refusal, unless there was one just now.
    pub(super) fn warn(&self, mark: &str) {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|at| now.duration_since(at) < LOG_INTERVAL) {
            return;
        }
        *told = Some(now);
        drop(told);
        tracing::warn!(
            header = mark,
            "a request came through a proxy, and nobody is asked for a token: requests of proxies are refused. Set \
             [authentication] required and a secret, or [server] allow_insecure if all who reach the proxy may publish and watch"
        );
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_proxy_is_known_by_its_headers_and_a_local_one_passes() {
        let table: &[(&[(&'static str, &'static str)], bool)] = &[
            (&[], false),
            (&[("user-agent", "x")], false),
            (&[("x-forwarded-for", "203.0.113.9")], true),
            (&[("x-forwarded-for", "127.0.0.1, 203.0.113.9")], true),
            (&[("x-forwarded-for", "203.0.113.9, 127.0.0.1")], true),
            (&[("x-forwarded-for", "nonsense")], true),
            (&[("x-forwarded-for", "")], true),
            (&[("forwarded", "for=203.0.113.9")], true),
            (&[("forwarded", "for=_hidden")], true),
            (&[("forwarded", "proto=https")], true),
            (&[("x-real-ip", "203.0.113.9")], true),
            (
                &[("x-real-ip", "203.0.113.9"), ("x-forwarded-for", "::1")],
                true,
            ),
            (&[("via", "1.1 nginx")], true),
            (&[("x-forwarded-proto", "https")], true),
            (&[("x-forwarded-host", "stoa.example")], true),
            (&[("cf-connecting-ip", "203.0.113.9")], true),
            (&[("x-cluster-client-ip", "203.0.113.9")], true),
            (&[("x-forwarded-port", "443")], true),
            (&[("cdn-loop", "cloudflare")], true),
            (
                &[("fly-client-ip", "203.0.113.9"), ("x-forwarded-for", "::1")],
                true,
            ),
            (
                &[
                    ("x-forwarded-port", "5173"),
                    ("x-forwarded-for", "127.0.0.1"),
                ],
                false,
            ),
            (&[("x-forwarded-for", "127.0.0.1")], false),
            (&[("x-forwarded-for", "::ffff:127.0.0.1")], false),
            (
                &[
                    ("x-forwarded-for", "127.0.0.1:5173"),
                    ("x-forwarded-host", "localhost:5173"),
                ],
                false,
            ),
            (&[("forwarded", "for=\"[::1]:5173\";proto=http")], false),
            (
                &[
                    ("forwarded", "for=127.0.0.1"),
                    ("x-forwarded-for", "127.0.0.1"),
                ],
                false,
            ),
            (
                &[
                    ("forwarded", "for=203.0.113.9"),
                    ("x-forwarded-for", "127.0.0.1"),
                ],
                true,
            ),
        ];
        let (on, off) = (
            ProxiedRequests::refused(true),
            ProxiedRequests::refused(false),
        );
        for (lines, refused) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in *lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(on.refuse(&headers).is_some(), *refused, "{lines:?}");
            assert_eq!(off.refuse(&headers), None);
        }
    }
}
