//! Tokens that are named on a live connection: to prolong it, and to end another one.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::Secrets;
use kit::{Client, guarded::request};

/// A live connection: another token, in vain and with success, in every form.
pub async fn authenticate(address: SocketAddr, secrets: &Secrets) -> String {
    let (mut client, hello) = Client::connect(address, json!({ "token": secrets.watcher })).await;
    let mut heard = hello.to_string();
    for wrong in [
        &secrets.old,
        &secrets.forged,
        &secrets.endless,
        &secrets.admin,
    ] {
        let answer = client.call("authenticate", json!({ "token": wrong })).await;
        assert_eq!(answer["status"], "error", "{answer}");
        heard += &answer.to_string();
        for argument in [
            json!({ "token": { "jwt": wrong } }),
            json!(wrong),
            json!([wrong]),
        ] {
            heard += &client.call("authenticate", argument).await.to_string();
        }
    }
    let answer = client
        .call("authenticate", json!({ "token": secrets.fresher }))
        .await;
    assert_eq!(answer["status"], "ok", "{answer}");
    heard + &answer.to_string() + &format!("{:?}", client.so_far().await)
}

/// An admin, by both doors: a revocation by the token itself, and all the wrong places where one may put it.
pub async fn administer(address: SocketAddr, secrets: &Secrets) -> String {
    let (admin, mut heard) = (&secrets.admin, String::new());
    let (mut eve, _) = Client::connect(address, json!({ "token": secrets.doomed })).await;
    let revocations = "/api/v1/admin/revocations";
    let by_token = json!({ "token": secrets.doomed });
    let (status, answer) = request("POST", address, revocations, admin, Some(&by_token)).await;
    assert_eq!((status, &answer["ended"]), (200, &json!(1)), "{answer}");
    while let Some(event) = eve.next().await {
        heard += &format!("{event:?}");
    }
    let mut boss = Client::open(address, "/admin", json!({ "token": admin }))
        .await
        .expect("admins may");
    heard += &boss.call("revoke", by_token).await.to_string();
    for secret in [
        &secrets.doomed,
        &secrets.forged,
        &secrets.endless,
        &secrets.key,
    ] {
        let other = [
            json!({ "token_id": secret }),
            json!({ "user": secret }),
            json!({ "user": "nobody", "reason": secret, "seconds": 1 }),
            json!({ "client_id": secret }),
            json!({ "jwt": secret }),
            json!({ "token": [secret] }),
            json!([{ "token": secret }]),
            json!(secret),
        ];
        for argument in other {
            for path in [
                revocations,
                "/api/v1/admin/bans",
                "/api/v1/admin/disconnect",
            ] {
                heard += &request("POST", address, path, admin, Some(&argument))
                    .await
                    .1
                    .to_string();
            }
            for act in [
                "revoke",
                "ban",
                "unban",
                "disconnect_client",
                "list_connections",
            ] {
                heard += &boss.call(act, argument.clone()).await.to_string();
            }
        }
        for path in [
            format!("/api/v1/admin/bans?user={secret}"),
            format!("/api/v1/admin/connections/{secret}"),
        ] {
            heard += &request("DELETE", address, &path, admin, None)
                .await
                .1
                .to_string();
        }
    }
    let (_, kept) = request("GET", address, revocations, admin, None).await;
    // The one that was meant.
    assert_eq!(
        kept["revocations"].as_array().map(Vec::len),
        Some(1),
        "{kept}"
    );
    for event in [
        "get_stats",
        "get_rooms",
        "list_connections",
        "list_bans",
        "list_revocations",
    ] {
        let answer = boss.call(event, Value::Null).await;
        assert_eq!(answer["status"], "ok", "{event}: {answer}");
        heard += &answer.to_string();
    }
    heard
}
