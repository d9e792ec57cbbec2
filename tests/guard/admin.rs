//! The acts of an admin: list, end, ban, revoke.

use crate::guard::{refused, to_the_end};
use kit::guarded::{admin, grant, guarded, kept_in, observer, producer, request, token};
use kit::{Client, get, server_with, wait_for};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_ends_at_once_and_does_not_come_back() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (one, other) = (observer("ann", &["p1"]), observer("ann", &["p1"]));
    let (mut first, hello) = Client::connect(address, json!({ "token": one })).await;
    let (mut second, _) = Client::connect(address, json!({ "token": other })).await;
    let (mut neighbour, _) =
        Client::connect(address, json!({ "token": observer("bob", &["p1"]) })).await;
    let path = "/api/v1/admin/connections?user=ann";
    let (_, listed) = request("GET", address, path, &admin(), None).await;
    assert_eq!(listed["total"], 2, "{listed}");
    let ids: Vec<&str> = listed["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["client_id"].as_str().unwrap())
        .collect();
    assert!(
        ids.contains(&hello["client_id"].as_str().unwrap()),
        "{listed}"
    );
    assert!(
        !listed.to_string().contains(&first.transport),
        "the transport's id is nobody's business"
    );
    let mine = listed["connections"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["client_id"] == hello["client_id"]);
    let by_id = json!({ "token_id": mine.unwrap()["token_id"] });
    let path = "/api/v1/admin/revocations";
    let (status, answer) = request("POST", address, path, &admin(), Some(&by_id)).await;
    assert_eq!((status, &answer["ended"]), (200, &json!(1)), "{answer}");
    let last = to_the_end(&mut first).await;
    assert_eq!(last.last().expect("a last word").1["code"], "unauthorized");
    assert!(
        first.other.iter().any(|packet| packet == "41"),
        "a client must not come back by itself: {:?}",
        first.other
    );
    assert_eq!(
        refused(address, json!({ "token": one, "cursor": hello["cursor"] })).await,
        "unauthorized"
    );
    // The other token of the same user lives until the user is revoked.
    assert_eq!(second.call("ping", Value::Null).await["status"], "ok");
    let (_, answer) = request(
        "POST",
        address,
        path,
        &admin(),
        Some(&json!({ "user": "ann" })),
    )
    .await;
    assert_eq!(answer["ended"], 1, "{answer}");
    to_the_end(&mut second).await;
    assert_eq!(
        refused(
            address,
            json!({ "token": other, "cursor": hello["cursor"] })
        )
        .await,
        "unauthorized"
    );
    assert_eq!(
        request("GET", address, "/api/v1/state", &other, None)
            .await
            .0,
        401
    );
    // A token made later is good again.
    wait_for("a later second", async || {
        let later = observer("ann", &["p1"]);
        request("GET", address, "/api/v1/state", &later, None)
            .await
            .0
            == 200
    })
    .await;
    assert_eq!(neighbour.call("ping", Value::Null).await["status"], "ok");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bans_hold_over_a_restart_and_can_be_lifted() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("stoa.db");
    let start = || guarded(|config| kept_in(config, &journal));
    let server = start().await;
    let address = server.address();
    let (mut ann, hello) = Client::connect(address, json!({ "token": observer("ann", &[]) })).await;
    let (mut boss, _) = {
        let client = Client::open(address, "/admin", json!({ "token": admin() })).await;
        (client.expect("admins may"), ())
    };
    let answer = boss
        .call(
            "ban",
            json!({ "user": "ann", "seconds": 600, "reason": "noise" }),
        )
        .await;
    assert_eq!(
        (&answer["status"], &answer["ended"]),
        (&json!("ok"), &json!(1)),
        "{answer}"
    );
    assert_eq!(
        to_the_end(&mut ann).await.last().unwrap().1["code"],
        "banned"
    );
    let again = json!({ "token": observer("ann", &[]), "cursor": hello["cursor"] });
    assert_eq!(refused(address, again.clone()).await, "banned");
    boss.close().await;
    server.shutdown().await;

    let server = start().await;
    let address = server.address();
    assert_eq!(refused(address, again).await, "banned");
    let path = "/api/v1/admin/bans";
    let (_, bans) = request("GET", address, path, &admin(), None).await;
    assert_eq!(
        (&bans["bans"][0]["user"], &bans["bans"][0]["reason"]),
        (&json!("ann"), &json!("noise")),
        "{bans}"
    );
    let (_, lifted) = request(
        "DELETE",
        address,
        "/api/v1/admin/bans?user=ann",
        &admin(),
        None,
    )
    .await;
    assert_eq!(lifted["lifted"], true);
    let (_back, _) = Client::connect(address, json!({ "token": observer("ann", &[]) })).await;
    let (status, _) = request(
        "POST",
        address,
        path,
        &admin(),
        Some(&json!({ "user": "a", "address": "::1" })),
    )
    .await;
    assert_eq!(status, 400);
    // An address keeps everybody out who comes from it, whoever it is.
    let (_, answer) = request(
        "POST",
        address,
        path,
        &admin(),
        Some(&json!({ "address": "127.0.0.1", "seconds": 5, "include_self": true })),
    )
    .await;
    assert!(answer["ended"].as_u64() >= Some(1), "{answer}");
    assert_eq!(
        refused(address, json!({ "token": observer("bob", &[]) })).await,
        "banned"
    );
    wait_for("the ban's end", async || {
        request("GET", address, "/api/v1/state", &producer(), None)
            .await
            .0
            == 200
    })
    .await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_ends_with_its_producers_ban() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let token = token(&Grant {
        user: Some("uploader".into()),
        ..grant(Role::Producer)
    });
    let (lines, body) = tokio::sync::mpsc::channel::<Result<String, std::io::Error>>(1);
    let body = futures_util::stream::unfold(body, |mut body| async move {
        body.recv().await.map(|line| (line, body))
    });
    let upload = kit::http_client()
        .post(format!("http://{address}/api/v1/events"))
        .bearer_auth(&token)
        .header("content-type", "application/x-ndjson")
        .body(reqwest::Body::wrap_stream(body))
        .send();
    let upload = tokio::spawn(upload);
    let line = json!({ "type": "agent.registered", "data": { "agent_id": "a" } });
    let part = format!("{line}\n").repeat(500);
    lines.send(Ok(part.clone())).await.expect("it is read");
    let events = async || {
        let (_, page) = request("GET", address, "/api/v1/events", &admin(), None).await;
        page["events"].as_array().map_or(0, Vec::len)
    };
    wait_for("the first part", async || events().await > 0).await;
    let ban = json!({ "user": "uploader" });
    let path = "/api/v1/admin/bans";
    assert_eq!(
        request("POST", address, path, &admin(), Some(&ban)).await.0,
        200
    );
    lines.send(Ok(part)).await.ok();
    drop(lines);
    let answer = upload.await.expect("ends").expect("answers");
    assert_eq!(answer.status().as_u16(), 403);
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["error"]["code"], "banned");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api_takes_the_role_and_ends_one_connection() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (mut ann, hello) = Client::connect(address, json!({ "token": observer("ann", &[]) })).await;
    let id = hello["client_id"].as_str().unwrap();
    let path = format!("/api/v1/admin/connections/{id}");
    let operator = token(&grant(Role::Operator));
    assert_eq!(
        request("DELETE", address, &path, &operator, None).await.0,
        403
    );
    assert_eq!(ann.call("ping", Value::Null).await["status"], "ok");
    assert_eq!(
        request("DELETE", address, &path, &admin(), None).await.0,
        200
    );
    to_the_end(&mut ann).await;
    assert_eq!(
        request("DELETE", address, &path, &admin(), None).await.0,
        404
    );
    let mut on_admin = Client::open(address, "/admin", json!({ "token": operator }))
        .await
        .expect("operators may");
    let answer = on_admin.call("list_connections", json!({})).await;
    assert_eq!(answer["error"]["code"], "forbidden", "{answer}");
    server.shutdown().await;
    // Without authentication HTTP can't tell an admin from anybody else.
    let open = server_with(|_| {}).await;
    let (status, _) = get(open.address(), "/api/v1/admin/connections").await;
    assert_eq!(status, 401);
    open.shutdown().await;
}

