//! The state, and the statistics of connections and rooms.

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;

use super::{Api, asked::Asked, caller::Caller};
use crate::{
    error::Refusal,
    hub::Question,
    projections::state::{Text, Walk},
    timestamp::Timestamp,
};

#[derive(Deserialize)]
pub(super) struct Of {
    project_id: Option<String>,
}

pub(super) async fn state(
    State(api): State<Api>,
    caller: Caller,
    Asked(of): Asked<Of>,
) -> Result<Response, Refusal> {
    let (picture, _, cursor) = api.hub.picture().await?;
    let walk = Walk::new(picture, caller.who.sight, of.project_id.as_deref());
    let text = Text::new(walk, cursor, Timestamp::now());
    // Made while it is read: a client that doesn't read costs a chunk.
    let chunks = text.map(|chunk| chunk.ok_or("the state changed too much while it was read"));
    let body = Body::from_stream(stream::iter(chunks));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
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
