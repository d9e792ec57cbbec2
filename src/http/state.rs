//! The state, and the statistics of connections and rooms.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;

use super::{Api, asked::Asked, caller::Caller};
use crate::{hub::Question, refusal::Refusal};

#[derive(Deserialize)]
pub(super) struct Of {
    project_id: Option<String>,
}

pub(super) async fn state(
    State(api): State<Api>,
    caller: Caller,
    Asked(of): Asked<Of>,
) -> Result<Response, Refusal> {
    let json = api.hub.snapshot(of.project_id, caller.who.sight).await?;
    Ok(([(CONTENT_TYPE, "application/json")], json.to_string()).into_response())
}

pub(super) async fn stats(State(api): State<Api>, caller: Caller) -> Result<Json<Value>, Refusal> {
    caller.must_see_stats()?;
    let sight = caller.who.sight;
    answer(&api, Question::Stats { sight }).await
}

pub(super) async fn rooms(State(api): State<Api>, caller: Caller) -> Result<Json<Value>, Refusal> {
    caller.must_see_stats()?;
    let sight = caller.who.sight;
    answer(&api, Question::Rooms { sight }).await
}

pub(super) async fn answer(api: &Api, question: Question) -> Result<Json<Value>, Refusal> {
    Ok(Json(Value::Object(api.hub.question(question).await?)))
}
