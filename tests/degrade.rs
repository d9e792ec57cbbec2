//! Degradation under load: the steps come in order, refuse only what may be refused, and go by themselves.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use kit::{Client, counted, door::DoorClient, get, post, server_with, wait_for};
use serde_json::{Value, json};

/// Publishes lists of events without a pause until it is told to stop.
fn flood(address: SocketAddr, n: usize, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let event = |k: usize| json!({ "type": "task.progress", "data": { "task_id": format!("t{n}-{k}"), "progress": 1 } });
        let events: Vec<Value> = (0..200).map(event).collect();
        let events = json!(events);
        while !stop.load(Ordering::Relaxed) {
            post(address, &events).await;
        }
    })
}

async fn step(address: SocketAddr) -> u64 {
    counted(address, "stoa_degradation_step").await
}

fn low(kind: &str) -> Value {
    json!({ "type": kind, "priority": "low", "data": { "task_id": "t" } })
}

/// The steps that an operator is told of, up to this one.
async fn told(operator: &mut Client, last: u64) -> Vec<u64> {
    let mut steps = Vec::new();
    while steps.last() != Some(&last) {
        let is_step = |notice: &Value| notice["degradation"].is_object();
        let notice = operator.event_where("system_notification", is_step).await;
        steps.push(notice["degradation"]["step"].as_u64().unwrap());
    }
    steps
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_come_in_order_and_go_by_themselves() {
    let server = server_with(|config| {
        config.pace.degrade_lag.set(1).unwrap();
        config.pace.degrade_after_ms.set(100).unwrap();
        config.pace.recover_after_ms.set(100).unwrap();
    })
    .await;
    let address = server.address();
    let (mut operator, _) = Client::connect(address, json!({ "role": "operator" })).await;
    let mut producer = DoorClient::open(address, "/ws/x/?role=producer")
        .await
        .unwrap();
    let stop = Arc::<AtomicBool>::default();
    let floods: Vec<_> = (0..6).map(|n| flood(address, n, stop.clone())).collect();
    let steps = told(&mut operator, 3).await;
    assert!(
        steps.windows(2).all(|two| two[0].abs_diff(two[1]) == 1),
        "{steps:?}"
    );
    assert_eq!(steps[0], 1);

    // Low priority is refused, with the time to come again; nothing else is, and nothing that may not be lost.
    let mut refused = (0, Value::Null);
    wait_for("an event of low priority to be refused", async || {
        refused = post(address, &low("custom.thing")).await;
        refused.0 != 202
    })
    .await;
    assert_eq!(refused.0, 503, "{refused:?}");
    assert_eq!(refused.1["error"]["code"], "overloaded");
    let url = format!("http://{address}/api/v1/events");
    let call = kit::http_client().post(url).json(&low("custom.thing"));
    let again = call.send().await.unwrap();
    assert_eq!(again.headers()["retry-after"], "5");
    for event in [
        json!({ "type": "custom.thing", "data": {} }),
        json!({ "type": "custom.thing", "priority": "high", "data": {} }),
        low("task.completed"),
        low("decision.made"),
    ] {
        let (status, answer) = post(address, &event).await;
        assert_eq!(status, 202, "{event}: {answer}");
    }
    producer
        .send(&json!({ "type": "publish", "events": [low("task.completed")] }))
        .await;
    assert_eq!(producer.until("published").await["accepted"], 1);
    let (_, figures) = get(address, "/api/v1/performance").await;
    assert!(
        figures["degradation"]["entered"]["low_refused"]
            .as_u64()
            .unwrap()
            >= 1
    );

    stop.store(true, Ordering::Relaxed);
    for flood in floods {
        flood.await.unwrap();
    }
    wait_for("everything to go as usual", async || {
        step(address).await == 0
    })
    .await;
    let steps = told(&mut operator, 0).await;
    assert!(
        steps.windows(2).all(|two| two[0].abs_diff(two[1]) == 1),
        "{steps:?}"
    );
    assert_eq!(post(address, &low("custom.thing")).await.0, 202);
    let (_, figures) = get(address, "/api/v1/performance").await;
    assert_eq!(figures["degradation"]["name"], "normal");
    for name in ["larger_batches", "low_coalesced", "low_refused"] {
        let metric = format!("stoa_degradation_entered_total{{step=\"{name}\"}}");
        let entered = counted(address, &metric).await;
        assert_eq!(
            figures["degradation"]["entered"][name].as_u64(),
            Some(entered)
        );
        assert!(entered >= 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_may_not_degrade_stays_as_it_is() {
    let server = server_with(|config| {
        config.pace.degrade = false;
        config.pace.degrade_lag.set(1).unwrap();
        config.pace.degrade_after_ms.set(100).unwrap();
    })
    .await;
    let address = server.address();
    let stop = Arc::<AtomicBool>::default();
    let floods: Vec<_> = (0..6).map(|n| flood(address, n, stop.clone())).collect();
    for _ in 0..100 {
        assert_eq!(post(address, &low("custom.thing")).await.0, 202);
    }
    stop.store(true, Ordering::Relaxed);
    for flood in floods {
        flood.await.unwrap();
    }
    assert_eq!(step(address).await, 0);
}
