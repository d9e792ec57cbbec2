//! `GET /api/v1/analytics`: the use that clients make of the server.

use axum::{Json, extract::State};
use serde_json::Value;

use super::{api::Api, caller::Caller};
use crate::{doors::analytics::analytics, error::Error};

pub(super) async fn report(State(api): State<Api>, caller: Caller) -> Result<Json<Value>, Error> {
    caller.must_see_stats()?;
    let permissions = &caller.who.permissions;
    analytics(&api.hub, &api.metrics, permissions, api.max_connections)
        .await
        .map(Json)
}
