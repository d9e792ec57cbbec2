//! The door at `/socket.io/`: polling goes to the engine; a WebSocket upgrade is done here, so that the engine gets a
//! guarded stream in place of the client's socket.

use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Request, StatusCode, Uri};
use tower::Service;

use super::{
    adapter::EngineService,
    door::{Door, Refused, begin, query, session},
    polling,
    successor::Succession,
};
use crate::{
    access::authn::{Credential, PageOrigin},
    doors::{
        handshake::Handshake,
        socketio::engine::{Counted, ExpressLane, Guard, Speech, probe},
    },
    error::Error,
    net::{ClientAddress, ConnectionSlot, PeerAddress, Secure, Socket},
};

/// Serves every request at `/socket.io/`.
pub(in crate::doors::socketio) async fn engine_door(
    door: Door,
    request: Request<Body>,
    succession: Succession,
) -> Response {
    let Some(service) = door.context.service().cloned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    match query(request.uri(), "transport") {
        Some("websocket") => upgrade(&door, service, request, succession)
            .unwrap_or_else(|refused| *refused),
        Some("polling") if query(request.uri(), "j").is_some() => *door.refuse(
            "polling",
            StatusCode::BAD_REQUEST,
            "jsonp",
            &Error::bad_request(
                "JSONP polling (j=) is not served: any page could read it; use polling by XHR, or WebSocket",
            ),
        ),
        Some("polling") => polling::serve(&door, service, request).await,
        // The engine's own wording. The engine itself must not see a query that it would read otherwise.
        _ => (
            StatusCode::BAD_REQUEST,
            axum::Json(serde_json::json!({ "code": "0", "message": "Transport unknown" })),
        )
            .into_response(),
    }
}

fn upgrade(
    door: &Door,
    mut service: EngineService,
    mut request: Request<Body>,
    succession: Succession,
) -> Result<Response, Refused> {
    let with = |status, message| {
        door.refuse(
            "upgrade",
            status,
            "bad_request",
            &Error::bad_request(message),
        )
    };
    let bad = |message| with(StatusCode::BAD_REQUEST, message);
    if !matches!(query(request.uri(), "EIO"), Some("3" | "4")) {
        return Err(bad("unsupported protocol version: EIO must be 3 or 4"));
    }
    let mut handshake =
        Handshake::read(&mut request).map_err(|(status, message)| with(status, message))?;
    if let Some(sid) = session(request.uri()) {
        door.check_known(sid)?;
    }
    let counted = Counted {
        // A session that began with polling has its slot already.
        pending: match query(request.uri(), "sid") {
            None => Some(begin(door, &request)?),
            Some(_) => None,
        },
        presence: request.extensions_mut().remove::<ConnectionSlot>(),
    };
    let (lane, upgrade) = match query(request.uri(), "sid") {
        None => (door.context.lanes.express(), None),
        Some(_) => {
            let sid = session(request.uri());
            let lane = sid.and_then(|sid| door.context.lanes.find(sid));
            let lane = lane.ok_or_else(|| bad("session ID unknown"))?;
            let upgrade = lane.begin_upgrade();
            let why = "the session has a WebSocket already, or too many are trying to become it";
            (lane, Some(upgrade.ok_or_else(|| bad(why))?))
        }
    };
    let compression = handshake.agree(request.headers(), door.context.options.compression.as_ref());
    let for_engine = engine_request(&request, &lane);
    let speech = Speech {
        is_first_protocol: query(request.uri(), "EIO") == Some("3"),
        is_polling: false,
    };
    if speech.is_first_protocol {
        lane.speak_first_protocol();
    }
    let successor = session(request.uri())
        .filter(|_| !speech.is_first_protocol)
        .map(|sid| succession(door, sid, &lane));
    let metrics = door.context.metrics.clone();
    let (response, on_upgrade) = handshake
        .accept()
        .map_err(|(status, message)| with(status, message))?;
    // Some clients join nothing before their try to upgrade is over, so half of the time is left for that.
    let within = door.context.options.connect_timeout / 2;
    tokio::spawn(async move {
        let Ok(upgraded) = on_upgrade.await else {
            return;
        };
        let Some((socket, early)) = Socket::upgraded(upgraded) else {
            return;
        };
        let guard = match upgrade {
            None => Guard::new(socket, early, lane, speech, counted, compression),
            Some(upgrade) => {
                let probed = probe(socket, early, &lane, within, compression).await;
                let Some(probed) = probed.filter(|_| upgrade.complete()) else {
                    // The session goes on by polling.
                    return metrics.refused("upgrade", "unfinished");
                };
                Guard::upgraded(probed, lane, speech, counted, successor)
            }
        };
        // Boxed, since the engine's tasks hold their stream several times over.
        let guard = Box::new(guard);
        if Service::<(Box<Guard>, Request<()>)>::call(&mut service, (guard, for_engine))
            .await
            .is_err()
        {
            tracing::debug!("the engine refused an upgraded connection");
        }
    });
    Ok(response)
}

/// The part of the request that the engine keeps for the connection's whole life: only what handlers need.
fn engine_request(request: &Request<Body>, lane: &Arc<ExpressLane>) -> Request<()> {
    let mut kept = Request::new(());
    *kept.uri_mut() = copied(request.uri());
    kept.extensions_mut().insert(lane.clone());
    keep::<PeerAddress>(request, &mut kept);
    keep::<ClientAddress>(request, &mut kept);
    keep::<Secure>(request, &mut kept);
    keep::<Credential>(request, &mut kept);
    keep::<PageOrigin>(request, &mut kept);
    kept
}

/// An address with bytes of its own: those of the request are parts of the buffer into which HTTP read all of it.
fn copied(uri: &Uri) -> Uri {
    uri.to_string().parse().unwrap_or_default()
}

fn keep<T: Clone + Send + Sync + 'static>(request: &Request<Body>, kept: &mut Request<()>) {
    if let Some(value) = request.extensions().get::<T>() {
        kept.extensions_mut().insert(value.clone());
    }
}
