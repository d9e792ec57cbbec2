//! Runs that fail, and runs that wait for a person.

use kit::{
    Client, counted_in,
    door::DoorClient,
    guarded::{grant, guarded, observer, producer, publish, request, token},
    process::{Process, serve_in_memory},
    until, wait_for,
};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

use crate::alerts::{failed, operator, receiver::Receiver, told};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_is_told_to_operators_who_may_see_it_and_posted_until_it_is_taken() {
    let receiver = Receiver::answering(&[503, 500, 200]).await;
    let server = guarded(|config| receiver.settings(config)).await;
    let address = server.address();
    let (mut shop, _) = Client::connect(address, operator(&["shop"])).await;
    let (mut bank, _) = Client::connect(address, operator(&["bank"])).await;
    let eve = json!({ "token": observer("eve", &["shop"]) });
    let (mut eve, hello) = Client::connect(address, eve).await;
    assert!(!hello.to_string().contains("operators"), "{hello}");
    let admin = json!({ "token": kit::guarded::admin() });
    let mut admin = Client::open(address, "/admin", admin)
        .await
        .expect("comes in");
    let mut filtered = operator(&["shop"]);
    filtered["filters"] = json!({ "exclude": ["health_update"] });
    let (mut filtered, _) = Client::connect(address, filtered).await;

    publish(address, &failed("r1")).await;
    let update = shop.event("health_update").await;
    let alert = &update["alert"];
    for (key, value) in [
        ("code", json!("run_failed")),
        ("status", json!("firing")),
        ("severity", json!("error")),
        ("message", json!("run r1 failed: no <b>key</b>")),
        ("subject", json!({ "kind": "run", "id": "r1" })),
        ("project_id", json!("shop")),
        ("repeated", json!(0)),
    ] {
        assert_eq!(alert[key], value, "{update}");
    }
    for (key, value) in [
        ("type", json!("health_update")),
        ("severity", json!("error")),
        ("status", json!("firing")),
        ("priority", json!("high")),
    ] {
        assert_eq!(update[key], value, "{update}");
    }
    assert_eq!(update["data"]["alert"], *alert);
    assert!(alert["action"].as_str().is_some_and(|act| !act.is_empty()));
    let same = admin.event("health_update").await;
    assert_eq!(same["alert"], *alert);

    // Three tries of one post, with the last one taken.
    let alerts = receiver.alerts(3).await;
    assert_eq!(alerts, [alert.clone(), alert.clone(), alert.clone()]);
    let got = receiver.got();
    assert!(
        got.iter()
            .all(|(id, post)| *id == got[0].0 && post["type"] == "alert")
    );
    wait_for("the post to be taken", async || {
        counted_in(&server, "stoa_webhook_posts_total{outcome=\"ok\"}") == 1
    })
    .await;
    assert_eq!(
        counted_in(&server, "stoa_webhook_posts_total{outcome=\"failed\"}"),
        2
    );

    // All operators are told in one turn of the loop: what these are answered later comes after it.
    let others = [
        ("bank", &mut bank),
        ("eve", &mut eve),
        ("filtered", &mut filtered),
    ];
    for (who, client) in others {
        client.call("ping", Value::Null).await;
        let names: Vec<_> = client
            .events
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(!names.contains(&"health_update"), "{who}: {names:?}");
    }
    // The same again is no news, whatever it says.
    publish(address, &failed("r1")).await;
    publish(address, &failed("r2")).await;
    assert_eq!(
        shop.event("health_update").await["alert"]["subject"]["id"],
        "r2"
    );
    assert_eq!(told(&server, "run_failed", "firing"), 2);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_a_person_is_told_again_and_is_over_when_it_goes_on() {
    let receiver = Receiver::answering(&[204]).await;
    let server = guarded(|config| {
        receiver.settings(config);
        config.alerts.repeat_after.set(1.0).expect("a time");
    })
    .await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, operator(&["shop"])).await;
    let run = |event: &str| json!({ "type": event, "project_id": "shop", "data": { "execution_id": "e1", "message": "Pay?" } });
    publish(address, &run("workflow.run.waiting_for_human")).await;
    let begun = watcher.event("health_update").await["alert"].clone();
    assert_eq!(begun["code"], "run_waiting", "{begun}");
    assert_eq!(begun["message"], "execution e1 waits for a person: Pay?");
    let again = watcher.event("health_update").await["alert"].clone();
    assert_eq!(
        (&again["id"], &again["repeated"]),
        (&begun["id"], &json!(1))
    );
    assert_eq!(counted_in(&server, "stoa_alerts_active"), 1);
    publish(address, &run("workflow.run.resumed")).await;
    let over = until("its end", async || {
        let alert = watcher.event("health_update").await["alert"].clone();
        Some(alert).filter(|alert| alert["status"] == "resolved")
    })
    .await;
    assert_eq!(
        (&over["id"], &over["severity"]),
        (&begun["id"], &json!("info"))
    );
    assert_eq!(over["since"], begun["since"]);
    assert_eq!(counted_in(&server, "stoa_alerts_active"), 0);
    let posted = until("its end to be posted", async || {
        let alerts = receiver.alerts(3).await;
        alerts
            .into_iter()
            .find(|alert| alert["status"] == "resolved")
    });
    assert_eq!(posted.await["id"], begun["id"]);
    // It is over: nothing more is said of it.
    publish(address, &run("workflow.run.completed")).await;
    publish(address, &failed("r")).await;
    assert_eq!(
        watcher.event("health_update").await["alert"]["code"],
        "run_failed"
    );
    assert_eq!(told(&server, "run_waiting", "resolved"), 1);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_a_line_of_the_log_with_its_facts_by_name() {
    let log = tempfile::NamedTempFile::new().expect("a log");
    let server = Process::logged(&mut serve_in_memory(), log.path());
    let mut event = failed("r1");
    event["data"]["errorMessage"] = json!("two\nlines");
    let (status, answer) = kit::post(server.address, &event).await;
    assert_eq!(status, 202, "{answer}");
    let line = until("the line", async || server.lines("\"an alert\"").pop()).await;
    let line: Value = serde_json::from_str(&line).expect("JSON");
    for (key, value) in [
        ("level", "WARN"),
        ("target", "stoa::alerts"),
        ("alert", "run_failed"),
        ("kind", "run"),
        ("subject", "r1"),
        ("project", "shop"),
        ("fact", "run r1 failed: two\nlines"),
    ] {
        assert_eq!(line[key], value, "{line}");
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_becomes_an_operator_is_told_and_who_was_one_is_not() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let eve = json!({ "token": observer("op", &["shop"]) });
    let (mut one, _) = Client::connect(address, eve.clone()).await;
    let (mut other, _) = Client::connect(address, operator(&["shop"])).await;
    let answer = one.call("authenticate", operator(&["shop"])).await;
    assert_eq!(answer["status"], "ok", "{answer}");
    let answer = other.call("authenticate", eve).await;
    assert_eq!(answer["status"], "ok", "{answer}");
    assert!(!answer.to_string().contains("operators"), "{answer}");
    publish(address, &failed("r1")).await;
    let update = one.event("health_update").await;
    assert_eq!(update["alert"]["subject"]["id"], "r1");
    other.call("ping", Value::Null).await;
    let mut names = other.events.iter().map(|(name, _)| name.as_str());
    assert!(!names.any(|name| name == "health_update"));
    // Nobody comes in by asking for the room.
    let answer = other
        .call("join_room", json!({ "room": "(operators)" }))
        .await;
    assert_eq!(answer["error"]["code"], "unknown_room_type", "{answer}");
    server.shutdown().await;
}

/// A producer that invents projects uses up its own share, and silences nobody else's runs.
#[tokio::test(flavor = "multi_thread")]
async fn projects_that_are_invented_silence_no_run() {
    const INVENTED: usize = 1_200;
    let server = guarded(|_| {}).await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, operator(&["shop"])).await;
    let eve = token(&Grant {
        user: Some("eve".into()),
        ..grant(Role::Producer)
    });
    let invented = |n| {
        let mut event = failed(&format!("e{n}"));
        event["project_id"] = json!(format!("invented-{n}"));
        event
    };
    for half in 0..2 {
        let events: Vec<_> = (0..INVENTED / 2)
            .map(|n| invented(half * INVENTED / 2 + n))
            .collect();
        let path = "/api/v1/events";
        let (status, answer) = request("POST", address, path, &eve, Some(&json!(events))).await;
        assert_eq!(status, 202, "{answer}");
    }
    publish(address, &failed("real")).await;
    let told = watcher.event("health_update").await;
    assert_eq!(told["alert"]["subject"]["id"], "real", "{told}");
    let of_eve = "stoa_alerts_dropped_total{reason=\"too_many_of_producer\"}";
    assert_eq!(counted_in(&server, of_eve), INVENTED as u64 - 600);
    // It is also among those that hold.
    let list = async |token: &str| {
        let (status, list) = request("GET", address, "/api/v1/alerts", token, None).await;
        assert_eq!(status, 200, "{list}");
        list
    };
    let of = |projects: &[&str]| {
        operator(projects)["token"]
            .as_str()
            .expect("a token")
            .to_owned()
    };
    let listed = list(&of(&["shop"])).await;
    assert_eq!(listed["total"], 1, "{listed}");
    assert_eq!(listed["alerts"][0]["id"], told["alert"]["id"]);
    assert_eq!(listed["alerts"][0]["status"], "firing");
    assert_eq!(list(&of(&["bank"])).await["total"], 0);
    assert_eq!(list(&kit::guarded::admin()).await["total"], 601);
    let (status, refusal) = request("GET", address, "/api/v1/alerts", &producer(), None).await;
    assert_eq!(
        (status, &refusal["error"]["code"]),
        (403, &json!("forbidden"))
    );
    server.shutdown().await;
}

/// Operators are told at the plain WebSockets too, each in the door's own shape; the visualization draws graphs, and no
/// alerts.
#[tokio::test(flavor = "multi_thread")]
async fn operators_at_the_other_doors_are_told_too() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let admin = kit::guarded::admin();
    let open = async |path: &str| {
        let path = format!("{path}?token={admin}");
        DoorClient::open(address, &path).await.expect("comes in")
    };
    let mut told = Vec::new();
    for path in [
        "/api/v1/ws",
        "/api/stream/projects/shop",
        "/ws/show/",
        "/ws/show/admin/",
    ] {
        told.push((path, open(path).await));
    }
    let mut painter = open("/ws/visualization").await;
    publish(address, &failed("r1")).await;
    for (path, client) in &mut told {
        let update = client.until("health_update").await;
        assert_eq!(update["alert"]["code"], "run_failed", "{path}: {update}");
    }
    let update = json!({ "type": "node_update", "target_id": "n", "changes": {} });
    painter.send(&update).await;
    loop {
        let message = painter.next().await.expect("a message");
        assert!(message.get("alert").is_none(), "{message}");
        assert_ne!(message["source_type"], "alert", "{message}");
        if message["status"] == "accepted" {
            break;
        }
    }
    server.shutdown().await;
}
