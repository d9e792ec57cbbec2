//! `/api/v1/admin/…`: what an admin can do, over HTTP.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::JsonRejection},
    routing::{delete, get, post},
};
use serde_json::{Value, json};

use super::{Api, caller::Caller};
use crate::{
    admin::{Act, Actor},
    refusal::Refusal,
};

type Answer = Result<Json<Value>, Refusal>;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/v1/admin/connections", get(connections))
        .route("/api/v1/admin/connections/{client_id}", delete(disconnect))
        .route("/api/v1/admin/bans", get(bans).post(ban).delete(unban))
        .route("/api/v1/admin/revocations", get(revocations).post(revoke))
        .route("/api/v1/admin/disconnect", post(disconnect_named))
}

async fn perform(api: &Api, caller: &Caller, act: Act, argument: &Value) -> Answer {
    if caller.who.token.is_none() {
        let refusal = Refusal::new(
            "unauthorized",
            "the admin API takes a token with the role admin; without authentication use the namespace /admin",
        );
        api.metrics.refused("http", refusal.code);
        return Err(refusal);
    }
    let actor = Actor {
        who: &caller.who,
        address: caller.address,
        door: "http",
    };
    act.perform(&api.porter, &actor, argument)
        .await
        .map(Json)
        .inspect_err(|refusal| api.metrics.refused("http", refusal.code))
}

fn read(body: Result<Json<Value>, JsonRejection>) -> Result<Value, Refusal> {
    body.map(|Json(value)| value)
        .map_err(|error| Refusal::bad_request(format!("the body is not JSON: {error}")))
}

async fn connections(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answer {
    perform(&api, &caller, Act::ListConnections, &json!(query)).await
}

async fn disconnect(
    State(api): State<Api>,
    caller: Caller,
    Path(client_id): Path<String>,
) -> Answer {
    let argument = json!({ "client_id": client_id });
    perform(&api, &caller, Act::Disconnect, &argument).await
}

async fn disconnect_named(
    State(api): State<Api>,
    caller: Caller,
    body: Result<Json<Value>, JsonRejection>,
) -> Answer {
    perform(&api, &caller, Act::Disconnect, &read(body)?).await
}

async fn bans(State(api): State<Api>, caller: Caller) -> Answer {
    perform(&api, &caller, Act::ListBans, &Value::Null).await
}

async fn ban(
    State(api): State<Api>,
    caller: Caller,
    body: Result<Json<Value>, JsonRejection>,
) -> Answer {
    perform(&api, &caller, Act::Ban, &read(body)?).await
}

async fn unban(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answer {
    perform(&api, &caller, Act::Unban, &json!(query)).await
}

async fn revocations(State(api): State<Api>, caller: Caller) -> Answer {
    perform(&api, &caller, Act::ListRevocations, &Value::Null).await
}

async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    body: Result<Json<Value>, JsonRejection>,
) -> Answer {
    perform(&api, &caller, Act::Revoke, &read(body)?).await
}
