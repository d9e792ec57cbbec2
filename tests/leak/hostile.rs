//! Producers of other tenants that speak to the spy or about what is another's.

use std::net::SocketAddr;

use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

use super::world::{For, HOSTILE, OURS, SPY, THEIRS, WHOM, World};
use kit::guarded::{grant, request, token};

/// A producer of one project.
fn of(project: &str) -> String {
    token(&Grant {
        user: Some(format!("{project}-mallory")),
        projects: Some(vec![project.into()]),
        ..grant(Role::Producer)
    })
}

/// Says something, without limits, to all of these servers.
pub async fn say(to: &[SocketAddr], events: Value, world: &mut World) {
    let events = world.dated(events);
    let gateway = token(&Grant {
        user: Some("gateway".into()),
        ..grant(Role::Producer)
    });
    for address in to {
        let path = "/api/v1/events";
        let (status, answer) = request("POST", *address, path, &gateway, Some(&events)).await;
        assert_eq!((status, &answer["rejected"]), (202, &json!([])), "{answer}");
    }
}

/// A producer of one project says something to all of these servers; to the first of them alone if it is the hostile one.
/// The answers of both.
pub async fn post(
    to: &[SocketAddr],
    project: &str,
    events: Value,
    world: &mut World,
) -> Vec<Value> {
    let (token, events) = (of(project), world.dated(events));
    let count = if project == HOSTILE { 1 } else { to.len() };
    let mut answers = Vec::new();
    for address in &to[..count] {
        let (status, answer) =
            request("POST", *address, "/api/v1/events", &token, Some(&events)).await;
        answers.push(json!([
            status,
            answer["accepted"],
            answer["rejected"],
            answer["error"]["code"]
        ]));
    }
    answers
}

/// The same of events that must be taken.
async fn taken(to: &[SocketAddr], project: &str, events: Value, world: &mut World) {
    let count = events.as_array().map_or(1, Vec::len);
    for answer in post(to, project, events, world).await {
        assert_eq!(answer, json!([202, count, [], null]));
    }
}

/// Events of a project that name the spy and its things in every way.
fn at_the_spy(world: &mut World, project: &'static str) -> Value {
    let events = [
        json!({ "type": "user.notified", "data": { "user_id": SPY } }),
        json!({ "type": "workflow.run.progress", "data": { "execution_id": "exec-ann", "user_id": SPY, "owner_id": SPY } }),
        json!({ "type": "agent.run.started", "run": { "id": "run-ann", "user_id": SPY, "agent_id": "both" } }),
        json!({ "type": "ingest.job.progress", "job": { "id": "job-ann", "owner_id": SPY } }),
        json!({ "type": "task.updated", "data": { "task_id": "task-of-alpha", "agent_id": "both" } }),
        json!({ "type": "task.completed", "data": { "task_id": "1", "agent_id": "both" } }),
        json!({ "type": "agent.unregistered", "data": { "agent_id": "both" } }),
        json!({ "type": "system.health.changed", "data": { "severity": "critical" } }),
        json!({ "type": "agent.message.delta", "data": { "message_id": "msg", "run_id": "run-ann" } }),
        json!({ "type": "project.updated", "data": { "project_name": "alpha" } }),
        json!({ "type": "team.notice", "data": {} }),
    ];
    let said = events.into_iter().map(|mut event| {
        let m = world.next(For::Project(project));
        event["project_id"] = project.into();
        event["source"] = m.as_str().into();
        let place = ["data", "run", "job"]
            .into_iter()
            .find(|place| event[*place].is_object());
        event[place.unwrap_or("data")]["note"] = m.into();
        event
    });
    Value::Array(said.collect())
}

/// Claims of the victim's things, for the spy, in a project of its own.
fn claims(world: &mut World) -> Value {
    let ids = [
        ("agent.run.updated", "run_id", "run-vicbob"),
        ("workflow.run.progress", "execution_id", "exec-vicbob"),
        ("ingest.job.progress", "job_id", "job-vicbob"),
        ("task.updated", "task_id", "task-of-vicproject"),
        ("workflow.updated", "workflow_id", "common"),
    ];
    let said = ids.map(|(name, key, id)| {
        let m = world.next(For::Project(HOSTILE));
        json!({ "type": name, "project_id": HOSTILE, "data": { key: id, "user_id": SPY, "note": m } })
    });
    json!(said)
}

/// Another project by another name, or by none.
fn refused() -> [Value; 6] {
    [
        json!({ "type": "project.completed", "data": { "project_state": { "board_id": THEIRS } } }),
        json!({ "type": "project.updated", "data": { "projectId": THEIRS } }),
        json!({ "type": "task.updated", "project_id": OURS, "data": { "task": { "id": "1", "project_id": THEIRS } } }),
        json!({ "type": "task.updated", "data": { "task_id": "task-of-vicproject" } }),
        json!({ "type": "agent.unregistered", "data": { "agent_id": "both" } }),
        json!({ "type": "workflow.run.progress", "project_id": OURS, "data": { "execution_id": "exec-vicbob", "owner_id": SPY } }),
    ]
}

/// The deeds of such a producer, at the first of these servers; the others hear what is none of the hostile project's.
pub async fn act(to: &[SocketAddr], n: usize, world: &mut World) {
    match n % 5 {
        0 => {
            for project in [THEIRS, HOSTILE] {
                let events = at_the_spy(world, project);
                taken(to, project, events, world).await;
            }
        }
        1 => {
            let events = claims(world);
            taken(to, HOSTILE, events, world).await;
        }
        2 => {
            for event in refused() {
                let answers = post(&to[..1], OURS, event.clone(), world).await;
                let (status, code) = (&answers[0][0], &answers[0][3]);
                assert_eq!(
                    (status, code),
                    (&json!(400), &json!("forbidden")),
                    "{event}"
                );
            }
        }
        // More things than the server knows, so that it forgets others'.
        3 => {
            for part in 0..2 {
                let begin = world.published.len();
                let things = (0..300).map(|thing| {
                    let id = format!("flood-{begin}-{part}-{thing}");
                    json!({ "type": "agent.run.updated", "project_id": HOSTILE, "data": {
                        "run_id": id, "execution_id": id, "job_id": id, "task_id": id, "agent_id": id, "workflow_id": id, "user_id": SPY } })
                });
                taken(to, HOSTILE, things.collect(), world).await;
            }
        }
        // The ids that others' next events will have.
        _ => {
            let next = world.published.len();
            let ids = WHOM.iter().enumerate().map(|(at, whom)| {
                let id = World::marker(next + at, *whom);
                json!({ "type": "team.talk", "id": id, "project_id": HOSTILE })
            });
            taken(to, HOSTILE, ids.collect(), world).await;
            const WITH_ID: usize = 14;
            let events = WHOM.map(|whom| world.event(WITH_ID, whom));
            say(to, json!(events), world).await;
        }
    }
}
