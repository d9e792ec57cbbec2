//! The door at `/socket.io/`: polling goes to the engine, a WebSocket upgrade is ours, so that the engine gets a guarded
//! stream in place of the TCP socket.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use socketioxide::socket::Sid;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower::Service;

use super::{Kit, adapter::EngineService};
use crate::{
    access::Credential,
    net::{Guard, Lane, Peer},
    refusal::Refusal,
};

/// How long a polling client's next request is held back while its inbox is full, at the most.
const MAX_HELD: Duration = Duration::from_secs(10);

/// The state of the door.
pub type Door = Arc<Kit>;

/// Serves every request at `/socket.io/`.
pub async fn engine_door(kit: Door, request: Request<Body>) -> Response {
    let Some(service) = kit.service().cloned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    if query(request.uri(), "transport") == Some("websocket") {
        return match upgrade(&kit, service, request) {
            Ok(response) => response,
            Err((status, message)) => refuse(&kit, status, message),
        };
    }
    if request.method() == Method::POST {
        wait_for_inbox(&kit, request.uri()).await;
    }
    let polls = request.method() == Method::GET;
    let sid = session(request.uri()).filter(|_| polls);
    let mut service = service;
    let first_protocol = query(request.uri(), "EIO") == Some("3");
    let response = match Service::<Request<Body>>::call(&mut service, request).await {
        Ok(response) => response.map(Body::new).into_response(),
        Err(never) => match never {},
    };
    match sid.and_then(|sid| kit.lanes.find(sid)) {
        Some(lane) => fetched(&lane, response, first_protocol).await,
        None => response,
    }
}

/// Tells the lane how many of its packets a polling answer holds. The answer is whole already: nothing is waited for.
async fn fetched(lane: &Lane, response: Response, first_protocol: bool) -> Response {
    let (parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let is_ours = |packet: &&[u8]| packet.starts_with(b"42") || packet.starts_with(b"43");
    let count = body
        .split(|byte| *byte == SEPARATOR)
        .filter(is_ours)
        .count();
    // Engine.IO 3 writes them in another way, and its clients take as many as there are.
    lane.polled(if first_protocol { usize::MAX } else { count });
    Response::from_parts(parts, Body::from(body))
}

/// Between two packets of a polling answer.
const SEPARATOR: u8 = 0x1e;

fn session(uri: &Uri) -> Option<Sid> {
    query(uri, "sid").and_then(|sid| sid.parse().ok())
}

/// The engine reads a POST to its end, whatever it holds; the next one waits until that was handled.
async fn wait_for_inbox(kit: &Kit, uri: &Uri) {
    let Some(lane) = session(uri).and_then(|sid| kit.lanes.find(sid)) else {
        return;
    };
    let handled = async {
        while lane.reading_paused() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(MAX_HELD, handled).await.ok();
}

fn upgrade(
    kit: &Arc<Kit>,
    mut service: EngineService,
    mut request: Request<Body>,
) -> Result<Response, (StatusCode, &'static str)> {
    let bad = |message| (StatusCode::BAD_REQUEST, message);
    if request.method() != Method::GET {
        return Err(bad("a WebSocket handshake is a GET"));
    }
    if !matches!(query(request.uri(), "EIO"), Some("3" | "4")) {
        return Err(bad("unsupported protocol version: EIO must be 3 or 4"));
    }
    let headers = request.headers();
    if !names(headers, &header::CONNECTION, "upgrade")
        || !names(headers, &header::UPGRADE, "websocket")
    {
        return Err(bad(
            "not a WebSocket handshake: Connection and Upgrade say nothing of it",
        ));
    }
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|v| v != "13")
    {
        return Err((
            StatusCode::UPGRADE_REQUIRED,
            "Sec-WebSocket-Version must be 13",
        ));
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .ok_or_else(|| bad("Sec-WebSocket-Key is missing"))?;
    let accept = derive_accept_key(key.as_bytes());
    let lane = match query(request.uri(), "sid") {
        None => kit.lanes.express(),
        Some(sid) => kit
            .lanes
            .polling(sid.parse().map_err(|_| bad("session ID unknown"))?),
    };
    let on_upgrade = request
        .extensions_mut()
        .remove::<OnUpgrade>()
        .ok_or_else(|| bad("this connection can't be upgraded"))?;
    let for_engine = engine_request(&request, &lane);
    tokio::spawn(async move {
        let Ok(upgraded) = on_upgrade.await else {
            return;
        };
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => {
                let guard = Guard::new(parts.io.into_inner(), parts.read_buf, lane);
                if Service::<(Guard, Request<()>)>::call(&mut service, (guard, for_engine))
                    .await
                    .is_err()
                {
                    tracing::debug!("the engine refused an upgraded connection");
                }
            }
            Err(_) => tracing::error!("an upgraded connection is not a TCP stream"),
        }
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty())
        .map_err(|_| bad("the handshake could not be answered"))
}

/// What the engine keeps of the request for the connection's whole life: only what handlers look at.
fn engine_request(request: &Request<Body>, lane: &Arc<Lane>) -> Request<()> {
    let mut kept = Request::new(());
    *kept.uri_mut() = request.uri().clone();
    for name in [header::ORIGIN, header::USER_AGENT] {
        if let Some(value) = request.headers().get(&name) {
            kept.headers_mut().insert(name, value.clone());
        }
    }
    kept.extensions_mut().insert(lane.clone());
    if let Some(peer) = request.extensions().get::<Peer>() {
        kept.extensions_mut().insert(*peer);
    }
    if let Some(credential) = request.extensions().get::<Credential>() {
        kept.extensions_mut().insert(credential.clone());
    }
    kept
}

fn refuse(kit: &Kit, status: StatusCode, message: &'static str) -> Response {
    kit.metrics.refused("upgrade", "bad_request");
    let body = serde_json::json!({ "error": Refusal::bad_request(message) });
    (status, axum::Json(body)).into_response()
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

fn query<'u>(uri: &'u Uri, key: &str) -> Option<&'u str> {
    let pairs = uri
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs
        .into_iter()
        .find(|(k, _)| *k == key)
        .map(|(_, value)| value)
}
