//! The cost of the way through the server: an event to the service and back, beside a call of the service itself.

use std::{
    hint::black_box,
    io::Write,
    time::{Duration, Instant},
};

use kit::application::Application;
use serde_json::json;

use crate::backend::{client, server_of};

/// Events that are measured.
const EVENTS: usize = 400;
/// The most that the way may add at the median. An unoptimised server on a busy machine is given more.
const MOST: Duration = Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 2 });

#[tokio::test(flavor = "multi_thread")]
async fn an_event_to_the_service_and_back_costs_little_more_than_the_service() {
    let application = Application::start(|call| json!({ "ack": [call["args"][0]] })).await;
    let server = server_of(&application.url, |_| {}).await;
    let mut client = client(&server).await;
    let direct = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({
        "call": "0", "type": "event", "timestamp": "2026-01-01T00:00:00.000Z", "namespace": "/", "client_id": "0",
        "user": null, "role": "observer", "rooms": ["general"], "session": null, "event": "move", "args": [0],
        "attachments": [], "ack": true,
    })
    .to_string();
    let (mut through, mut alone) = (Vec::new(), Vec::new());
    // In turns, so that a busy moment of the machine falls on both.
    for n in 0..EVENTS {
        let began = Instant::now();
        assert_eq!(client.call("move", json!(n)).await, n);
        through.push(began.elapsed());
        let began = Instant::now();
        let request = direct.post(&application.url).body(body.clone());
        black_box(request.send().await.unwrap().bytes().await.unwrap());
        alone.push(began.elapsed());
    }
    let [through, alone] = [through, alone].map(|mut times| {
        times.sort_unstable();
        [50, 99].map(|percent| times[times.len() * percent / 100])
    });
    writeln!(
        std::io::stderr(),
        "an event through the server to the service and back: p50 {:?}, p99 {:?}; the service alone: p50 {:?}, p99 {:?}",
        through[0], through[1], alone[0], alone[1],
    )
    .unwrap();
    let added = through[0].saturating_sub(alone[0]);
    assert!(added < MOST, "{added:?} more at the median");
}
