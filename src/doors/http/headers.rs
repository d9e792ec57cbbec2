//! The headers of every answer that tell browsers to be careful.
//!
//! The page runs its own scripts and styles and nothing else, talks to its own server only, and can't be framed.
//! Answers of the API are data: a browser must never run or show them.

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue, header};

/// The policy of the built page. `'self'` includes its own server by WebSocket.
pub(super) const PAGE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The policy of the placeholder that is shown when the demo page isn't built: inline style, no scripts.
pub(super) const WORD: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The policy of everything else.
const DATA: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

const ALWAYS: [(HeaderName, HeaderValue); 3] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    // `X-Frame-Options` is for browsers that don't know `frame-ancestors`.
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// The headers that are the same for all answers of one server.
#[derive(Debug, Clone)]
pub(super) struct Careful {
    /// Tells browsers to come by https only, where the server itself speaks it.
    strict_transport: Option<HeaderValue>,
}

impl Careful {
    /// Browsers shall come by https only for so many seconds; 0 leaves the header out.
    pub(super) fn new(hsts: u64) -> Self {
        let value = (hsts > 0).then(|| format!("max-age={hsts}"));
        Self {
            strict_transport: value.and_then(|v| HeaderValue::from_str(&v).ok()),
        }
    }
}

/// Adds the headers.
pub(super) async fn careful(
    State(careful): State<Careful>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(DATA);
    if let Some(value) = careful.strict_transport {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}
