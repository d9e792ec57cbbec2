//! The REST calls of Seneca's own pages, which show aggregates over all projects.

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::Value;

use super::{api::Api, caller::Caller, extract::QueryString, state::answer};
use crate::{error::Error, hub::Question};

/// The present health. The page shows its "no data" text for 404, and goes blank for half-filled data.
pub(super) async fn health_now(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<Value>, Error> {
    caller.must_see_everything()?;
    let health = api.hub.question(Question::HealthNow).await?;
    if health.is_empty() {
        return Err(Error::new(
            "not_found",
            "nothing is known of the system's health yet",
        ));
    }
    Ok(Json(Value::Object(health)))
}

#[derive(Deserialize)]
pub(super) struct Back {
    hours: Option<f64>,
}

pub(super) async fn health_history(
    State(api): State<Api>,
    caller: Caller,
    QueryString(back): QueryString<Back>,
) -> Result<Json<Value>, Error> {
    caller.must_see_everything()?;
    let hours = whole(back.hours).unwrap_or(24);
    answer(&api, Question::HealthHistory { hours }).await
}

#[derive(Deserialize)]
pub(super) struct Recent {
    limit: Option<usize>,
    offset: Option<usize>,
    time_range: Option<f64>,
    agent_id: Option<String>,
}

pub(super) async fn conversations(
    State(api): State<Api>,
    caller: Caller,
    QueryString(recent): QueryString<Recent>,
) -> Result<Json<Value>, Error> {
    caller.must_see_everything()?;
    let question = Question::Conversations {
        limit: recent.limit.unwrap_or(50).min(1_000),
        offset: recent.offset.unwrap_or(0),
        minutes: whole(recent.time_range),
        agent_id: recent.agent_id.filter(|id| !id.is_empty()),
    };
    answer(&api, question).await
}

pub(super) async fn dashboard(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<Value>, Error> {
    caller.must_see_everything()?;
    answer(&api, Question::Dashboard).await
}

/// A number of hours or minutes, rounded up; `None` if the text is no number.
fn whole(number: Option<f64>) -> Option<u64> {
    let number = number.filter(|n| *n > 0.0 && *n < 1e9)?.ceil();
    format!("{number}").parse().ok()
}
