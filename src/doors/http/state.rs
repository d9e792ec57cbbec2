//! The state, and the statistics of connections and rooms.

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;

use super::{
    api::Api,
    caller::Caller,
    extract::{Filters, Parameters},
};
use crate::{error::Error, hub::Question};

#[derive(Deserialize)]
pub(super) struct Of {
    project_id: Option<String>,
}

impl Parameters for Of {
    const NAMES: &'static [&'static str] = &["project_id"];
}

pub(super) async fn state(
    State(api): State<Api>,
    caller: Caller,
    Filters(of): Filters<Of>,
) -> Result<Response, Error> {
    api.metrics.usage.count("get_state");
    let moment = api.hub.moment().await?;
    let renderings = api.renderings.clone();
    let project = of.project_id.filter(|id| !id.is_empty());
    let rendering = renderings.of(moment, caller.who.permissions, project);
    // Chunks are rendered as the client reads them: one that doesn't read costs one chunk.
    let chunks = stream::unfold(0, move |at| {
        let (renderings, rendering) = (renderings.clone(), rendering.clone());
        async move {
            let chunk = renderings.chunk(&rendering, at).await?;
            Some((chunk, at + 1))
        }
    });
    // The compressor asks once more after the end.
    let body = Body::from_stream(chunks.fuse());
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

pub(super) async fn stats(State(api): State<Api>, caller: Caller) -> Result<Json<Value>, Error> {
    caller.must_see_stats()?;
    let permissions = caller.who.permissions;
    let mut stats = api.hub.question(Question::Stats { permissions }).await?;
    api.nodes.add_stats(&mut stats).await?;
    Ok(Json(Value::Object(stats)))
}

pub(super) async fn nodes(State(api): State<Api>, caller: Caller) -> Result<Json<Value>, Error> {
    caller
        .must_see_stats()
        .inspect_err(|refusal| api.metrics.refused("http", refusal))?;
    api.nodes.list().await.map(Json)
}

pub(super) async fn rooms(State(api): State<Api>, caller: Caller) -> Result<Json<Value>, Error> {
    caller.must_see_stats()?;
    let permissions = caller.who.permissions;
    answer(&api, Question::Rooms { permissions }).await
}

pub(super) async fn answer(api: &Api, question: Question) -> Result<Json<Value>, Error> {
    Ok(Json(Value::Object(api.hub.question(question).await?)))
}
