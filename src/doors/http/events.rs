//! `POST` and `GET /api/v1/events`.

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::{
    api::Api,
    caller::Caller,
    extract::{Filters, Parameters, media_type},
    foreign::{self, Opening, Session},
    packed::unpacked,
    producer::producer,
    upload,
    uploading::json_events,
};
use crate::{
    config::Role,
    error::Error,
    history::{self, Page},
    intake::{Raw, Receipt},
    net::read_body,
    translate::StreamContext,
};

pub(super) async fn publish(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    api.metrics.usage.count("publish");
    let media = media_type(&headers);
    let may = caller.must(
        Role::may_publish,
        "publishing takes a token with the role producer or admin",
    );
    if let Err(refusal) = may {
        api.metrics.refused("http", &refusal);
        return refusal.into_response();
    }
    let body = match unpacked(&api, &api.body, &headers, body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let receipt = if is_lines(&media) {
        upload::publish(&api, &caller, body).await
    } else {
        publish_json(&api, &caller, body).await
    };
    match receipt {
        Ok(receipt) => answer(&receipt),
        Err(refusal) => {
            api.metrics.refused("http", &refusal);
            refusal.into_response()
        }
    }
}

/// Whether a body of this type has an event on each line.
pub(super) fn is_lines(media: &str) -> bool {
    let lines = [
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
    ];
    lines.contains(&media)
}

/// `202` if anything was accepted; else the status of the first refusal, with all of them.
pub(super) fn answer(receipt: &Receipt) -> Response {
    let taken = receipt.accepted + receipt.duplicates > 0;
    let first = receipt.rejected.first().map(|r| r.error.clone());
    let mut body = match serde_json::to_value(receipt) {
        Ok(Value::Object(body)) => body,
        _ => serde_json::Map::new(),
    };
    match first.filter(|_| !taken) {
        None => (StatusCode::ACCEPTED, Json(Value::Object(body))).into_response(),
        Some(error) => {
            body.insert("error".into(), serde_json::json!(error));
            let body = Json(Value::Object(body));
            // An event that gave way under load is nothing bad: its producer is told when to come again.
            match error.retry_after() {
                Some(seconds) => {
                    let wait = [(header::RETRY_AFTER, seconds)];
                    (error.status(), wait, body).into_response()
                }
                None => (StatusCode::BAD_REQUEST, body).into_response(),
            }
        }
    }
}

/// Publishes one event, or an array of events.
async fn publish_json(api: &Api, caller: &Caller, body: Body) -> Result<Receipt, Error> {
    let body = read_body(caller.address, body, &api.body).await?;
    if body.trim_ascii().is_empty() {
        return Err(Error::bad_request(
            "the body is empty: send an event, like {\"type\": \"task.created\", \"data\": {\"task_id\": \"t1\"}}, or a list of them",
        ));
    }
    let events = json_events(api, &body)?;
    if let Opening::Foreign(language) = foreign::opening_of(api, caller, &events) {
        let context = StreamContext::default();
        let session = Session::open(api, caller, language, context, events.first());
        let mut session = session.among_plain();
        let receipt = foreign::relay(api, caller, &mut session, events).await?;
        session.close();
        return Ok(receipt);
    }
    let raws: Vec<Raw> = events.into_iter().map(Raw::Text).collect();
    // The body's space is released when its last event is read, not when all are kept.
    drop(body);
    api.authenticator
        .events(&caller.who, caller.address, raws.len())?;
    let verified = caller.who.verified();
    api.intake.publish(raws, producer(caller, &verified)).await
}

impl Parameters for history::Query {
    const NAMES: &'static [&'static str] = &[
        "after",
        "before",
        "limit",
        "type",
        "project_id",
        "agent_id",
        "run_id",
        "order",
    ];
}

pub(super) async fn history(
    State(api): State<Api>,
    caller: Caller,
    Filters(query): Filters<history::Query>,
) -> Result<Json<Page>, Error> {
    api.metrics.usage.count("get_history");
    let page = api.intake.history(query, &caller.who.permissions).await;
    page.inspect_err(|refusal| api.metrics.refused("http", refusal))
        .map(Json)
}
