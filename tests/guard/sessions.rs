//! The length of a session, and the ways to prolong it.

use crate::guard::{refused, to_the_end};
use kit::guarded::{admin, grant, guarded, observer, publish, request, token};
use kit::{Client, wait_for};
use serde_json::json;
use std::time::{Duration, SystemTime};
use stoa::{access::authn::Grant, config::Role};

/// Seconds that a brief token lives: longer than a busy machine needs to connect with it and to ask.
const TTL: u64 = 6;

fn short(ttl: u64) -> (String, SystemTime) {
    let token = token(&Grant {
        user: Some("brief".into()),
        ttl: Duration::from_secs(ttl),
        ..grant(Role::Observer)
    });
    (token, SystemTime::now() + Duration::from_secs(ttl))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_token_to_the_second() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (token, end) = short(TTL);
    let (mut client, hello) = Client::connect(address, json!({ "token": token })).await;
    assert!(hello["expires_at"].is_string(), "{hello}");
    let stream = kit::http_client()
        .get(format!("http://{address}/api/v1/stream?token={token}"))
        .send();
    let stream = stream.await.expect("answers");
    let last = to_the_end(&mut client).await;
    // Times are whole seconds. Not before; and behind it no later than a busy machine may be.
    let (early, late) = (Duration::from_millis(1_100), Duration::from_secs(15));
    let now = SystemTime::now();
    assert!(
        now + early > end && now < end + late,
        "{now:?}, not {end:?}"
    );
    let (name, why) = last.last().expect("a last word");
    assert_eq!(
        (name.as_str(), &why["code"]),
        ("error", &json!("token_expired"))
    );
    let text = stream.text().await.unwrap_or_default();
    assert!(
        text.trim_end()
            .lines()
            .last()
            .is_some_and(|l| l.contains("token_expired")),
        "{text}"
    );
    assert_eq!(
        refused(address, json!({ "token": token })).await,
        "token_expired"
    );
    wait_for("the list to be empty", async || {
        let (_, listed) =
            request("GET", address, "/api/v1/admin/connections", &admin(), None).await;
        listed["total"] == 0
    })
    .await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authenticate_prolongs_a_session_and_its_rooms_are_looked_at_again() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let brief = token(&Grant {
        user: Some("u1".into()),
        projects: Some(vec!["p1".into(), "p2".into()]),
        ttl: Duration::from_secs(TTL),
        ..grant(Role::Observer)
    });
    let auth = json!({ "token": brief, "rooms": ["project:p1", "project:p2"] });
    let (mut client, hello) = Client::connect(address, auth).await;
    let answer = client
        .call("authenticate", json!({ "token": observer("u2", &["p1"]) }))
        .await;
    assert_eq!(answer["error"]["code"], "forbidden", "{answer}");
    let answer = client
        .call("authenticate", json!({ "token": "nonsense" }))
        .await;
    assert_eq!(answer["error"]["code"], "unauthorized", "{answer}");
    let answer = client
        .call("authenticate", json!({ "token": observer("u1", &["p1"]) }))
        .await;
    assert_eq!(
        (&answer["status"], &answer["rooms_left"]),
        (&json!("ok"), &json!(["project:p2"])),
        "{answer}"
    );
    let error = client
        .event_where("error", |e| e["room_id"] == "project:p2")
        .await;
    assert_eq!(error["code"], "forbidden_room");
    // Well beyond the first token's end it still gets what it may see, and nothing else.
    assert!(hello["expires_at"].is_string());
    tokio::time::sleep(Duration::from_secs(TTL + 1)).await;
    publish(
        address,
        &json!([
            { "type": "task.created", "project_id": "p2", "data": { "task_id": "hidden" } },
            { "type": "task.created", "project_id": "p1", "data": { "task_id": "shown" } },
        ]),
    )
    .await;
    let update = client.event("task_update").await;
    assert_eq!(update["data"]["task_id"], "shown", "{update}");
    server.shutdown().await;
}
