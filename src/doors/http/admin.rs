//! `/api/v1/admin/…`: the acts of an admin, over HTTP.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{FromRequestParts, State},
    routing::{delete, get, post},
};
use http::request::Parts;
use serde_json::{Value, json};

use super::{
    api::Api,
    caller::Caller,
    extract::{JsonBody, PathName, QueryString, SentIfAny},
};
use crate::{
    access::ADMIN_NEEDS,
    doors::admin::{Act, Actor},
    error::Error,
};

/// A client that was identified before its body is read. The role is checked when the act is carried out, so that the
/// audit shows refused acts as well.
struct Administrator(Caller);

impl FromRequestParts<Api> for Administrator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        let caller = Caller::from_request_parts(parts, api).await?;
        if caller.who.token.is_none() {
            let refusal = Error::new("unauthorized", format!("this is for admins: {ADMIN_NEEDS}"));
            api.metrics.refused("http", &refusal);
            return Err(refusal);
        }
        Ok(Self(caller))
    }
}

type Answer = Result<Json<Value>, Error>;

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/v1/admin/connections", get(connections))
        .route("/api/v1/admin/connections/{client_id}", delete(disconnect))
        .route("/api/v1/admin/bans", get(bans).post(ban).delete(unban))
        .route(
            "/api/v1/admin/revocations",
            get(revocations).post(revoke).delete(unrevoke),
        )
        .route("/api/v1/admin/disconnect", post(disconnect_named))
        .route("/api/v1/admin/reconnect", post(reconnect))
        .route(
            "/api/v1/admin/drain",
            get(drain_status).post(drain).delete(end_drain),
        )
        .route("/api/v1/admin/breakers", get(breakers))
        .route("/api/v1/admin/breakers/close", post(close_breaker))
}

async fn perform(api: &Api, caller: &Caller, act: Act, argument: Value) -> Answer {
    let actor = Actor {
        who: Arc::new(caller.who.clone()),
        address: caller.address,
        door: "http",
    };
    act.perform(api.controls(), actor, argument)
        .await
        .map(Json)
        .inspect_err(|refusal| api.metrics.refused("http", refusal))
}

async fn connections(
    State(api): State<Api>,
    Administrator(caller): Administrator,
    QueryString(query): QueryString<BTreeMap<String, String>>,
) -> Answer {
    perform(&api, &caller, Act::ListConnections, json!(query)).await
}

async fn disconnect(
    State(api): State<Api>,
    Administrator(caller): Administrator,
    PathName(client_id): PathName,
) -> Answer {
    let argument = json!({ "client_id": client_id });
    perform(&api, &caller, Act::Disconnect, argument).await
}

async fn disconnect_named(
    State(api): State<Api>,
    Administrator(caller): Administrator,
    JsonBody(body): JsonBody,
) -> Answer {
    perform(&api, &caller, Act::Disconnect, body).await
}

async fn reconnect(
    State(api): State<Api>,
    Administrator(caller): Administrator,
    JsonBody(body): JsonBody,
) -> Answer {
    perform(&api, &caller, Act::Reconnect, body).await
}

async fn drain_status(State(api): State<Api>, Administrator(caller): Administrator) -> Answer {
    perform(&api, &caller, Act::DrainStatus, Value::Null).await
}

async fn drain(
    State(api): State<Api>,
    Administrator(caller): Administrator,
    SentIfAny(body): SentIfAny,
) -> Answer {
    perform(&api, &caller, Act::Drain, body.unwrap_or_default()).await
}

async fn end_drain(State(api): State<Api>, Administrator(caller): Administrator) -> Answer {
    perform(&api, &caller, Act::EndDrain, Value::Null).await
}

async fn breakers(State(api): State<Api>, Administrator(caller): Administrator) -> Answer {
    perform(&api, &caller, Act::ListBreakers, Value::Null).await
}

async fn close_breaker(
    State(api): State<Api>,
    Administrator(caller): Administrator,
    JsonBody(body): JsonBody,
) -> Answer {
    perform(&api, &caller, Act::CloseBreaker, body).await
}

async fn bans(State(api): State<Api>, Administrator(caller): Administrator) -> Answer {
    perform(&api, &caller, Act::ListBans, Value::Null).await
}

async fn ban(
    State(api): State<Api>,
    Administrator(caller): Administrator,
    JsonBody(body): JsonBody,
) -> Answer {
    perform(&api, &caller, Act::Ban, body).await
}

async fn unban(
    State(api): State<Api>,
    Administrator(caller): Administrator,
    QueryString(query): QueryString<BTreeMap<String, String>>,
) -> Answer {
    perform(&api, &caller, Act::Unban, json!(query)).await
}

async fn revocations(State(api): State<Api>, Administrator(caller): Administrator) -> Answer {
    perform(&api, &caller, Act::ListRevocations, Value::Null).await
}

async fn revoke(
    State(api): State<Api>,
    Administrator(caller): Administrator,
    JsonBody(body): JsonBody,
) -> Answer {
    perform(&api, &caller, Act::Revoke, body).await
}

/// Takes a revocation back: by query like an unban, or by body like a revocation. A token itself can't stand in the
/// query, where it would count as the caller's own.
async fn unrevoke(
    State(api): State<Api>,
    Administrator(caller): Administrator,
    QueryString(query): QueryString<BTreeMap<String, String>>,
    SentIfAny(body): SentIfAny,
) -> Answer {
    let argument = match body {
        None => json!(query),
        Some(body) if query.is_empty() => body,
        Some(_) => {
            let twice = "name it in the query or in the body, not in both";
            api.metrics.refused("http", "bad_request");
            return Err(Error::bad_request(twice));
        }
    };
    perform(&api, &caller, Act::Unrevoke, argument).await
}
