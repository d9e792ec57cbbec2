//! `agent_action`: from an operator to the producers that speak for an agent, and their answer back.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::{Value, json};

use super::{
    Answer, Handled,
    request::{Request, attach},
};
use crate::{
    channel::Namespace,
    doors::socketio::{client::Client, engine::Answered},
    error::Refusal,
    event::{Kind, Object, lenient},
    timestamp::Timestamp,
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
    let project = home(client, &agent_id, request.text("project_id")?)?;
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
    let under_way = client.kit.actions.begin(client, payload.len())?;
    let performers = performers(client, &agent_id, project.as_deref()).await?;
    let answer = json!({ "action_id": action_id });
    if performers.is_empty() {
        let refusal = Refusal::unavailable(format!(
            "no producer is connected that performs actions of this agent: one joins agent:{agent_id}:actions"
        ));
        report(client, action_id, agent_id, Err(refusal.clone()));
        return Ok(Answer::Refused(refusal, answer.to_string()));
    }
    let operator = client.clone();
    // The operator's next events don't wait for the producers.
    tokio::spawn(async move {
        let outcome = first_answer(&operator, performers, &payload).await;
        drop(under_way);
        report(&operator, action_id, agent_id, outcome);
    });
    Ok(answer.into())
}

/// The project in which an agent is acted on: the one that was named, else the only one in which the operator may see it.
fn home(client: &Client, agent: &str, named: Option<&str>) -> Result<Option<Arc<str>>, Refusal> {
    let who = client.who();
    let holds = |project: &str| who.sight.may_enter(Kind::Project, project);
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return if holds(named) {
            Ok(Some(named.into()))
        } else {
            Err(Refusal::forbidden("your token doesn't name this project"))
        };
    }
    let several = || {
        Refusal::bad_request(format!(
            "an agent {agent} is known in several projects: say in which one, as project_id"
        ))
    };
    let known = client.kit.porter.homes_of(agent).ok_or_else(several)?;
    // One that is of no project is everybody's who has no limits, and what a bare id means.
    let is_shared = known.iter().any(Option::is_none) && !who.sight.is_limited();
    let is_new = known.is_empty() && who.sight.may_enter(Kind::Agent, agent);
    if is_new && who.sight.is_limited() {
        // It may be another project's: who performs for all would do it for that one.
        return Err(Refusal::forbidden(
            "this agent is not known in a project of your token's yet: say in which one it is, as project_id",
        ));
    }
    if is_shared || is_new {
        return Ok(None);
    }
    let mut seen = known.into_iter().flatten().filter(|project| holds(project));
    match (seen.next(), seen.next()) {
        (Some(project), None) => Ok(Some(project)),
        (Some(_), Some(_)) => Err(several()),
        (None, _) => Err(Refusal::forbidden(
            "your token names neither this agent nor a project of its",
        )),
    }
}

/// The clients that act for an agent: those in its room for actions whose token names the project. Nobody else is told.
async fn performers(
    client: &Client,
    agent: &str,
    project: Option<&str>,
) -> Result<Vec<Arc<Client>>, Refusal> {
    let kit = &client.kit;
    // An id with a slash in it would name the room of another project's agent.
    let mut ids = match agent.contains('/') {
        true => Vec::new(),
        false => kit.hub.members_of(format!("agent:{agent}:actions")).await?,
    };
    if let Some(project) = project {
        // A member of both rooms is asked once.
        let own = format!("agent:{project}/{agent}:actions");
        ids.extend(kit.hub.members_of(own).await?);
        ids.sort_unstable();
        ids.dedup();
    }
    let mut performers = kit.actions.among(&ids);
    performers.retain(|performer| {
        let who = performer.who();
        who.performs_for(agent) && who.performs_in(project)
    });
    Ok(performers)
}

async fn first_answer(
    client: &Client,
    performers: Vec<Arc<Client>>,
    payload: &str,
) -> Result<Value, Refusal> {
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
        Err(Refusal::unavailable("the producer left before it answered"))
    };
    let timeout = client.kit.options.action_timeout;
    tokio::time::timeout(timeout, first)
        .await
        .unwrap_or_else(|_| {
            let most = timeout.as_millis();
            Err(Refusal::new(
                "timeout",
                format!("no producer answered within {most} ms ([server] action_timeout)"),
            ))
        })
}

/// The value of an answer: none is `null`, and an attachment stands as base64 in its place.
fn read(answer: Result<Answered, String>) -> Result<Value, Refusal> {
    let unreadable =
        |why: &str| Refusal::bad_request(format!("the producer's answer can't be read: {why}"));
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
