//! The WebSocket handshake (RFC 6455, section 4.2), the same at every door.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::net::deflate::Compression;

/// A handshake that a client has asked for.
#[derive(Debug)]
pub(super) struct Handshake {
    /// Becomes the client's socket once the answer is out.
    pub(super) on_upgrade: OnUpgrade,
    accept: String,
    protocol: Option<HeaderValue>,
    /// The extension that is agreed on.
    extension: Option<HeaderValue>,
}

/// The status and the sentence for a request that is no handshake.
pub(super) type NoHandshake = (StatusCode, &'static str);

/// Whether a request asks for a WebSocket.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    names(headers, &header::UPGRADE, "websocket")
}

impl Handshake {
    /// Reads the handshake of a request.
    pub(super) fn read(request: &mut Request<Body>) -> Result<Self, NoHandshake> {
        let headers = request.headers();
        let key = key(request.method(), headers)?;
        let accept = derive_accept_key(key.as_bytes());
        let protocol = first_protocol(headers);
        let on_upgrade = request
            .extensions_mut()
            .remove::<OnUpgrade>()
            .ok_or((StatusCode::BAD_REQUEST, "this connection can't be upgraded"))?;
        Ok(Self {
            on_upgrade,
            accept,
            protocol,
            extension: None,
        })
    }

    /// Agrees on compression, if the client offers it and the server has it.
    pub(super) fn agree(
        &mut self,
        headers: &HeaderMap,
        compression: Option<&Arc<Compression>>,
    ) -> Option<Arc<Compression>> {
        let compression = compression?;
        self.extension = Some(compression.agree(headers)?);
        Some(compression.clone())
    }

    /// The answer that switches to WebSocket, and the upgrade that comes after it.
    pub(super) fn accept(self) -> Result<(Response, OnUpgrade), NoHandshake> {
        let mut response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(extension) = self.extension {
            response = response.header(header::SEC_WEBSOCKET_EXTENSIONS, extension);
        }
        if let Some(protocol) = self.protocol {
            response = response.header(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        let response = response.body(Body::empty()).map_err(|_| {
            let message = "the handshake could not be answered";
            (StatusCode::BAD_REQUEST, message)
        })?;
        Ok((response, self.on_upgrade))
    }
}

/// Whether a request is a handshake that can be answered.
pub(super) fn is_whole(method: &Method, headers: &HeaderMap) -> bool {
    key(method, headers).is_ok()
}

/// The key of a handshake.
fn key<'h>(method: &Method, headers: &'h HeaderMap) -> Result<&'h HeaderValue, NoHandshake> {
    let bad = |message| (StatusCode::BAD_REQUEST, message);
    if method != Method::GET {
        return Err(bad("a WebSocket handshake is a GET"));
    }
    // Its bytes would be read as the client's first frames.
    if has_body(headers) {
        return Err(bad("a WebSocket handshake has no body"));
    }
    if !names(headers, &header::CONNECTION, "upgrade") || !is_wanted(headers) {
        return Err(bad(
            "not a WebSocket handshake: Connection and Upgrade say nothing of it",
        ));
    }
    let version = headers.get(header::SEC_WEBSOCKET_VERSION);
    if version.is_none_or(|version| version != "13") {
        return Err((
            StatusCode::UPGRADE_REQUIRED,
            "Sec-WebSocket-Version must be 13",
        ));
    }
    headers
        .get(header::SEC_WEBSOCKET_KEY)
        .ok_or(bad("Sec-WebSocket-Key is missing"))
}

/// Whether a request announces a body.
fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0")
}

/// The subprotocol to agree on, the first one: a browser that offers some and gets none closes the connection. They
/// mean nothing here.
fn first_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let first = offered.split(',').next()?.trim();
    HeaderValue::from_str(first)
        .ok()
        .filter(|first| !first.is_empty())
}

fn names(headers: &HeaderMap, header: &header::HeaderName, word: &str) -> bool {
    let values = headers
        .get_all(header)
        .iter()
        .filter_map(|v| v.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case(word))
}
