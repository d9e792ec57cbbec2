//! `/healthz`, `/readyz`, `/metrics`.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, VARY},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{api::Api, caller::Caller};
use crate::{error::Error, hub::Question, observe::exposition};

/// The time that the hub has to say that it is alive: it may be making its state anew.
const HUB_PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn alive() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

pub(super) async fn ready(State(api): State<Api>) -> Response {
    let server = match (api.readiness.is_stopping(), api.drain.is_on()) {
        (true, _) => ("stopping", None),
        (false, true) => (
            "draining",
            Some("clients are sent elsewhere, and new ones are refused"),
        ),
        (false, false) => ("ok", None),
    };
    let answer = api.hub.question(Question::Alive);
    let hub = matches!(timeout(HUB_PATIENCE, answer).await, Ok(Ok(_)));
    let bounds = api.intake.journal().bounds();
    let health = api.intake.journal().health();
    let trouble = health.trouble;
    let part = |ok: bool| if ok { "ok" } else { "down" };
    let journal = match (&trouble, health.damaged) {
        (Some(_), _) => "down",
        (None, 1..) => "degraded",
        (None, 0) => "ok",
    };
    let ready = hub && server.0 == "ok" && trouble.is_none();
    let mut body = json!({
        "status": if ready { "ready" } else { "not_ready" },
        "parts": {
            "server": { "status": server.0 },
            "hub": { "status": part(hub) },
            "journal": {
                "status": journal, "reason": trouble, "damaged": health.damaged,
                "first": bounds.first, "last": bounds.last,
            },
        },
    });
    if let Some(reason) = server.1 {
        body["parts"]["server"]["reason"] = reason.into();
    }
    let breakers = api.breakers.snapshot();
    if !breakers.is_empty() {
        // The reasons are for those who may see figures: this answer is for everybody.
        let parts = breakers
            .iter()
            .map(|breaker| (breaker.name.to_owned(), json!(breaker.state)));
        body["parts"]["breakers"] = json!({
            "status": api.breakers.worst(), "parts": Value::Object(parts.collect()),
        });
    }
    // Clients with other keys are served all the same, so the provider's state does not decide. The log says why it
    // failed.
    if let Some(provider) = api.authenticator.tokens().jwks_state() {
        let status = match (provider.age, provider.error) {
            (None, _) => "missing",
            (Some(_), Some(_)) => "stale",
            (Some(_), None) => "ok",
        };
        body["parts"]["keys"] =
            json!({ "status": status, "keys": provider.keys, "failures": provider.failures });
    }
    // Clients are served all the same, so the bus does not decide either.
    if let Some(bus) = &api.bus {
        let health = bus.health();
        let links = health.links.iter();
        let links = links.map(|(name, is_up)| ((*name).to_owned(), json!(part(*is_up))));
        body["parts"]["bus"] = json!({
            // Of several nodes one listens.
            "status": if api.intake.journal().leads() { part(health.is_connected()) } else { "standby" },
            "links": Value::Object(links.collect()),
            "last_message_seconds": health.last_message.map(|age| age.as_secs_f64()),
        });
    }
    // Nor does the link with the other nodes: what is journalled reaches everybody without it.
    if api.cluster.is_on() {
        let trouble = api.cluster.trouble();
        body["parts"]["cluster"] = json!({
            "status": if trouble.is_none() { "ok" } else { "degraded" }, "reason": trouble,
            "nodes": api.cluster.nodes().len(),
        });
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(body)).into_response()
}

/// The metrics: for everybody while no token is required, else for operators.
pub(super) async fn metrics(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Error> {
    caller.must_see_stats()?;
    let text = api.metrics.text();
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let (kind, text) = if accept.is_some_and(exposition::wants_open_metrics) {
        (exposition::OPEN_METRICS, text)
    } else {
        (exposition::PROMETHEUS, exposition::prometheus(&text))
    };
    Ok(([(CONTENT_TYPE, kind), (VARY, "accept")], text).into_response())
}
