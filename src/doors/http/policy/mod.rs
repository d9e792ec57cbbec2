//! The requests that are let in at all, before anything is made for them: by the host that they are sent to, the page that
//! they come from, and the proxies that they came through.
//!
//! Browsers ask before they let a page read a foreign answer (CORS), but not before a WebSocket, and a page may send a
//! request whose answer it can't read. So host and origin are looked at here, for every door. Programs that are no
//! browsers can write any header: this protects people's browsers, it does not prove who somebody is.

mod hosts;
mod origins;
mod proxied;
mod told;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONNECTION, TRANSFER_ENCODING},
};

use crate::{error::Error, net::Secure, observe::Metrics};
use hosts::HostFault;
pub use hosts::Hosts;
pub use origins::Origins;
use origins::{ForeignPage, Sender};
pub use proxied::ProxiedRequests;
use told::Told;

/// The rules for what is let in.
#[derive(Debug, Clone)]
pub struct RequestPolicy {
    /// The names that the server answers to.
    pub hosts: Hosts,
    /// The pages that may come in.
    pub origins: Origins,
    /// Whether proxies may.
    pub proxied: ProxiedRequests,
}

/// The state of the middleware.
#[derive(Debug, Clone)]
pub(super) struct Checks {
    /// The rules.
    policy: RequestPolicy,
    /// Every refused request is counted.
    metrics: Arc<Metrics>,
    /// The log tells the names that are refused.
    told: Arc<Told>,
}

impl Checks {
    /// Checks by these rules.
    pub(super) fn new(policy: RequestPolicy, metrics: Arc<Metrics>) -> Self {
        Self {
            policy,
            metrics,
            told: Arc::default(),
        }
    }
}

/// The kind of place that a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// The page and its files, which hold nothing of anybody.
    Page,
    /// Liveness and readiness: load balancers and supervisors ask from anywhere.
    Probe,
    /// Everything that tells or changes something.
    Data,
    /// The same, where something stays open.
    Session,
}

impl Door {
    fn of(path: &str) -> Self {
        match path {
            "/api/v1/stream" => Self::Session,
            "/healthz" | "/readyz" => Self::Probe,
            "/metrics" => Self::Data,
            path if path.starts_with("/socket.io") => Self::Session,
            path if path.starts_with("/api/") => Self::Data,
            _ => Self::Page,
        }
    }

    fn is_guarded(self) -> bool {
        matches!(self, Self::Data | Self::Session)
    }
}

/// Lets a request in, with its [`PageOrigin`](crate::access::authn::PageOrigin) in its extensions, or answers it.
pub(super) async fn check(
    State(checks): State<Checks>,
    mut request: Request<Body>,
    next: Next,
) -> Response {
    if !framing_is_clear(request.headers()) {
        checks.metrics.refused("http", "transfer_encoding");
        let refusal =
            Error::bad_request("the only Transfer-Encoding that is understood is chunked");
        return last_answer(StatusCode::NOT_IMPLEMENTED, refusal);
    }
    let policy = &checks.policy;
    let host = policy
        .hosts
        .check(request.uri(), request.headers(), request.version());
    let host = match host {
        Ok(host) => host,
        Err(fault) => {
            checks.metrics.refused("host", fault.reason());
            if let HostFault::Unknown(host) = &fault {
                checks.told.host(host);
            }
            return wrong_host(fault);
        }
    };
    let door = Door::of(request.uri().path());
    if door != Door::Probe
        && let Some(mark) = policy.proxied.refuse(request.headers())
    {
        checks.metrics.refused("proxy", "unauthenticated");
        policy.proxied.warn(mark);
        return Error::forbidden(format!(
            "this request came through a proxy ({mark}), and the server asks nobody for a token: set [authentication] \
             required, or [server] allow_insecure if everybody behind the proxy may publish and watch"
        ))
        .into_response();
    }
    if door.is_guarded() {
        let secure = request.extensions().get::<Secure>().is_some_and(|s| s.0);
        let sender = Sender {
            method: request.method(),
            headers: request.headers(),
            host: host.as_ref(),
            secure,
            is_session: door == Door::Session,
        };
        match policy.origins.check(&sender) {
            Ok(page) => {
                request.extensions_mut().insert(page);
            }
            Err(foreign) => {
                checks.metrics.refused("origin", foreign.reason());
                checks.told.page(request.headers());
                return Error::forbidden(foreign.message()).into_response();
            }
        }
    }
    next.run(request).await
}

/// Whether everybody agrees on where the body ends. The library takes whatever ends with `chunked` for chunked, and would
/// hand on a body that is still encoded.
fn framing_is_clear(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

fn wrong_host(fault: HostFault) -> Response {
    let message = match fault {
        HostFault::Missing => "the request names no Host".to_owned(),
        HostFault::Double => "the request names more than one Host".to_owned(),
        HostFault::Malformed => "the request's Host is no host".to_owned(),
        HostFault::Unknown(host) => {
            return Error::forbidden(format!(
                "this server does not answer to the name {host:?}: reach it by an IP address or as localhost, or add the \
                 name to [server] hosts"
            ))
            .into_response();
        }
    };
    last_answer(StatusCode::BAD_REQUEST, Error::bad_request(message))
}

/// Nothing more is read from a connection on which requests can be read in two ways.
fn last_answer(status: StatusCode, refusal: Error) -> Response {
    let mut response = refusal.into_response();
    *response.status_mut() = status;
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

impl ForeignPage {
    /// Its name among the counters.
    fn reason(self) -> &'static str {
        self.into()
    }

    fn message(self) -> &'static str {
        match self {
            Self::Foreign => {
                "pages of this origin may not connect: add it to [server] cors_allowed_origins"
            }
            Self::Missing => {
                "only web pages may connect: an Origin is needed ([server] require_origin)"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_chunked_bodies_are_read() {
        let clear = |codings: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(TRANSFER_ENCODING, HeaderValue::from_static(coding));
            }
            framing_is_clear(&headers)
        };
        assert!(clear(&[]) && clear(&["chunked"]) && clear(&["Chunked "]));
        for odd in ["gzip, chunked", "chunked, chunked", "identity", "", "x"] {
            assert!(!clear(&[odd]), "{odd}");
        }
        assert!(!clear(&["chunked", "chunked"]) && !clear(&["gzip", "chunked"]));
    }

    #[test]
    fn every_path_has_its_door() {
        let table = [
            ("/", Door::Page),
            ("/assets/a.js", Door::Page),
            ("/healthz", Door::Probe),
            ("/readyz", Door::Probe),
            ("/metrics", Door::Data),
            ("/api/v1/events", Door::Data),
            ("/api/health/current", Door::Data),
            ("/api/v1/stream", Door::Session),
            ("/socket.io/", Door::Session),
            ("/socket.io", Door::Session),
        ];
        for (path, door) in table {
            assert_eq!(Door::of(path), door, "{path}");
        }
    }
}
