//! `agent_action`: goes from an operator to the producers that perform an agent's actions, and their answer comes back.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::{Value, json};

use super::{
    answer::{Answer, Handled},
    performers::{self, Performers},
    request::{Request, attach},
};
use crate::{
    channel::Namespace,
    doors::socketio::{actions::Performer, client::Client, engine::Answered},
    error::Error,
    event::{Object, lenient},
    timestamp::Timestamp,
};

pub(super) async fn act(client: &Arc<Client>, request: Request) -> Handled {
    let who = client.who();
    if !who.role.may_act() {
        return Err(Error::forbidden(
            "actions on agents take the role operator or admin: connect with auth {\"role\": \"operator\"}, or a token of that role",
        ));
    }
    if !who.is_trusted_to_act() {
        return Err(Error::forbidden(
            "a page of another origin than the server's own acts on agents only with a proof: give a token of the role \
             operator or admin, or the secret that the start prints, as auth.token",
        ));
    }
    let missing = |key: &str| {
        Error::bad_request(format!(
            "{key} is missing: send {{agent_id, action, params}}"
        ))
    };
    let agent_id = request.id(&["agent_id", "agentId"])?;
    let agent_id = agent_id.ok_or_else(|| missing("agent_id"))?;
    let action = request.text("action")?.filter(|text| !text.is_empty());
    let action = action.ok_or_else(|| missing("action"))?.to_owned();
    let project = request.id(&["project_id", "projectId", "project"])?;
    let Performers { project, clients } =
        performers::find(client, &agent_id, project.as_deref()).await?;
    let params = match request.field("params") {
        Value::Null => json!({}),
        params => params.clone(),
    };
    let action_id = crate::event::mint_id().to_string();
    let payload = json!({
        "type": "agent_action", "action_id": action_id, "agent_id": agent_id, "project_id": project,
        "action": action, "params": params, "requested_by": client.id, "timestamp": Timestamp::now(),
    })
    .to_string();
    let slot = client
        .context
        .actions
        .begin(&client.performer, payload.len())?;
    let answer = json!({ "action_id": action_id });
    if clients.is_empty() {
        let room = performers::room(project.as_deref(), &agent_id);
        let refusal = Error::unavailable(format!(
            "no producer is connected that performs actions of this agent: one joins {room}"
        ));
        report(client, action_id, agent_id, Err(refusal.clone()));
        return Ok(Answer::Refused(refusal, answer.to_string()));
    }
    let operator = client.clone();
    // A task of its own, so that the operator's next events don't wait for the producers.
    tokio::spawn(async move {
        let outcome = first_answer(&operator, clients, &payload).await;
        drop(slot);
        report(&operator, action_id, agent_id, outcome);
    });
    Ok(answer.into())
}

async fn first_answer(
    client: &Client,
    performers: Vec<Arc<Performer>>,
    payload: &str,
) -> Result<Value, Error> {
    let mut answers: FuturesUnordered<_> = performers
        .iter()
        .map(|performer| {
            let mut asked = performer.lane.ask(Namespace::Root, "agent_action", payload);
            async move { asked.answer().await }
        })
        .collect();
    let first = async {
        while let Some(answer) = answers.next().await {
            if let Some(answer) = answer {
                return read(answer);
            }
        }
        Err(Error::unavailable("the producer left before it answered"))
    };
    let timeout = client.context.options.action_timeout;
    tokio::time::timeout(timeout, first)
        .await
        .unwrap_or_else(|_| {
            let most = timeout.as_millis();
            Err(Error::new(
                "timeout",
                format!("no producer answered within {most} ms ([server] action_timeout)"),
            ))
        })
}

/// The value of an answer: an absent one is `null`, and an attachment stands as base64 in its place.
fn read(answer: Result<Answered, String>) -> Result<Value, Error> {
    let unreadable =
        |why: &str| Error::bad_request(format!("the producer's answer can't be read: {why}"));
    let answer = answer.map_err(|why| unreadable(&why))?;
    let mut value = match serde_json::from_str::<Vec<Value>>(&answer.json) {
        Ok(arguments) => arguments.into_iter().next().unwrap_or_default(),
        Err(_) if answer.json.is_empty() => Value::Null,
        Err(error) => {
            let parts = lenient::elements(answer.json.as_bytes(), 1);
            let (parts, _) = parts.ok_or_else(|| unreadable(&error.to_string()))?;
            match parts.first() {
                None => Value::Null,
                Some(first) => lenient::read(first)
                    .map(|(value, _)| value)
                    .map_err(|rejection| unreadable(&rejection.message))?,
            }
        }
    };
    let attachments: Vec<Bytes> = answer.attachments.into_iter().map(Into::into).collect();
    attach(&mut value, &attachments);
    Ok(value)
}

fn report(client: &Client, action_id: String, agent_id: String, outcome: Result<Value, Error>) {
    let mut body = Object::new();
    body.insert("type".into(), "agent_action_result".into());
    body.insert("action_id".into(), action_id.into());
    body.insert("agent_id".into(), agent_id.into());
    match outcome {
        Ok(result) => {
            body.insert("status".into(), "ok".into());
            body.insert("result".into(), result);
        }
        Err(refusal) => {
            client.context.metrics.refused("socketio", refusal.code);
            body.insert(
                "status".into(),
                if refusal.code == "timeout" {
                    "timeout"
                } else {
                    "error"
                }
                .into(),
            );
            body.insert("error".into(), json!(refusal));
        }
    }
    body.insert("timestamp".into(), json!(Timestamp::now()));
    client.emit("agent_action_result", body);
}
