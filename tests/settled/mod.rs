//! An event's things, project, owners and producer are settled when it is accepted: nobody gets another's
//! events, changes them or suppresses them by what it says later, or said before.

mod claims;
mod confined;
mod ids;
mod keys;
mod names;
mod numbers;
mod upgrade;

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use kit::{
    PATIENCE,
    guarded::{grant, request, token},
};
use serde_json::Value;
use stoa::{access::authn::Grant, config::Role};

/// A token for publishing in these projects only.
fn producer_of(user: &str, projects: &[&str]) -> String {
    token(&Grant {
        user: Some(user.into()),
        projects: Some(projects.iter().map(ToString::to_string).collect()),
        ..grant(Role::Producer)
    })
}

async fn post(address: SocketAddr, token: &str, events: &Value) -> (u16, Value) {
    request("POST", address, "/api/v1/events", token, Some(events)).await
}

/// Waits until a server that was shut down has let go of its file: the last of its connections holds it.
async fn until_free(path: &Path) {
    let until = Instant::now() + PATIENCE;
    while std::fs::File::open(path).unwrap().try_lock().is_err() {
        assert!(Instant::now() < until, "the file is still in use");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// All events of a history that somebody sees.
async fn history(address: SocketAddr, token: &str, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/events?limit=1000{query}");
    let (status, page) = request("GET", address, &path, token, None).await;
    assert_eq!(status, 200, "{page}");
    page["events"].as_array().expect("events").clone()
}
