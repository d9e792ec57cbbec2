//! The figures for operators, and the count of requests that were answered.

use axum::{
    Json,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::Method;
use serde_json::Value;

use super::{api::Api, caller::Caller, foreign};
use crate::error::Error;

pub(super) async fn performance(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<Value>, Error> {
    caller.must_see_stats()?;
    Ok(Json(Value::Object(api.figures.performance())))
}

pub(super) async fn health(State(api): State<Api>, caller: Caller) -> Result<Json<Value>, Error> {
    caller.must_see_stats()?;
    Ok(Json(Value::Object(api.figures.health())))
}

pub(super) async fn analytics(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<Value>, Error> {
    caller.must_see_stats()?;
    let permissions = &caller.who.permissions;
    let mut analytics = api.figures.analytics(&api.hub, permissions).await?;
    api.nodes.add_usage(&mut analytics).await;
    Ok(Json(analytics))
}

pub(super) async fn alerts(State(api): State<Api>, caller: Caller) -> Result<Json<Value>, Error> {
    caller.must_see_stats()?;
    let alerts = api.figures.alerts(&caller.who.permissions);
    Ok(Json(Value::Object(alerts)))
}

/// Counts a request that was answered as it was asked. Events that are published count one by one.
pub(super) async fn count_answered(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Response {
    let is_publish = request.method() == Method::POST && PUBLISHING.contains(&request.uri().path());
    let response = next.run(request).await;
    if response.status().is_success() && !is_publish {
        api.metrics.attempts.succeed(1);
    }
    response
}

/// The paths at which each event counts by itself.
const PUBLISHING: [&str; 8] = [
    EVENTS,
    EMIT,
    foreign::AG_UI,
    foreign::VERCEL,
    foreign::LANGGRAPH,
    "/v1/traces",
    "/api/v1/otlp/v1/traces",
    "/hooks/claude",
];

/// The path at which events are published.
pub(super) const EVENTS: &str = "/api/v1/events";
/// The path at which applications emit.
pub(super) const EMIT: &str = "/api/v1/emit";
