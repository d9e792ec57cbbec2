//! Alerts, over the wire: operators are told of runs that fail or wait and of parts that fail, and a webhook gets signed
//! posts of them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use aws_lc_rs::hmac;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post as route,
};
use data_encoding::HEXLOWER;
use kit::{
    Client, counted_in,
    guarded::{grant, guarded, observer, publish, token},
    until, wait_for,
};
use serde_json::{Value, json};
use stoa::{
    access::authn::Grant,
    config::{Config, Role},
    server::Running,
};
use tokio::{net::TcpListener, sync::Semaphore};

const SECRET: &str = "a secret of the webhook, as long as it must be";

/// A receiver of posts: it checks their signature and answers with one status after the other, the last one for ever.
#[derive(Clone)]
struct Receiver {
    address: SocketAddr,
    statuses: Arc<Mutex<Vec<u16>>>,
    got: Arc<Mutex<Vec<(String, Value)>>>,
    /// Each answer takes one.
    may_answer: Arc<Semaphore>,
}

impl Receiver {
    async fn answering(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let receiver = Self {
            address: listener.local_addr().expect("address"),
            statuses: Arc::new(Mutex::new(statuses.to_vec())),
            got: Arc::default(),
            may_answer: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        };
        let router = Router::new()
            .route("/hook", route(Self::take))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    async fn take(
        State(receiver): State<Self>,
        headers: HeaderMap,
        body: Bytes,
    ) -> (StatusCode, [(&'static str, &'static str); 1]) {
        let header = |name: &str| headers[name].to_str().expect("a text").to_owned();
        let time = header("x-stoa-timestamp");
        let age = kit::guarded::now().abs_diff(time.parse().expect("seconds"));
        assert!(age < 600, "{time}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let text = std::str::from_utf8(&body).expect("a text");
        let signature = header("x-stoa-signature");
        let signature = signature.strip_prefix("sha256=").expect("its kind");
        let signature = HEXLOWER.decode(signature.as_bytes()).expect("hex");
        let signed = format!("{time}.{text}");
        hmac::verify(&key, signed.as_bytes(), &signature).expect("the right signature");
        let post: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(post["delivery_id"], header("x-stoa-delivery").as_str());
        let got = (header("x-stoa-delivery"), post);
        receiver.got.lock().expect("lock").push(got);
        receiver.may_answer.acquire().await.expect("open").forget();
        let mut statuses = receiver.statuses.lock().expect("lock");
        let status = match statuses.len() {
            1 => statuses[0],
            _ => statuses.remove(0),
        };
        let status = StatusCode::from_u16(status).expect("a status");
        (status, [("location", "/elsewhere")])
    }

    fn settings(&self, config: &mut Config) {
        config.alerts.webhook_url = format!("http://{}/hook", self.address).into();
        config.alerts.webhook_secret = SECRET.into();
        config.alerts.webhook_backoff.set(0.01).expect("a time");
    }

    fn got(&self) -> Vec<(String, Value)> {
        self.got.lock().expect("lock").clone()
    }

    /// The alerts of all posts, once there are so many.
    async fn alerts(&self, count: usize) -> Vec<Value> {
        let got = until("posts", async || {
            Some(self.got()).filter(|got| got.len() >= count)
        });
        let alerts = got.await.into_iter().map(|(_, post)| post["alert"].clone());
        alerts.collect()
    }
}

fn operator(projects: &[&str]) -> Value {
    let projects = projects.iter().map(ToString::to_string).collect();
    let grant = Grant {
        user: Some("op".into()),
        projects: Some(projects),
        ..grant(Role::Operator)
    };
    json!({ "token": token(&grant) })
}

fn failed(run: &str) -> Value {
    json!({
        "type": "agent.run.failed", "project_id": "shop",
        "data": { "run_id": run, "errorMessage": "no <b>key</b>" },
    })
}

fn told(server: &Running, code: &str, status: &str) -> u64 {
    let start = format!("stoa_alerts_total{{code=\"{code}\",status=\"{status}\"}}");
    counted_in(server, &start)
}

fn lost(server: &Running, why: &str) -> u64 {
    counted_in(
        server,
        &format!("stoa_webhook_dropped_total{{reason=\"{why}\"}}"),
    )
}

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
async fn a_part_that_fails_is_told_to_all_operators_and_mended_is_over() {
    // Keys that are no keys, and then a receiver that is not there.
    let provider = Receiver::answering(&[500]).await;
    let server = guarded(|config| {
        config.authentication.jwks_url = format!("http://{}/keys", provider.address);
        config
            .authentication
            .jwks_cooldown
            .set(0.1)
            .expect("a time");
        config.authentication.jwks_refresh.set(1.0).expect("a time");
        config.breakers.failures.set(2).expect("a number");
        config.alerts.mute = vec!["run_failed".into()];
    })
    .await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, operator(&["shop"])).await;
    let begun = watcher.event("health_update").await;
    let alert = &begun["alert"];
    assert_eq!(alert["code"], "breaker_open", "{begun}");
    assert_eq!(alert["subject"], json!({ "kind": "breaker", "id": "jwks" }));
    assert_eq!(
        (&begun["priority"], &begun["animation"]),
        (&json!("critical"), &json!("alert"))
    );
    publish(address, &failed("r")).await;
    let mut admin = Client::open(address, "/admin", json!({ "token": kit::guarded::admin() }))
        .await
        .expect("comes in");
    admin.call("close_breaker", json!({ "part": "jwks" })).await;
    let over = until("its end", async || {
        let alert = watcher.event("health_update").await["alert"].clone();
        Some(alert).filter(|alert| alert["status"] == "resolved")
    });
    assert_eq!(over.await["id"], alert["id"]);
    assert_eq!(told(&server, "run_failed", "firing"), 0, "it is muted");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_that_nobody_takes_are_counted_and_hold_up_nothing() {
    let receiver = Receiver::answering(&[503]).await;
    receiver.may_answer.forget_permits(Semaphore::MAX_PERMITS);
    let server = guarded(|config| {
        receiver.settings(config);
        config.alerts.webhook_queue.set(2).expect("a number");
        config.alerts.webhook_retries.set(1).expect("a number");
        config.alerts.max_per_minute.set(8).expect("a number");
        config.breakers.failures.set(1_000).expect("a number");
    })
    .await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, operator(&["shop"])).await;
    for n in 0..10 {
        publish(address, &failed(&format!("r{n}"))).await;
    }
    // Operators hear of all that a project may have told in a minute, though the receiver hangs.
    for n in 0..8 {
        let update = watcher.event("health_update").await;
        assert_eq!(update["alert"]["subject"]["id"], format!("r{n}"));
    }
    wait_for("the others to be counted", async || {
        counted_in(&server, "stoa_alerts_dropped_total{reason=\"too_many\"}") == 2
    })
    .await;
    receiver.alerts(1).await;
    // One is on its way, and two may wait; the first may have been taken before the rest came or not.
    let full = lost(&server, "queue_full");
    assert!((5..=6).contains(&full), "{full}");
    receiver.may_answer.add_permits(Semaphore::MAX_PERMITS);
    let posted = 8 - full;
    wait_for("the rest to be given up", async || {
        lost(&server, "given_up") == posted
    })
    .await;
    assert_eq!(
        receiver.got().len() as u64,
        2 * posted,
        "each was tried twice"
    );
    assert_eq!(counted_in(&server, "stoa_webhook_waiting"), 0);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_or_a_redirect_is_not_tried_again() {
    let receiver = Receiver::answering(&[400, 307, 200]).await;
    let server = guarded(|config| receiver.settings(config)).await;
    for n in 0..3 {
        publish(server.address(), &failed(&format!("r{n}"))).await;
    }
    let alerts = receiver.alerts(3).await;
    let ids: Vec<_> = alerts.iter().map(|alert| &alert["subject"]["id"]).collect();
    assert_eq!(ids, ["r0", "r1", "r2"]);
    assert_eq!(lost(&server, "refused"), 2);
    server.shutdown().await;
}
