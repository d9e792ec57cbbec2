//! The state of the run that a stream follows, or of all runs of its project that go on: what a client that comes in the
//! middle is told first.

use serde_json::{Value, json};

use crate::{
    access::authz::Permissions,
    channel::Namespace,
    delivery::Outgoing,
    error::Error,
    event::{Object, ThingKind},
    hub::HubHandle,
    projections::state::Run,
};

/// The first messages of a stream.
#[derive(Debug)]
pub(super) struct First {
    pub(super) messages: Vec<Outgoing>,
    /// The place of the state: the client goes on from there.
    pub(super) cursor: String,
    /// Runs for which there is no room.
    pub(super) left_out: usize,
}

/// The state of one thing, or of the project's runs in about `max_bytes`.
///
/// # Errors
/// `unavailable` while the server goes down.
pub(super) async fn first(
    hub: &HubHandle,
    permissions: Permissions,
    project: String,
    thing: Option<(ThingKind, String)>,
    max_bytes: usize,
) -> Result<First, Error> {
    // A picture stays as it is, so it is read outside of the loop.
    let (picture, _, cursor) = hub.picture().await?;
    let find = move || match thing {
        Some((kind, id)) => {
            let run = picture.run(&permissions, &project, (kind, &id));
            (run.into_iter().collect(), 0)
        }
        None => {
            let running = picture.running(&permissions, &project, max_bytes);
            (running.runs, running.left_out)
        }
    };
    let found: Result<(Vec<Run>, usize), _> = tokio::task::spawn_blocking(find).await;
    let (runs, left_out) =
        found.map_err(|_| Error::unavailable("the state could not be read; connect again"))?;
    let mut bodies: Vec<Object> = runs.iter().flat_map(told).collect();
    if let Some(last) = bodies.last_mut() {
        // A client that leaves before the last one does not have the state, so no other has a cursor.
        last.insert("cursor".into(), cursor.as_str().into());
    }
    let messages = bodies.into_iter().map(|body| {
        let is_last = body.contains_key("cursor");
        let message = Outgoing::new(Namespace::Root, "state", Value::Object(body).to_string());
        match is_last {
            true => message.at(&cursor),
            false => message,
        }
    });
    Ok(First {
        messages: messages.collect(),
        cursor: cursor.clone(),
        left_out,
    })
}

/// The messages that tell a run: the run, and an agent's last step.
fn told(run: &Run) -> Vec<Object> {
    let facts: Value = serde_json::from_str(&run.json).unwrap_or_default();
    let (event, key) = match run.kind {
        ThingKind::Job => ("ingest.job.updated", "job"),
        ThingKind::Execution => ("workflow.run.updated", "run"),
        _ => ("agent.run.updated", "run"),
    };
    let timestamp = facts["updated_at"].clone();
    let step = facts.get("step").filter(|step| step.is_object()).cloned();
    let step = step.map(|step| ("agent.step.updated", "step", step));
    let message = |(event, key, value): (&str, &str, Value)| {
        let body = json!({ "type": event, key: value, "timestamp": timestamp, "snapshot": true });
        match body {
            Value::Object(body) => body,
            _ => Object::new(),
        }
    };
    let told = [Some((event, key, facts)), step];
    told.into_iter().flatten().map(message).collect()
}
