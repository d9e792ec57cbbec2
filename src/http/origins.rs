//! Which web pages may come in, by every door that a page can knock at.
//!
//! Browsers ask before they let a page read a foreign answer (CORS), but not before a WebSocket, and a page may send what
//! it can't read the answer of. So the origin is looked at here, before anything is made for the request. Programs that
//! are no browsers can write any origin: this protects people's browsers, it does not prove who somebody is.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use crate::{net::Secure, observe::Metrics, refusal::Refusal};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The pages that may come in.
#[derive(Debug, Clone)]
pub struct Origins {
    /// Whether `*` is among them.
    any: bool,
    /// The others.
    listed: Arc<[Origin]>,
    /// Whether a session needs an origin at all.
    required: bool,
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    /// A page over http is another than the same over https.
    scheme: String,
    /// In lower case, as browsers send it.
    host: String,
    /// None where it is the scheme's own.
    port: Option<u16>,
}

impl Origin {
    /// Reads what a browser sends or a configuration says. `null` is none.
    fn read(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        Self::of(&scheme.to_ascii_lowercase(), authority)
    }

    fn of(scheme: &str, authority: &str) -> Option<Self> {
        let authority: http::uri::Authority = authority.parse().ok()?;
        let usual = match scheme {
            "http" | "ws" => Some(80),
            "https" | "wss" => Some(443),
            _ => None,
        };
        // Whose name and password would these be? No browser sends them in an origin.
        (!authority.as_str().contains('@')).then(|| Self {
            scheme: scheme.to_owned(),
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().or(usual),
        })
    }
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Foreign {
    /// From a page of an origin that may not.
    Origin,
    /// From no page, where one is wanted.
    Missing,
}

impl Origins {
    /// Lets pages of these origins in, `*` for any.
    pub fn new(allowed: &[String], required: bool) -> Self {
        Self {
            any: allowed.iter().any(|origin| origin == "*"),
            listed: allowed.iter().filter_map(|o| Origin::read(o)).collect(),
            required,
        }
    }

    /// Whether pages of this origin may read answers.
    pub fn may_read(&self, origin: &HeaderValue) -> bool {
        let read = || Origin::read(origin.to_str().ok()?);
        self.any || read().is_some_and(|origin| self.listed.contains(&origin))
    }

    fn check(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        secure: bool,
        session: bool,
    ) -> Result<(), Foreign> {
        let mut given = headers.get_all(header::ORIGIN).iter();
        match (given.next(), given.next()) {
            (None, _) => {
                // Browsers don't send it with a GET to the page's own server; they say this instead.
                let own = headers
                    .get(SEC_FETCH_SITE)
                    .is_some_and(|v| v == "same-origin");
                if self.required && session && !own {
                    return Err(Foreign::Missing);
                }
                Ok(())
            }
            (Some(origin), None) if self.may_read(origin) => Ok(()),
            (Some(origin), None) if is_own(origin, uri, headers, secure) => Ok(()),
            _ => Err(Foreign::Origin),
        }
    }
}

/// Whether a page came from this server itself: the demo page needs no leave.
fn is_own(origin: &HeaderValue, uri: &Uri, headers: &HeaderMap, secure: bool) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|v| v.to_str().ok())
        .or_else(|| uri.authority().map(http::uri::Authority::as_str));
    let origin = origin.to_str().ok().and_then(Origin::read);
    let scheme = if secure { "https" } else { "http" };
    let here = host.and_then(|host| Origin::of(scheme, host));
    origin.is_some() && origin == here
}

/// What the gate needs.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    /// Which pages may come in.
    pub(super) origins: Origins,
    /// Whoever is refused is counted.
    pub(super) metrics: Arc<Metrics>,
}