/// A decision holds while the server runs, whatever becomes of the file, and is kept as soon as that is possible.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_cannot_be_kept_holds_and_is_told_and_the_next_one_takes_it_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("stoa.db");
    let away = folder.path().join("away.db");
    let server = guarded(|config| kept_in(config, &journal)).await;
    let address = server.address();
    let act = async |method: &str, list: &str, body: Value| {
        let path = format!("/api/v1/admin/{list}");
        request(method, address, &path, &admin(), Some(&body)).await
    };
    let is_out = async |user: &'static str| {
        let token = json!({ "token": observer(user, &[]) });
        assert_eq!(refused(address, token).await, "banned");
    };
    for user in ["ann", "bob"] {
        assert_eq!(act("POST", "bans", json!({ "user": user })).await.0, 200);
    }
    std::fs::rename(&journal, &away).expect("renames");
    is_out("ann").await;
    for _ in 0..2 {
        let (status, answer) = act("POST", "bans", json!({ "user": "eve" })).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (503, &json!("unavailable")),
            "{answer}"
        );
        let said = answer["error"]["message"].as_str().expect("a sentence");
        assert!(
            said.contains("holds until the server stops") && said.contains("deleted or renamed"),
            "{said}"
        );
        is_out("eve").await;
    }
    let (status, _) = request(
        "DELETE",
        address,
        "/api/v1/admin/bans?user=ann",
        &admin(),
        None,
    )
    .await;
    assert_eq!(status, 503);
    let (ann, _) = Client::connect(address, json!({ "token": observer("ann", &[]) })).await;
    ann.close().await;
    let (status, _) = act("POST", "revocations", json!({ "token_id": "lost" })).await;
    assert_eq!(status, 503);
    std::fs::rename(&away, &journal).expect("renames");
    wait_for("the journal is back", async || {
        get(address, "/readyz").await.0 == 200
    })
    .await;
    assert_eq!(act("POST", "bans", json!({ "user": "mal" })).await.0, 200);
    let text = server.metrics().text();
    for counted in [
        "stoa_admin_acts_total{act=\"ban\",code=\"unavailable\"} 2",
        "stoa_admin_acts_total{act=\"unban\",code=\"unavailable\"} 1",
        "stoa_admin_acts_total{act=\"revoke\",code=\"unavailable\"} 1",
    ] {
        assert!(text.contains(counted), "{counted} {text}");
    }
    server.shutdown().await;

    let server = guarded(|config| kept_in(config, &journal)).await;
    let address = server.address();
    let list = async |list: &str| {
        let path = format!("/api/v1/admin/{list}");
        request("GET", address, &path, &admin(), None).await.1
    };
    let bans = list("bans").await;
    let users: Vec<_> = bans["bans"]
        .as_array()
        .expect("bans")
        .iter()
        .map(|ban| &ban["user"])
        .collect();
    assert_eq!(users, ["bob", "eve", "mal"], "{bans}");
    let revocations = list("revocations").await;
    assert_eq!(revocations["revocations"][0]["token"], "lost");
    server.shutdown().await;
}
