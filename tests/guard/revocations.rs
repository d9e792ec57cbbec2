//! The reach of a revocation, and taking it back.

use std::net::SocketAddr;

use crate::guard::{refused, to_the_end};
use kit::guarded::{admin, guarded, kept_in, now, observer, request, saying};
use kit::{Client, get, wait_for};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/admin/revocations";

async fn revoke(address: SocketAddr, what: &Value) -> Value {
    let (status, answer) = request("POST", address, PATH, &admin(), Some(what)).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Whether a token opens a door.
async fn opens(address: SocketAddr, token: &str) -> bool {
    request("GET", address, "/api/v1/state", token, None)
        .await
        .0
        == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_escapes_by_saying_that_it_is_made_later() {
    let server = guarded(|config| config.authentication.leeway.set(3.0).unwrap()).await;
    let address = server.address();
    let made = |at: u64| saying(&json!({ "sub": "ann", "exp": now() + 600, "iat": at }));
    // Beyond what clocks may be apart it is not believed, revoked or not.
    let later = made(now() + 60);
    assert_eq!(
        refused(address, json!({ "token": later })).await,
        "unauthorized"
    );
    let text = server.metrics().text();
    let counted = "stoa_tokens_denied_total{reason=\"token_made_later\"} 1";
    assert!(text.contains(counted), "{text}");
    // SegmentPosition it, it is believed, and made before the revocation all the same.
    let iat = now() + 2;
    let ahead = made(iat);
    assert!(opens(address, &ahead).await);
    revoke(address, &json!({ "user": "ann" })).await;
    assert!(!opens(address, &ahead).await);
    wait_for("its iat is over", async || now() > iat).await;
    assert!(!opens(address, &ahead).await, "it was made before");
    wait_for("a token that was made after it", async || {
        opens(address, &made(now())).await
    })
    .await;
    assert!(!opens(address, &ahead).await);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_can_be_forgiven_also_over_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("stoa.db");
    let start = || guarded(|config| kept_in(config, &journal));
    let server = start().await;
    let address = server.address();
    // Without iat nobody can say that it was made later: it is revoked for good.
    let timeless = saying(&json!({ "sub": "svc", "exp": now() + 600 }));
    let named = saying(&json!({ "sub": "eve", "exp": now() + 600, "iat": now(), "jti": "t-1" }));
    let (mut live, _) = Client::connect(address, json!({ "token": timeless })).await;
    assert_eq!(revoke(address, &json!({ "user": "svc" })).await["ended"], 1);
    to_the_end(&mut live).await;
    revoke(address, &json!({ "token": named })).await;
    assert!(!opens(address, &timeless).await && !opens(address, &named).await);
    server.shutdown().await;

    let server = start().await;
    let address = server.address();
    assert!(!opens(address, &timeless).await && !opens(address, &named).await);
    // By the query, by the body, and on /admin.
    let by_query = format!("{PATH}?user=svc");
    let forgive = |path: String, body: Option<Value>| async move {
        request("DELETE", address, &path, &admin(), body.as_ref()).await
    };
    assert_eq!(
        forgive(by_query.clone(), None).await,
        (200, json!({ "lifted": true }))
    );
    assert!(opens(address, &timeless).await);
    assert_eq!(
        forgive(by_query, None).await,
        (200, json!({ "lifted": false })),
        "once is enough"
    );
    let by_token = json!({ "token": named });
    assert_eq!(
        forgive(PATH.into(), Some(by_token.clone())).await,
        (200, json!({ "lifted": true }))
    );
    assert!(opens(address, &named).await);
    let mut boss = Client::open(address, "/admin", json!({ "token": admin() }))
        .await
        .expect("admins may");
    for what in [json!({ "token_id": "t-1" }), by_token] {
        assert_eq!(boss.call("revoke", what.clone()).await["status"], "ok");
        assert!(!opens(address, &named).await);
        let answer = boss.call("unrevoke", what).await;
        assert_eq!(answer, json!({ "status": "ok", "lifted": true }));
        assert!(opens(address, &named).await);
    }
    for (path, body) in [
        (PATH, None),
        (
            "/api/v1/admin/revocations?user=a",
            Some(json!({ "user": "a" })),
        ),
        (PATH, Some(json!({ "user": "a", "token_id": "b" }))),
        (PATH, Some(json!({ "user": "a", "token": named }))),
    ] {
        let (status, answer) = forgive(path.into(), body).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("bad_request")),
            "{path}"
        );
    }
    let (status, _) = request("DELETE", address, PATH, &observer("ann", &[]), None).await;
    assert_eq!(status, 403);
    assert_eq!(get(address, PATH).await.0, 401);
    let text = server.metrics().text();
    for counted in [
        "stoa_admin_acts_total{act=\"unrevoke\",code=\"ok\"} 5",
        "stoa_admin_acts_total{act=\"unrevoke\",code=\"forbidden\"} 1",
    ] {
        assert!(text.contains(counted), "{counted}: {text}");
    }
    boss.close().await;
    server.shutdown().await;

    let server = start().await;
    let address = server.address();
    assert!(opens(address, &timeless).await && opens(address, &named).await);
    let (_, kept) = request("GET", address, PATH, &admin(), None).await;
    assert_eq!(kept, json!({ "revocations": [] }));
    server.shutdown().await;
}