/// Turns foreign pages away from the doors: `/socket.io` and everything under `/api`.
pub(super) async fn gate(State(gate): State<Gate>, request: Request<Body>, next: Next) -> Response {
    let path = request.uri().path();
    let session = path.starts_with("/socket.io") || path == "/api/v1/stream";
    if !session && !path.starts_with("/api/") {
        return next.run(request).await;
    }
    let secure = request
        .extensions()
        .get::<Secure>()
        .is_some_and(|secure| secure.0);
    match gate
        .origins
        .check(request.uri(), request.headers(), secure, session)
    {
        Ok(()) => next.run(request).await,
        Err(foreign) => {
            let (reason, message) = match foreign {
                Foreign::Origin => (
                    "foreign",
                    "pages of this origin may not connect ([server] cors_allowed_origins)",
                ),
                Foreign::Missing => (
                    "missing",
                    "only web pages may connect: an Origin is needed ([server] require_origin)",
                ),
            };
            gate.metrics.refused("origin", reason);
            Refusal::forbidden(message).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let read = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        // `collect` would keep only the last of two of a name.
        let mut headers = HeaderMap::new();
        for (name, value) in lines.iter().map(read) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn only_who_is_listed_or_at_home_comes_in() {
        let listed = [
            "https://app.example".to_owned(),
            "http://dev.example:3000".to_owned(),
        ];
        let origins = Origins::new(&listed, false);
        let uri = Uri::from_static("/socket.io/");
        let table: &[(&str, bool, bool)] = &[
            ("https://app.example", false, true),
            ("HTTPS://APP.example:443", false, true),
            ("http://dev.example:3000", false, true),
            ("http://here.example:8000", false, true),
            ("https://here.example:8000", true, true),
            ("http://here.example:8000", true, false),
            ("https://here.example:8000", false, false),
            ("http://here.example", false, false),
            ("http://here.example:8001", false, false),
            ("http://app.example", false, false),
            ("https://app.example:8443", false, false),
            ("https://sub.app.example", false, false),
            ("https://app.example.evil.example", false, false),
            ("https://evil.example", false, false),
            ("https://user@app.example", false, false),
            ("file://", false, false),
            ("null", false, false),
            ("", false, false),
        ];
        for (origin, secure, expected) in table {
            let headers = headers(&[("origin", origin), ("host", "here.example:8000")]);
            let let_in = origins.check(&uri, &headers, *secure, true).is_ok();
            assert_eq!(let_in, *expected, "{origin} secure={secure}");
        }
        let two = headers(&[
            ("origin", "https://app.example"),
            ("origin", "https://evil.example"),
        ]);
        assert_eq!(origins.check(&uri, &two, false, true), Err(Foreign::Origin));
    }

    #[test]
    fn without_an_origin_it_is_no_page() {
        let uri = Uri::from_static("/socket.io/");
        let none = HeaderMap::new();
        let listed = ["https://app.example".to_owned()];
        let relaxed = Origins::new(&listed, false);
        assert_eq!(relaxed.check(&uri, &none, false, true), Ok(()));
        let strict = Origins::new(&listed, true);
        assert_eq!(
            strict.check(&uri, &none, false, true),
            Err(Foreign::Missing)
        );
        assert_eq!(
            strict.check(&uri, &none, false, false),
            Ok(()),
            "producers are no pages"
        );
        let own = headers(&[("sec-fetch-site", "same-origin")]);
        assert_eq!(strict.check(&uri, &own, false, true), Ok(()));
        let other = headers(&[("sec-fetch-site", "cross-site")]);
        assert_eq!(
            strict.check(&uri, &other, false, true),
            Err(Foreign::Missing)
        );
    }

    #[test]
    fn a_star_lets_everybody_in() {
        let any = Origins::new(&["*".to_owned()], false);
        let uri = Uri::from_static("/socket.io/");
        for origin in ["https://anybody.example", "null"] {
            assert_eq!(
                any.check(&uri, &headers(&[("origin", origin)]), false, true),
                Ok(())
            );
        }
    }
}
