//! Posts that are not taken.

use kit::{
    Client, counted_in,
    guarded::{guarded, producer, publish, request},
    wait_for,
};
use tokio::sync::Semaphore;

use crate::alerts::{failed, lost, operator, receiver::Receiver};

#[tokio::test(flavor = "multi_thread")]
async fn posts_that_nobody_takes_are_counted_and_hold_up_nothing() {
    let receiver = Receiver::answering(&[503]).await;
    receiver.may_answer.forget_permits(Semaphore::MAX_PERMITS);
    let server = guarded(|config| {
        receiver.settings(config);
        // Half of the places are this producer's.
        config.alerts.webhook_queue.set(4).expect("a number");
        config.alerts.webhook_retries.set(1).expect("a number");
        config.alerts.max_per_minute.set(8).expect("a number");
        config.breakers.failures.set(1_000).expect("a number");
    })
    .await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, operator(&["shop"])).await;
    let token = producer();
    for n in 0..10 {
        let event = failed(&format!("r{n}"));
        let path = "/api/v1/events";
        let (status, answer) = request("POST", address, path, &token, Some(&event)).await;
        assert_eq!(status, 202, "{answer}");
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
    let full = lost(&server, "share_full");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_is_left_alone_and_gets_its_post_when_it_is_back() {
    let receiver = Receiver::answering(&[503, 503, 503, 200]).await;
    let server = guarded(|config| {
        receiver.settings(config);
        config.breakers.failures.set(2).expect("a number");
        config.breakers.open_for.set(0.2).expect("a time");
    })
    .await;
    publish(server.address(), &failed("r1")).await;
    publish(server.address(), &failed("r2")).await;
    let alerts = receiver.alerts(5).await;
    let ids: Vec<_> = alerts.iter().map(|alert| &alert["subject"]["id"]).collect();
    assert_eq!(ids[..5], ["r1", "r1", "r1", "r1", "r2"]);
    let of = |counter: &str| {
        counted_in(
            &server,
            &format!("stoa_breaker_{counter}_total{{part=\"webhook\"}}"),
        )
    };
    // Two failures opened it; one probe failed, the next one was taken.
    assert_eq!((of("opened"), of("failures"), of("probes")), (1, 3, 2));
    assert_eq!(
        (lost(&server, "given_up"), lost(&server, "share_full")),
        (0, 0)
    );
    server.shutdown().await;
}

/// A stop gives the posts that wait a time of their own.
#[tokio::test(flavor = "multi_thread")]
async fn posts_that_wait_at_a_stop_are_sent() {
    let receiver = Receiver::answering(&[503, 200]).await;
    receiver.may_answer.forget_permits(Semaphore::MAX_PERMITS);
    let server = guarded(|config| receiver.settings(config)).await;
    for n in 0..3 {
        publish(server.address(), &failed(&format!("r{n}"))).await;
    }
    wait_for("all to wait", async || {
        counted_in(&server, "stoa_webhook_waiting") == 3
    })
    .await;
    receiver.alerts(1).await;
    let metrics = server.metrics().clone();
    let stop = tokio::spawn(server.shutdown());
    receiver.may_answer.add_permits(Semaphore::MAX_PERMITS);
    stop.await.expect("stops");
    let got = receiver.got();
    let ids: Vec<_> = got
        .iter()
        .map(|(_, post)| &post["alert"]["subject"]["id"])
        .collect();
    assert_eq!(ids, ["r0", "r0", "r1", "r2"]);
    let text = metrics.text();
    assert_eq!(kit::metrics::sum(&text, "stoa_webhook_waiting"), 0);
    assert_eq!(kit::metrics::sum(&text, "stoa_webhook_dropped_total"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_holds_up_no_stop() {
    let receiver = Receiver::answering(&[200]).await;
    receiver.may_answer.forget_permits(Semaphore::MAX_PERMITS);
    let server = guarded(|config| {
        receiver.settings(config);
        config.alerts.webhook_stop_timeout.set(0.1).expect("a time");
        config.alerts.webhook_timeout.set(60.0).expect("a time");
    })
    .await;
    for n in 0..3 {
        publish(server.address(), &failed(&format!("r{n}"))).await;
    }
    receiver.alerts(1).await;
    wait_for("all to wait", async || {
        counted_in(&server, "stoa_webhook_waiting") == 3
    })
    .await;
    let metrics = server.metrics().clone();
    server.shutdown().await;
    let text = metrics.text();
    let left = "stoa_webhook_dropped_total{reason=\"stopped\"}";
    assert_eq!(kit::metrics::sum(&text, left), 3);
    assert_eq!(receiver.got().len(), 1);
}
