//! Polling requests: the checks before and after the engine.

use std::{future::poll_fn, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use socketioxide::socket::Sid;
use tower::Service;

use super::{
    adapter::EngineService,
    door::{Door, Refused, begin, query, session},
    packets::{Form, joined, messages, packets, write},
    refusal::mended_poll,
    typed::typed_poll,
};
use crate::{
    doors::socketio::engine::{ExpressLane, Speech},
    error::Error,
    net::{ClientAddress, read_body},
};

/// The longest time for which a polling client's next request is held back while its inbox is full.
const MAX_HELD: Duration = Duration::from_secs(10);

/// Serves one request.
pub(in crate::doors::socketio) async fn serve(
    door: &Door,
    service: EngineService,
    request: Request<Body>,
) -> Response {
    let known = session(request.uri()).map_or(Ok(()), |sid| door.check_known(sid));
    if let Err(refused) = known {
        return *refused;
    }
    let answered = match (request.method(), session(request.uri())) {
        (&Method::POST, Some(sid)) => post(door, service, sid, request).await,
        (&Method::GET, Some(sid)) => fetch(door, service, sid, request).await,
        (&Method::GET, None) if query(request.uri(), "sid").is_none() => {
            open(door, service, request).await
        }
        _ => Ok(call(service, request).await),
    };
    answered.unwrap_or_else(|refused| *refused)
}

async fn call(mut service: EngineService, request: Request<Body>) -> Response {
    match Service::<Request<Body>>::call(&mut service, request).await {
        Ok(response) => response.map(Body::new).into_response(),
        Err(never) => match never {},
    }
}

/// Opens a session, which takes a slot before the engine makes anything for it.
async fn open(
    door: &Door,
    service: EngineService,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let slot = begin(door, &request)?;
    let address = request
        .extensions()
        .get::<ClientAddress>()
        .map(|client| client.0);
    let first_protocol = query(request.uri(), "EIO") == Some("3");
    let (response, body) = whole(call(service, request).await).await?;
    if let Some(sid) = opened(&body) {
        let lane = door.context.lanes.polling(sid);
        if first_protocol {
            lane.speak_first_protocol();
        }
        let live = address.map(|address| door.context.options.quota.live(address));
        door.pending.opened(sid, slot, lane, live);
    }
    Ok(response)
}

/// The id in the engine's OPEN packet.
fn opened(body: &[u8]) -> Option<Sid> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("\"sid\":\"")?;
    rest.split_once('"')?.0.parse().ok()
}

/// Answers a poll with the packets that wait for the client, and tells the lane how many these were.
async fn fetch(
    door: &Door,
    service: EngineService,
    sid: Sid,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let first_protocol = query(request.uri(), "EIO") == Some("3");
    let lane = door.context.lanes.find(sid);
    let released = async {
        match &lane {
            Some(lane) => lane.let_go().await,
            None => std::future::pending().await,
        }
    };
    let response = tokio::select! {
        biased;
        response = call(service, request) => response,
        // The engine keeps the packets that wait for the client.
        () = released => return Ok(nothing(first_protocol)),
    };
    let (lane, pending) = (door.context.lanes.find(sid), door.pending.has(sid));
    if lane.is_none() && !pending {
        return Ok(response);
    }
    let form = form(first_protocol, response.headers());
    let (mut response, mut body) = whole(response).await?;
    for mend in [mended_poll, typed_poll] {
        let Some(mended) = mend(form, &body) else {
            continue;
        };
        body = mended.into();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(body.clone());
    }
    if pending && packets(form, &body).any(|packet| packet.starts_with(b"40")) {
        door.pending.joined(sid);
    }
    if let Some(lane) = lane {
        poll_fn(|cx| lane.poll_introduced(cx, packets(form, &body))).await;
        packets(form, &body).for_each(|packet| lane.came_from_engine(packet));
        let begins = [&b"42"[..], b"43", b"45", b"b"];
        let is_ours = |packet: &&[u8]| begins.iter().any(|begin| packet.starts_with(begin));
        let count = packets(form, &body).filter(is_ours).count();
        // Clients of Engine.IO 3 take all packets at once.
        lane.polled(if first_protocol { usize::MAX } else { count });
        if form == Form::Separated {
            return Ok(told(response, &body, &lane));
        }
    }
    Ok(response)
}

