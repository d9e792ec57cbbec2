//! Mistakes of an admin: an unknown key, and a ban of itself.

use std::net::SocketAddr;

use kit::guarded::{admin, guarded, observer, request};
use kit::{Client, wait_for};
use serde_json::{Value, json};

async fn banned(address: SocketAddr) -> Value {
    let (_, answer) = request("GET", address, "/api/v1/admin/bans", &admin(), None).await;
    answer["bans"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_knows_is_refused_by_both_doors() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (mut ann, hello) = Client::connect(address, json!({ "token": observer("ann", &[]) })).await;
    let mut boss = Client::open(address, "/admin", json!({ "token": admin() }))
        .await
        .expect("admins may");
    let api = |rest: &str| format!("/api/v1/admin/{rest}");
    let table = [
        (
            "ban",
            "POST",
            api("bans"),
            json!({ "user": "ann", "second": 60 }),
            "second",
            "seconds",
        ),
        (
            "ban",
            "POST",
            api("bans"),
            json!({ "user": "ann", "until": 60 }),
            "until",
            "seconds",
        ),
        (
            "unban",
            "DELETE",
            api("bans?user=ann&adress=::1"),
            json!({ "user": "ann", "adress": "::1" }),
            "adress",
            "address",
        ),
        (
            "revoke",
            "POST",
            api("revocations"),
            json!({ "user": "ann", "seconds": 60 }),
            "seconds",
            "token_id",
        ),
        (
            "unrevoke",
            "DELETE",
            api("revocations?user=ann&id=7"),
            json!({ "user": "ann", "id": 7 }),
            "id",
            "token_id",
        ),
        (
            "disconnect_client",
            "POST",
            api("disconnect"),
            json!({ "client_id": hello["client_id"], "ban": true }),
            "ban",
            "client_id",
        ),
        (
            "list_connections",
            "GET",
            api("connections?usr=ann"),
            json!({ "usr": "ann" }),
            "usr",
            "user",
        ),
    ];
    for (act, method, path, argument, wrong, right) in table {
        let body = (method == "POST").then_some(&argument);
        let (status, by_http) = request(method, address, &path, &admin(), body).await;
        assert_eq!(status, 400, "{act}: {by_http}");
        let on_admin = boss.call(act, argument.clone()).await;
        for answer in [by_http, on_admin] {
            assert_eq!(answer["error"]["code"], "bad_request", "{act}: {answer}");
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(
                message.contains(&format!("key {wrong} ")) && message.contains(right),
                "{act}: {message}"
            );
        }
    }
    let text = server.metrics().text();
    let counted = "stoa_admin_acts_total{act=\"ban\",code=\"bad_request\"} 4";
    assert!(text.contains(counted), "{text}");
    // Nothing of all that was done.
    assert_eq!(banned(address).await, json!([]));
    assert_eq!(ann.call("ping", Value::Null).await["status"], "ok");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_banned_by_a_ban_of_its_own_unless_that_is_said() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let mut boss = Client::open(address, "/admin", json!({ "token": admin() }))
        .await
        .expect("admins may");
    let path = "/api/v1/admin/bans";
    for own in [
        json!({ "user": "root", "seconds": 600 }),
        json!({ "address": "127.0.0.1" }),
        json!({ "address": "::ffff:127.0.0.1" }),
        json!({ "address": "127.0.0.1", "include_self": false }),
    ] {
        let (status, by_http) = request("POST", address, path, &admin(), Some(&own)).await;
        assert_eq!(status, 400, "{by_http}");
        let on_admin = boss.call("ban", own).await;
        for answer in [by_http, on_admin] {
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(
                message.contains("your own user") || message.contains("you come from"),
                "{message}"
            );
            assert!(message.contains("\"include_self\": true"), "{message}");
        }
    }
    let odd = json!({ "user": "root", "include_self": "yes" });
    assert_eq!(
        request("POST", address, path, &admin(), Some(&odd)).await.0,
        400
    );
    assert_eq!(banned(address).await, json!([]));
    // Somebody else's is as before, and said so it is one's own.
    let other = json!({ "address": "192.0.2.7" });
    assert_eq!(boss.call("ban", other).await["ended"], 0);
    let own = json!({ "user": "root", "seconds": 3, "include_self": true });
    let (status, answer) = request("POST", address, path, &admin(), Some(&own)).await;
    assert_eq!((status, &answer["ended"]), (200, &json!(1)), "{answer}");
    assert_eq!(
        request("GET", address, path, &admin(), None).await.0,
        403,
        "it is kept out"
    );
    wait_for("the ban's end", async || {
        request("GET", address, path, &admin(), None).await.0 == 200
    })
    .await;
    server.shutdown().await;
}

/// A ban of a user that no token can name would keep nobody out.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_cannot_be_is_neither_banned_nor_revoked() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let mut boss = Client::open(address, "/admin", json!({ "token": admin() }))
        .await
        .expect("admins may");
    for user in ["", " ann", "ann\n", "ann ", "Ann Smith", "ann\u{202e}"] {
        for (act, path) in [("ban", "bans"), ("revoke", "revocations")] {
            let argument = json!({ "user": user });
            let path = format!("/api/v1/admin/{path}");
            let by_http = request("POST", address, &path, &admin(), Some(&argument))
                .await
                .1;
            for answer in [boss.call(act, argument).await, by_http] {
                let error = &answer["error"];
                assert_eq!(error["code"], "bad_request", "{act} {user:?}: {answer}");
                assert!(
                    error["message"]
                        .as_str()
                        .unwrap()
                        .contains("no token can name")
                );
            }
        }
    }
    assert_eq!(banned(address).await, json!([]));
    for user in ["ann", "auth0|5f7c", "ann+ci@example.org"] {
        assert_eq!(
            boss.call("ban", json!({ "user": user })).await["status"],
            "ok",
            "{user}"
        );
    }
    server.shutdown().await;
}
