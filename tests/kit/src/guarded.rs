//! A server that asks for tokens, and the tokens for it.

use std::{net::SocketAddr, path::Path, time::Duration};

use serde_json::Value;
use stoa::{
    access::authn::{Grant, Signer},
    config::{Config, JournalKind, Role},
    server::Running,
};

use super::server_with;

pub const SECRET: &str = "a secret that only these tests know";

/// Starts a server that lets nobody in without a token.
pub async fn guarded(change: impl FnOnce(&mut Config)) -> Running {
    server_with(|config| {
        config.authentication.required = true;
        config.authentication.secret = SECRET.into();
        // A test may send as much as it likes; limits have tests of their own.
        config.rate_limiting.enabled = stoa::config::Switch::Off;
        change(config);
    })
    .await
}

/// Keeps events and decisions in this file.
pub fn kept_in(config: &mut Config, journal: &Path) {
    config.journal.kind = JournalKind::Sqlite;
    config.journal.path = journal.to_owned();
}

/// A token in the making.
pub fn grant(role: Role) -> Grant {
    Grant {
        user: None,
        name: None,
        role,
        rooms: None,
        projects: None,
        agents: None,
        ttl: Duration::from_secs(600),
    }
}

/// The token.
pub fn token(grant: &Grant) -> String {
    let mut config = Config::default().authentication;
    config.secret = SECRET.into();
    let signer = Signer::with_secret(&config).expect("there is a secret");
    signer.sign(grant).expect("it would be believed")
}

/// A watcher of projects.
pub fn observer(user: &str, projects: &[&str]) -> String {
    token(&Grant {
        user: Some(user.into()),
        projects: Some(projects.iter().map(ToString::to_string).collect()),
        ..grant(Role::Observer)
    })
}

pub fn producer() -> String {
    token(&grant(Role::Producer))
}

pub fn admin() -> String {
    token(&Grant {
        user: Some("root".into()),
        ..grant(Role::Admin)
    })
}

/// A token that says just this, by the right secret, as an issuer of one's own may make it.
pub fn saying(claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).expect("signs")
}

/// The seconds since 1970.
pub fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// A request with a token; the status and the answer.
pub async fn request(
    method: &str,
    address: SocketAddr,
    path: &str,
    token: &str,
    body: Option<&Value>,
) -> (u16, Value) {
    let method = method.parse::<reqwest::Method>().expect("a method");
    let mut request = crate::http_client()
        .request(method, format!("http://{address}{path}"))
        .bearer_auth(token);
    if let Some(body) = body {
        request = request.json(body);
    }
    let response = request.send().await.expect("answers");
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}

/// Publishes with a producer's token.
pub async fn publish(address: SocketAddr, event: &Value) -> Value {
    let (status, answer) =
        request("POST", address, "/api/v1/events", &producer(), Some(event)).await;
    assert_eq!(status, 202, "{answer}");
    answer
}
