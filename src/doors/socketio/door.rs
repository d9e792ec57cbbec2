//! The door at `/socket.io/`: sessions that begin with a WebSocket are served by `websocket`, all others by the engine, until
//! they have become WebSockets and `moving` takes them from it.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Request, StatusCode, Uri};
use socketioxide::socket::Sid;

use super::{
    admission::Requested,
    engine::{
        Counted, Door, Source,
        door::{Refused, begin, query},
        engine_door,
    },
    moving::Moving,
    websocket::Session,
};
use crate::{
    doors::handshake::Handshake,
    error::Error,
    net::{ConnectionSlot, Socket},
};

/// Serves every request at `/socket.io/`.
pub(crate) async fn socketio_door(door: Door, request: Request<Body>) -> Response {
    if !begins_with_websocket(request.uri()) {
        return engine_door(door, request, Moving::of).await;
    }
    if door.context.service().is_none() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    open(&door, request).unwrap_or_else(|refused| *refused)
}

/// Whether a request begins a session with a WebSocket, in the protocol that clients have spoken since version 3. For
/// older ones the engine knows the differences.
fn begins_with_websocket(uri: &Uri) -> bool {
    let is = |key, value| query(uri, key) == Some(value);
    is("transport", "websocket") && is("EIO", "4") && query(uri, "sid").is_none()
}

/// Answers the handshake, and serves the session in a task of its own.
fn open(door: &Door, mut request: Request<Body>) -> Result<Response, Refused> {
    let bad = |(status, message)| {
        let refusal = Error::bad_request(message);
        door.refuse("upgrade", status, "bad_request", &refusal)
    };
    let mut handshake = Handshake::read(&mut request).map_err(bad)?;
    let counted = Counted {
        pending: Some(begin(door, &request)?),
        presence: request.extensions_mut().remove::<ConnectionSlot>(),
    };
    let context = door.context.clone();
    let compression = handshake.agree(request.headers(), context.options.compression.as_ref());
    let (response, on_upgrade) = handshake.accept().map_err(bad)?;
    let lane = context.lanes.express();
    // The bytes of the request's own address are a part of the buffer into which HTTP read all of it.
    let uri = request.uri().to_string().parse().unwrap_or_default();
    let headers = context.shown(request.headers());
    let requested = Requested::of(uri, request.extensions(), false, headers);
    tokio::spawn(async move {
        let Ok(upgraded) = on_upgrade.await else {
            return;
        };
        if let Some((socket, early)) = Socket::upgraded(upgraded) {
            let source = Source::begin(socket, early, &lane, compression);
            let session = Session::new(Sid::new(), context, lane, source, requested, counted);
            // A task of its own is as small as what an open session needs.
            tokio::spawn(session.run());
        }
    });
    Ok(response)
}
