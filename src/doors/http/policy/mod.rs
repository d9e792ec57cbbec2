//! Decides which requests are let in, before anything is made for them: by the host that they are sent to, the page
//! that they come from, and the proxies that they came through.
//!
//! Browsers ask before they let a page read a foreign answer (CORS), but not before a WebSocket, and a page may send a
//! request whose answer it can't read. So host and origin are checked here, for every door. Programs other than
//! browsers can write any header: the check protects people's browsers, and doesn't prove who a client is.

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

use super::page;
use crate::{error::Error, net::Secure, observe::Metrics};
use hosts::HostFault;
pub use hosts::Hosts;
pub use origins::Origins;
use origins::{ForeignPage, Sender};
pub use proxied::ProxiedRequests;
use told::Told;

/// The policy for requests.
#[derive(Debug, Clone)]
pub struct RequestPolicy {
    /// The names that the server answers to.
    pub hosts: Hosts,
    /// The pages that may come in.
    pub origins: Origins,
    /// Whether proxies may send requests.
    pub proxied: ProxiedRequests,
}

/// The state of the middleware.
#[derive(Debug, Clone)]
pub(super) struct Checks {
    policy: RequestPolicy,
    /// Counts every refusal.
    metrics: Arc<Metrics>,
    /// Logs refused names.
    told: Arc<Told>,
}

impl Checks {
    pub(super) fn new(policy: RequestPolicy, metrics: Arc<Metrics>) -> Self {
        Self {
            policy,
            metrics,
            told: Arc::default(),
        }
    }
}

/// The kind of place that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// The page and its files, which are public.
    Page,
    /// Liveness and readiness, which load balancers and supervisors ask from anywhere.
    Probe,
    /// Everything that reads or changes data.
    Data,
    /// Data over something that stays open.
    Session,
}

impl Door {
    fn of(path: &str) -> Self {
        match path {
            "/api/v1/stream" | "/api/v1/ws" => Self::Session,
            "/healthz" | "/readyz" => Self::Probe,
            "/metrics" => Self::Data,
            path if ["/socket.io", "/api/stream/", "/ws/"]
                .iter()
                .any(|session| path.starts_with(session)) =>
            {
                Self::Session
            }
            path if page::is_own(path) => Self::Page,
            // A door that nobody thought of here is guarded, too.
            _ => Self::Data,
        }
    }

    fn is_guarded(self) -> bool {
        matches!(self, Self::Data | Self::Session)
    }
}

/// Lets a request in, with its [`PageOrigin`](crate::access::authn::PageOrigin) in its extensions, or answers with a
/// refusal.
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

/// Whether all readers agree on where the body ends. The library takes everything that ends with `chunked` for chunked,
/// and would pass on a body that is still encoded.
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

/// A refusal that closes the connection, since its next bytes could be read in two ways.
fn last_answer(status: StatusCode, refusal: Error) -> Response {
    let mut response = refusal.into_response();
    *response.status_mut() = status;
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

impl ForeignPage {
    /// The label of the counter.
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
    use crate::doors::http::nowhere::PATHS;

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
            ("/operator", Door::Page),
            ("/operator/", Door::Page),
            ("/assets", Door::Data),
            ("/operators", Door::Data),
            ("/hooks/claude", Door::Data),
            ("/v1/traces", Door::Data),
            ("/a/door/of/tomorrow", Door::Data),
        ];
        for (path, door) in table {
            assert_eq!(Door::of(path), door, "{path}");
        }
        let open = PATHS.iter().filter(|path| !Door::of(path).is_guarded());
        let open: Vec<_> = open.copied().collect();
        assert_eq!(open, ["/healthz", "/readyz", "/operator"]);
    }
}
