//! `agent_action`: from an operator to the producers that speak for an agent, and their answer back.

use std::sync::Arc;

use serde_json::{Value, json};
use socketioxide::AckError;
use tokio::sync::mpsc;

use super::{Handled, request::Request};
use crate::{
    event::{Kind, Object, Timestamp},
    refusal::Refusal,
    socketio::{adapter::SocketRef, client::Client},
};

pub(super) async fn act(client: &Arc<Client>, request: Request) -> Handled {
    let who = client.who();
    if !who.role.may_act() {
        return Err(Refusal::forbidden(
            "actions on agents take the role operator or admin: connect with auth {\"role\": \"operator\"}, or a token of that role",
        ));
    }
    if !who.is_trusted_to_act() {
        return Err(Refusal::forbidden(
            "a page of another origin than the server's own acts on agents only with a proof: give a token of the role \
             operator or admin, or the secret that the start prints, as auth.token",
        ));
    }
    let needed = |key: &'static str| {
        request
            .text(key)?
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| {
                Refusal::bad_request(format!(
                    "{key} is missing: send {{agent_id, action, params}}"
                ))
            })
    };
    let (agent_id, action) = (needed("agent_id")?, needed("action")?);
    if !who.sight.may_enter(Kind::Agent, &agent_id) {
        return Err(Refusal::forbidden("your token doesn't name this agent"));
    }
    let params = match request.field("params") {
        Value::Null => json!({}),
        params => params.clone(),
    };
    let action_id = uuid::Uuid::now_v7().to_string();
    let payload = json!({
        "type": "agent_action", "action_id": action_id, "agent_id": agent_id, "action": action,
        "params": params, "requested_by": client.id, "timestamp": Timestamp::now(),
    });
    let performers = performers(client, &agent_id).await?;
    let operator = client.clone();
    let answer = json!({ "action_id": action_id });
    // The operator's next events don't wait for the producers.
    tokio::spawn(async move {
        let outcome = first_answer(&operator, performers, payload).await;
        report(&operator, action_id, agent_id, outcome);
    });
    Ok(answer.into())
}

/// The sockets that act for an agent: those in its own room for actions, else all producers.
async fn performers(client: &Client, agent_id: &str) -> Result<Vec<SocketRef>, Refusal> {
    let hub = &client.kit.hub;
    let mut ids = hub.members_of(format!("agent:{agent_id}:actions")).await?;
    if ids.is_empty() {
        ids = hub.members_of(crate::access::PRODUCERS.to_owned()).await?;
    }
    let io = client.kit.io();
    let sockets = io.map(socketioxide::SocketIo::sockets).unwrap_or_default();
    Ok(sockets
        .into_iter()
        .filter(|socket| {
            let id = socket.extensions.get::<super::super::connect::PublicId>();
            id.is_some_and(|id| ids.contains(&id.0))
        })
        .collect())
}

async fn first_answer(
    client: &Client,
    performers: Vec<SocketRef>,
    payload: Value,
) -> Result<Value, Refusal> {
    if performers.is_empty() {
        return Err(Refusal::unavailable(
            "no producer is connected that could do it",
        ));
    }
    let (answers, mut first) = mpsc::channel(1);
    let timeout = client.kit.options.action_timeout;
    for socket in performers {
        let asked = socket
            .timeout(timeout)
            .emit_with_ack::<_, Value>("agent_action", &payload);
        let answers = answers.clone();
        tokio::spawn(async move {
            match asked {
                Ok(answer) => match answer.await {
                    Ok(value) => drop(answers.send(Ok(value)).await),
                    Err(AckError::Timeout) => {}
                    Err(error) => tracing::debug!(%error, "an action's answer could not be read"),
                },
                Err(error) => tracing::debug!(%error, "an action could not be sent"),
            }
        });
    }
    drop(answers);
    first.recv().await.unwrap_or_else(|| {
        Err(Refusal::new(
            "timeout",
            format!("no producer answered within {} ms", timeout.as_millis()),
        ))
    })
}

fn report(client: &Client, action_id: String, agent_id: String, outcome: Result<Value, Refusal>) {
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
            client.kit.metrics.refused("socketio", refusal.code);
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
