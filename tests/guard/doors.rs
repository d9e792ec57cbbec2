//! The identity that each door gives to a client.

use crate::guard::refused;
use kit::guarded::{grant, guarded, observer, producer, request, saying, token};
use kit::{Client, get};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_token_nobody_comes_in_by_any_door() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    assert_eq!(refused(address, json!({})).await, "unauthorized");
    assert_eq!(
        refused(address, json!({ "role": "admin" })).await,
        "unauthorized"
    );
    assert_eq!(
        refused(address, json!({ "token": "x.y.z" })).await,
        "unauthorized"
    );
    assert!(
        Client::open(address, "/admin", json!({ "role": "admin" }))
            .await
            .is_err_and(|message| message.starts_with("unauthorized:"))
    );
    let paths = [
        "/api/v1/events",
        "/api/v1/state",
        "/api/v1/stream",
        "/api/v1/ws/stats",
        "/api/v1/ws/rooms",
        "/api/v1/performance",
        "/api/v1/health",
        "/api/v1/admin/connections",
        "/api/health/current",
        "/api/conversations/recent",
        "/api/pipeline/monitor/dashboard",
        "/metrics",
    ];
    for path in paths {
        let (status, answer) = get(address, path).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (401, &json!("unauthorized")),
            "{path}"
        );
    }
    let event = json!({ "type": "agent.registered", "data": { "agent_id": "a" } });
    let (status, answer) = kit::post(address, &event).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (401, &json!("unauthorized"))
    );
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(address, path).await.0, 200, "{path}");
    }
    let text = server.metrics().text();
    assert!(text.contains("stoa_tokens_denied_total{reason="), "{text}");
    // The same token, three ways.
    let token = observer("u1", &[]);
    let (_, hello) = Client::connect(address, json!({ "token": token })).await;
    assert_eq!(
        (&hello["role"], &hello["user"]),
        (&json!("observer"), &json!("u1"))
    );
    assert_eq!(
        request("GET", address, "/api/v1/state", &token, None)
            .await
            .0,
        200
    );
    assert_eq!(
        get(address, &format!("/api/v1/state?token={token}"))
            .await
            .0,
        200
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_is_the_tokens_and_not_the_clients_wish() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let auth = json!({ "token": observer("u1", &[]), "role": "admin" });
    let (mut client, hello) = Client::connect(address, auth).await;
    assert_eq!(hello["role"], "observer");
    let event = json!({ "type": "agent.registered", "data": { "agent_id": "a" } });
    for (name, argument) in [
        ("publish", event.clone()),
        ("agent_action", json!({ "agent_id": "a", "action": "stop" })),
        ("get_stats", Value::Null),
        ("get_rooms", Value::Null),
    ] {
        let answer = client.call(name, argument).await;
        assert_eq!(answer["error"]["code"], "forbidden", "{name}: {answer}");
    }
    let observers = observer("u1", &[]);
    let (status, answer) =
        request("POST", address, "/api/v1/events", &observers, Some(&event)).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (403, &json!("forbidden"))
    );
    let (status, _) = request("GET", address, "/api/v1/ws/stats", &observers, None).await;
    assert_eq!(status, 403);
    let (status, _) = request(
        "GET",
        address,
        "/api/v1/admin/connections",
        &producer(),
        None,
    )
    .await;
    assert_eq!(status, 403);
    let auth = json!({ "token": observer("u1", &[]) });
    assert!(Client::open(address, "/admin", auth).await.is_err());
    // A producer with projects publishes for these only.
    let narrow = token(&Grant {
        projects: Some(vec!["p1".into()]),
        ..grant(Role::Producer)
    });
    let events = json!([
        { "type": "task.created", "project_id": "p1", "data": { "task_id": "t1" } },
        { "type": "task.created", "project_id": "p2", "data": { "task_id": "t2" } },
    ]);
    let (status, answer) = request("POST", address, "/api/v1/events", &narrow, Some(&events)).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    assert_eq!(answer["rejected"][0]["error"]["code"], "forbidden");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_token_gives_no_more_than_one_that_claims_nothing() {
    let server = guarded(|config| {
        config.authentication.required = false;
        config.authentication.token_validation = false;
    })
    .await;
    let address = server.address();
    let events = json!([
        { "type": "task.created", "project_id": "p1", "data": { "task_id": "hidden" } },
        { "type": "decision.logged", "data": { "what": "shown" } },
    ]);
    let event = events[1].clone();
    let good = token(&grant(Role::Observer));
    let spoilt = good[..good.len() - 4].to_owned();
    let over = saying(&json!({ "sub": "ann", "role": "admin", "projects": ["*"], "exp": 1 }));
    let foreign = "any.thing.else".to_owned();
    for token in [good, spoilt, over, foreign] {
        for role in ["observer", "producer", "operator", "admin"] {
            let auth = json!({ "token": token, "role": role });
            let on_admin = Client::open(address, "/admin", auth.clone()).await;
            assert!(
                on_admin.is_err_and(|why| why.starts_with("forbidden:")),
                "{role} {token}"
            );
            let (mut client, hello) = Client::connect(address, auth).await;
            assert_eq!(hello["role"], "observer", "{token}");
            for (name, argument) in [
                ("publish", event.clone()),
                ("agent_action", json!({ "agent_id": "a", "action": "stop" })),
                ("get_stats", Value::Null),
            ] {
                let answer = client.call(name, argument).await;
                assert_eq!(answer["error"]["code"], "forbidden", "{name} {token}");
            }
            let answer = client.call("join", json!("project:p1")).await;
            assert_eq!(answer["error"]["code"], "forbidden_room", "{token}");
        }
        let (mut watcher, _) = Client::connect(address, json!({ "token": token })).await;
        // Contract: without any token a request publishes and observes.
        let (status, answer) = kit::post(address, &events).await;
        assert_eq!((status, &answer["accepted"]), (202, &json!(2)), "{answer}");
        let update = watcher.next().await.expect("an update");
        assert_eq!(update.0, "decision_event", "{update:?}");
        for (method, path, body) in [
            ("POST", "/api/v1/events", Some(&event)),
            ("GET", "/api/v1/ws/stats", None),
            ("GET", "/api/v1/ws/rooms", None),
            ("GET", "/api/v1/performance", None),
            ("GET", "/api/v1/health", None),
            ("GET", "/metrics", None),
            ("GET", "/api/pipeline/monitor/dashboard", None),
        ] {
            let (status, _) = request(method, address, path, &token, body).await;
            assert_eq!(status, 403, "{method} {path} {token}");
        }
        let (_, state) = request("GET", address, "/api/v1/state", &token, None).await;
        assert_eq!(state["tasks"], json!({}), "{state}");
    }
    // A client without a token has the role that it asks for, as before, and sees everything.
    let (mut anybody, hello) = Client::connect(address, json!({ "role": "operator" })).await;
    assert_eq!(hello["role"], "operator");
    assert_eq!(
        anybody.call("join", json!("project:p1")).await["status"],
        "ok"
    );
    // A live connection gains nothing by a bad token, and loses what it had only by wish.
    let (mut boss, _) = Client::connect(address, json!({ "role": "operator" })).await;
    let answer = boss.call("authenticate", json!({ "token": "x.y.z" })).await;
    assert_eq!(answer["role"], "observer", "{answer}");
    server.shutdown().await;
}