/// The answer in which the client is told its public id, in the words of its parser.
fn told(response: Response, body: &[u8], lane: &ExpressLane) -> Response {
    let is_renamed = packets(Form::Separated, body).any(|packet| lane.renamed(packet).is_some());
    if !is_renamed && !lane.speaks_msgpack() {
        return response;
    }
    let packets = packets(Form::Separated, body).map(|packet| match lane.renamed(packet) {
        Some(renamed) => renamed.into_bytes(),
        None => packet.to_vec(),
    });
    let mut body = joined(packets);
    if lane.speaks_msgpack() {
        body = lane.pack_poll(&body);
    }
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(body))
}

/// Takes a client's packets: no more than it may send, and not before its earlier ones were handled.
async fn post(
    door: &Door,
    service: EngineService,
    sid: Sid,
    request: Request<Body>,
) -> Result<Response, Refused> {
    wait_for_inbox(door, sid).await;
    let form = form(query(request.uri(), "EIO") == Some("3"), request.headers());
    let (mut parts, body) = request.into_parts();
    let body = read_body(
        ClientAddress::of(&parts.extensions),
        body,
        &door.limits.body,
    )
    .await
    .map_err(|refusal| door.refuse("polling", refusal.status(), refusal.code, &refusal))?;
    let max = door.limits.max_packets;
    if packets(form, &body).nth(max).is_some() {
        let refusal = Error::new(
            "too_large",
            format!("more than {max} packets in one POST ([server] max_packets_per_post)"),
        );
        return Err(door.refuse(
            "polling",
            StatusCode::BAD_REQUEST,
            "max_packets_per_post",
            &refusal,
        ));
    }
    let Some(lane) = door.context.lanes.find(sid) else {
        return Ok(call(service, Request::from_parts(parts, Body::from(body))).await);
    };
    let speech = Speech {
        is_first_protocol: form != Form::Separated,
        is_polling: true,
    };
    let Some(passed) = screened(&lane, speech, form, &body) else {
        let refusal = Error::bad_request("the body is no payload of Engine.IO");
        return Err(door.refuse("polling", StatusCode::BAD_REQUEST, "payload", &refusal));
    };
    // The client can't be told on a namespace yet.
    if passed.is_empty() && !body.is_empty() && door.pending.has(sid) {
        let refusal = Error::bad_request("no packet of the body can be read");
        return Err(door.refuse("polling", StatusCode::BAD_REQUEST, "payload", &refusal));
    }
    if passed.is_empty() {
        return Ok(text("ok"));
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(call(service, Request::from_parts(parts, Body::from(passed))).await)
}

/// The body for the engine; `None` for a body that makes no sense as a whole.
fn screened(lane: &ExpressLane, speech: Speech, form: Form, body: &[u8]) -> Option<Vec<u8>> {
    let mut passed = Vec::new();
    for message in messages(form, body)? {
        passed.extend(lane.screen(message, speech).ok()?);
    }
    passed
        .iter()
        .for_each(|message| lane.given_to_engine(message));
    Some(write(form, &passed))
}

/// The answer to a poll that is released.
fn nothing(first_protocol: bool) -> Response {
    text(if first_protocol { "1:6" } else { "6" })
}

fn text(body: &'static str) -> Response {
    let media = [(header::CONTENT_TYPE, "text/plain; charset=UTF-8")];
    (media, body).into_response()
}

fn form(first_protocol: bool, headers: &HeaderMap) -> Form {
    let media = headers
        .get(header::CONTENT_TYPE)
        .map(http::HeaderValue::as_bytes);
    match (first_protocol, media) {
        (false, _) => Form::Separated,
        (true, Some(media)) if media.eq_ignore_ascii_case(b"application/octet-stream") => {
            Form::Binary
        }
        (true, _) => Form::Counted,
    }
}

/// Reads an answer of the engine. It is complete already, so nothing is awaited.
async fn whole(response: Response) -> Result<(Response, Bytes), Refused> {
    let (parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return Err(Box::new(StatusCode::INTERNAL_SERVER_ERROR.into_response()));
    };
    let response = Response::from_parts(parts, Body::from(body.clone()));
    Ok((response, body))
}

/// Waits until the client's inbox has room: the engine reads a POST to its end, whatever it holds.
async fn wait_for_inbox(door: &Door, sid: Sid) {
    let Some(lane) = door.context.lanes.find(sid) else {
        return;
    };
    let handled = async {
        while lane.reading_paused() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(MAX_HELD, handled).await.ok();
}
