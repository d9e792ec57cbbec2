//! The emitters' bus and the webhook of alerts: of several nodes one takes each message, and one posts.

use kit::{Client, counted_in, redis::Redis, server_with, until};
use serde_json::{Value, json};
use stoa::{
    config::{BusKind, Config, JournalKind},
    server::Running,
};

use super::linked;
use crate::{
    alerts::{failed, receiver::Receiver},
    bus::python,
};

async fn on_bus(engine: &Redis, name: &str, change: impl FnOnce(&mut Config)) -> Running {
    let url = engine.url();
    server_with(|config| {
        config.journal.kind = JournalKind::Redis;
        config.journal.url = url.clone().into();
        config.cluster.node_id = name.into();
        config.bus.url = url.into();
        config.bus.kinds = vec![BusKind::Python, BusKind::Streams];
        change(config);
    })
    .await
}

fn listens(node: &Running) -> bool {
    counted_in(node, "stoa_bus_connected") == 2
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_listens_to_the_bus_and_another_goes_on_where_it_came_to() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let one = on_bus(&engine, "one", |_| {}).await;
    until("the first to listen", async || listens(&one).then_some(())).await;
    let two = on_bus(&engine, "two", |_| {}).await;
    linked(&[&one, &two]).await;
    let (mut here, _) = Client::connect(one.address(), json!({})).await;
    let (mut there, _) = Client::connect(two.address(), json!({})).await;
    let publish = async |event: &str, data: Value| {
        let message = python(event, data, json!({}));
        engine.publish("socketio", &message).await;
    };
    publish("said", json!(1)).await;
    publish("end", json!(2)).await;
    for client in [&mut here, &mut there] {
        assert_eq!(client.event("said").await, 1);
        client.event("end").await;
        let again = client.so_far().await;
        assert!(again.iter().all(|(name, _)| name != "said"), "{again:?}");
    }
    let (_, ready) = kit::get(two.address(), "/readyz").await;
    assert_eq!(ready["parts"]["bus"]["status"], "standby", "{ready}");

    // Entries of a stream are read once each, also those of the time between two nodes.
    let add = async |n: u64| {
        let packet = json!({ "packet": { "type": 2, "data": ["counted", n], "nsp": "/" }, "opts": { "rooms": [], "except": [] } });
        let data = packet.to_string();
        let fields = [
            ("uid", "emitter"),
            ("nsp", "/"),
            ("type", "3"),
            ("data", &data),
        ];
        engine.add("socket.io", &fields).await;
    };
    for n in 0..5 {
        add(n).await;
    }
    for n in 0..5 {
        assert_eq!(there.event("counted").await, n);
    }
    one.shutdown().await;
    for n in 5..10 {
        add(n).await;
    }
    until("the second to listen", async || listens(&two).then_some(())).await;
    for n in 5..10 {
        assert_eq!(there.event("counted").await, n);
    }
    publish("said", json!(3)).await;
    assert_eq!(there.event("said").await, 3);
    let again = there.so_far().await;
    assert!(again.iter().all(|(name, _)| name != "counted"), "{again:?}");
    two.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_is_posted_by_one_node() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let receiver = Receiver::answering(&[200]).await;
    let one = on_bus(&engine, "one", |config| receiver.settings(config)).await;
    let two = on_bus(&engine, "two", |config| receiver.settings(config)).await;
    until("one to lead", async || {
        (listens(&one) || listens(&two)).then_some(())
    })
    .await;
    let told = |node: &Running| counted_in(node, "stoa_alerts_total{code=\"run_failed\"");
    for run in ["r1", "r2"] {
        let (status, answer) = kit::post(two.address(), &failed(run)).await;
        assert_eq!(status, 202, "{answer}");
    }
    until("both to tell their operators", async || {
        (told(&one) == 2 && told(&two) == 2).then_some(())
    })
    .await;
    let posted = |node: &Running| counted_in(node, "stoa_webhook_posts_total");
    until("the posts", async || {
        (posted(&one) + posted(&two) >= 2).then_some(())
    })
    .await;
    for node in [one, two] {
        node.shutdown().await;
    }
    let mut runs: Vec<String> = receiver
        .got()
        .iter()
        .map(|(_, post)| post["alert"]["subject"]["id"].to_string())
        .collect();
    runs.sort();
    assert_eq!(runs, ["\"r1\"", "\"r2\""]);
}
