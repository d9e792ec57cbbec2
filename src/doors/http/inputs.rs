//! `GET /api/v1/inputs/{request_id}`: waits for the answer to a question. `POST` answers it.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    api::Api,
    caller::Caller,
    extract::{Filters, JsonBody, Parameters, PathName},
};
use crate::{
    config::Role,
    doors::{
        argument,
        inputs::{AnswerTo, Answerer, Waited},
    },
    error::Error,
    event::Object,
    intake,
    network::network,
};

#[derive(Deserialize)]
pub(super) struct Of {
    project_id: Option<String>,
    wait: Option<f64>,
}

impl Parameters for Of {
    const NAMES: &'static [&'static str] = &["project_id", "wait"];
}

pub(super) async fn wait(
    State(api): State<Api>,
    caller: Caller,
    PathName(request_id): PathName,
    Filters(of): Filters<Of>,
) -> Result<Json<Object>, Error> {
    api.metrics.usage.count("get_input");
    let waited = Waited {
        caller: name(&caller),
        request_id: &request_id,
        project: of.project_id.as_deref().filter(|id| !id.is_empty()),
        // Anything that is no time is none.
        wait: of
            .wait
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or_default(),
        who: &caller.who,
    };
    let found = api.inputs.wait(&waited).await;
    found
        .inspect_err(|refusal| api.metrics.refused("http", refusal))
        .map(Json)
}

pub(super) async fn answer(
    State(api): State<Api>,
    caller: Caller,
    PathName(request_id): PathName,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Error> {
    api.metrics.usage.count("agent_action");
    let answered = async {
        may_answer(&caller)?;
        let Some(value) = body.get("value").filter(|value| !value.is_null()) else {
            return Err(Error::bad_request(
                "value is missing: send {\"value\": \"yes\"}, or any other JSON but null",
            ));
        };
        let answer = AnswerTo {
            request_id,
            project: argument::id(&body, &["project_id", "projectId", "project"])?,
            value: value.clone(),
        };
        let by = Answerer {
            who: &caller.who,
            door: "http",
            flow: intake::flow(&caller.who, caller.address),
        };
        api.inputs.answer(&by, answer).await
    };
    let answered = answered
        .await
        .inspect_err(|refusal| api.metrics.refused("http", refusal))?;
    let mut result = json!(answered.result);
    result["status"] = "ok".into();
    Ok(Json(result))
}

/// Checks that a client may answer: an operator may, and while nobody is asked for a token whoever may publish, since
/// that client could publish an answer as well.
fn may_answer(caller: &Caller) -> Result<(), Error> {
    let who = &caller.who;
    if who.token.is_none() && who.role.may_publish() && who.is_trusted_to_act() {
        return Ok(());
    }
    caller.must(
        Role::may_act,
        "answering questions of agents takes a token with the role operator or admin",
    )
}

/// The name by which a client's waiting requests are counted: its identity, else its network.
fn name(caller: &Caller) -> Arc<str> {
    let verified = caller.who.verified();
    match verified.is_empty() {
        true => network(caller.address).to_string().into(),
        false => verified,
    }
}
