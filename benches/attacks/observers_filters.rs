//! No attack: many who watch, each of whom wants something else. What they cost together must be paid for by nobody.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Attack, Target};
use kit::socket::Socket;

pub(crate) const ATTACK: Attack = Attack {
    name: "observers-filters",
    what: "1,000 observers with different filters of 20 patterns, most of which are of the things that happen, and 60 events a second for 20 s",
    run: |target| Box::pin(run(target)),
    ..Attack::NONE
};

const OBSERVERS: usize = 1_000;
const EVENTS: usize = 1_200;
const EVERY: Duration = Duration::from_micros(16_667);
/// The names of what happens, as real producers have them.
const NAMES: [&str; 12] = [
    "task.progress",
    "task.assigned",
    "task.completed",
    "task.blocked",
    "agent.status.changed",
    "agent.run.started",
    "agent.run.completed",
    "workflow.node.state.updated",
    "workflow.execution.started",
    "project.updated",
    "ingest.job.progress",
    "note.said",
];

async fn run(target: Target) {
    let observers = target.scaled(OBSERVERS);
    let mut watching = Vec::new();
    for n in 0..observers {
        let auth = json!({ "filters": filter(n) }).to_string();
        let connected = Socket::connect(target.address, &auth, None).await;
        let mut socket = connected.expect("it connects");
        watching.push(tokio::spawn(async move {
            let mut seen = 0_usize;
            while socket.read(|_| seen += 1).await.is_ok() {}
            panic!("an observer was cut off after {seen} events");
        }));
    }
    let client = Target::client();
    let mut next = tokio::time::interval(EVERY);
    for n in 0..target.scaled(EVENTS) {
        next.tick().await;
        target.publish(&client, event(n).to_string()).await;
    }
    for one in watching {
        assert!(!one.is_finished(), "an observer was cut off");
        one.abort();
    }
}

/// Everybody wants one family of names and a few single ones, and several things that only the other observers don't.
fn filter(n: usize) -> Value {
    let family = NAMES[n % NAMES.len()].split('.').next().unwrap_or_default();
    let mut types = vec![
        format!("{family}.*"),
        format!("*.{}", ["completed", "failed", "blocked"][n % 3]),
        NAMES[(n / 7) % NAMES.len()].to_owned(),
    ];
    types.extend((0..17).map(|k| format!("team{n}.*.step{k}.*")));
    json!({ "types": types, "exclude": [format!("*.noise{n}")] })
}

fn event(n: usize) -> Value {
    json!({ "type": NAMES[n % NAMES.len()], "project_id": format!("p{}", n % 5), "data": {
        "task_id": format!("t{}", n % 50), "agent_id": format!("a{}", n % 10), "run_id": format!("r{}", n % 20),
        "execution_id": format!("e{}", n % 20), "node_id": format!("n{}", n % 30), "job_id": format!("j{}", n % 5),
        "progress": n % 100, "text": "what one says of it" } })
}
