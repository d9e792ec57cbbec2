//! Alerts, over the wire: operators are told of runs that fail or wait and of figures that are bad, and a webhook gets
//! signed posts of them.

mod figures;
mod posts;
pub(crate) mod receiver;
mod runs;

use kit::{
    counted_in,
    guarded::{grant, token},
};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role, server::Running};

pub(crate) fn operator(projects: &[&str]) -> Value {
    let projects = projects.iter().map(ToString::to_string).collect();
    let grant = Grant {
        user: Some("op".into()),
        projects: Some(projects),
        ..grant(Role::Operator)
    };
    json!({ "token": token(&grant) })
}

pub(crate) fn failed(run: &str) -> Value {
    json!({
        "type": "agent.run.failed", "project_id": "shop",
        "data": { "run_id": run, "errorMessage": "no <b>key</b>" },
    })
}

pub(crate) fn told(server: &Running, code: &str, status: &str) -> u64 {
    let start = format!("stoa_alerts_total{{code=\"{code}\",status=\"{status}\"}}");
    counted_in(server, &start)
}

pub(crate) fn lost(server: &Running, why: &str) -> u64 {
    counted_in(
        server,
        &format!("stoa_webhook_dropped_total{{reason=\"{why}\"}}"),
    )
}
