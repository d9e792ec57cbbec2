//! The scenario `fanout`.

use std::time::Duration;

use serde_json::Value;

use crate::bench_command::{
    bench,
    fake::{Fault, server},
};

/// A short run.
const SHORT: [&str; 4] = ["--seconds", "1", "--warmup", "1"];

fn words<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SHORT.iter().chain(more).copied().collect()
}

#[tokio::test]
async fn an_open_loop_delivers_everything_at_its_rate() {
    let stoa = kit::server().await;
    let more = words(&["--observers", "20", "--rate", "50"]);
    let outcome = bench("fanout", stoa.address(), &more).await.good();
    let report = &outcome.report;
    assert_eq!(report["scenario"], "fanout");
    assert_eq!(report["mode"], "rate");
    assert_eq!(report["updates"], 50);
    assert_eq!(report["deliveries"], 50 * 20);
    assert!(outcome.number("/bytes_per_delivery") > 200.0);
    let mut least = 0.0;
    for key in ["p50", "p90", "p99", "p999", "max"] {
        let latency = outcome.number(&format!("/latency_ms/{key}"));
        assert!(latency >= least && latency > 0.0, "{key}: {report}");
        least = latency;
    }
    assert!(outcome.number("/producer_late_ms/max") >= 0.0);
    assert!(outcome.number("/connect/per_second") > 0.0);
    assert_eq!(report["connect"]["clients"], 20);
    assert!(report.get("server").is_none(), "no --pid: {report}");
    // The live line is no part of the result.
    assert!(
        outcome.stderr.contains("deliveries/s"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn a_closed_loop_is_lockstep_or_pipelined() {
    let stoa = kit::server().await;
    let pid = std::process::id().to_string();
    for in_flight in ["1", "64"] {
        let more = ["--observers", "10", "--in-flight", in_flight, "--pid", &pid];
        let outcome = bench("fanout", stoa.address(), &words(&more)).await.good();
        let updates = outcome.number("/updates");
        assert!(updates > 0.0);
        assert_eq!(outcome.number("/deliveries"), updates * 10.0);
        assert_eq!(outcome.report["in_flight"].to_string(), in_flight);
        assert_eq!(outcome.report["rate"], Value::Null);
        if cfg!(target_os = "linux") {
            // The server lives in this process.
            assert!(outcome.number("/server/rss_bytes") > 1e6);
            assert!(outcome.number("/server/cpu_seconds") > 0.0);
        }
    }
}

#[tokio::test]
async fn polling_clients_get_everything_too() {
    let stoa = kit::server().await;
    for load in [["--rate", "20"], ["--in-flight", "4"]] {
        let more = [
            "--observers",
            "5",
            "--transport",
            "polling",
            load[0],
            load[1],
        ];
        let outcome = bench("fanout", stoa.address(), &words(&more)).await.good();
        assert_eq!(outcome.report["transport"], "polling");
        assert_eq!(
            outcome.number("/deliveries"),
            outcome.number("/updates") * 5.0
        );
    }
}

#[tokio::test]
async fn an_update_is_padded_to_its_size() {
    let stoa = kit::server().await;
    let more = words(&[
        "--observers",
        "3",
        "--rate",
        "20",
        "--size",
        "3000",
        "--threads",
        "2",
    ]);
    let outcome = bench("fanout", stoa.address(), &more).await.good();
    let bytes = outcome.number("/bytes_per_delivery");
    assert!((2_900.0..=3_100.0).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn other_packets_and_events_are_measured_too() {
    let stoa = kit::server().await;
    let packet = r#"["publish",{"type":"task.completed","data":{"task_id":"t{seq}","n":{seq}}}]"#;
    let more = [
        "--observers",
        "3",
        "--rate",
        "20",
        "--packet",
        packet,
        "--event",
        "task_update",
    ];
    let outcome = bench("fanout", stoa.address(), &words(&more)).await.good();
    assert_eq!(outcome.report["deliveries"], 60);
}

#[tokio::test]
async fn a_server_that_loses_doubles_or_reorders_is_found_out() {
    for (fault, key, sentence) in [
        (Fault::Loses, "lost", "5 deliveries were lost"),
        (Fault::Doubles, "doubled", "5 deliveries came twice"),
        (
            Fault::Reorders,
            "out_of_order",
            "5 deliveries came after a later one",
        ),
    ] {
        let faulty = server(fault).await;
        let more = words(&["--observers", "5", "--rate", "100"]);
        let outcome = bench("fanout", faulty, &more).await;
        assert_eq!(outcome.code, 1, "{fault:?}: {}", outcome.report);
        assert_eq!(outcome.report[key], 5, "{fault:?}: {}", outcome.report);
        assert_eq!(outcome.report["ok"], false);
        assert!(outcome.stderr.contains(sentence), "{}", outcome.stderr);
    }
    let sound = server(Fault::None).await;
    let more = words(&["--observers", "5", "--rate", "100"]);
    bench("fanout", sound, &more).await.good();
}

#[tokio::test]
async fn connections_that_end_are_told() {
    let faulty = server(Fault::Closes).await;
    let more = words(&["--observers", "5", "--rate", "100"]);
    let outcome = bench("fanout", faulty, &more).await;
    assert_eq!(
        (outcome.code, &outcome.report["disconnected"]),
        (1, &5.into())
    );
    let said = "5 of 5 connections ended during the run";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
}

/// Updates that were due while the server stalled were late too, although they were sent after the stall.
#[tokio::test]
async fn a_stall_is_seen_by_all_that_were_due_in_it() {
    let stalls = server(Fault::Stalls(Duration::from_millis(300))).await;
    let more = [
        "--warmup",
        "0",
        "--seconds",
        "2",
        "--observers",
        "2",
        "--rate",
        "100",
    ];
    let outcome = bench("fanout", stalls, &more).await.good();
    // 30 of 200 updates were due in it; the latest 20 of those waited 100 ms and more.
    assert!(
        outcome.number("/latency_ms/p90") >= 95.0,
        "{}",
        outcome.report
    );
    assert!(
        outcome.number("/latency_ms/max") >= 295.0,
        "{}",
        outcome.report
    );
}

/// The rest of the warm-up that a slow server still had to do does not count against it.
#[tokio::test]
async fn a_slow_server_is_measured_by_what_it_does() {
    let slow = server(Fault::Slow(Duration::from_millis(20))).await;
    let more = words(&["--observers", "2", "--in-flight", "64"]);
    let outcome = bench("fanout", slow, &more).await.good();
    // It does 50 a second; with the 64 that are on their way when the measuring begins it would be 20.
    let done = outcome.number("/updates_per_second");
    assert!((35.0..=65.0).contains(&done), "{}", outcome.report);
}

#[tokio::test]
async fn an_event_that_nobody_gets_is_named() {
    let stoa = kit::server().await;
    let more = words(&["--observers", "2", "--event", "tick"]);
    let outcome = bench("fanout", stoa.address(), &more).await;
    assert_eq!(outcome.code, 1);
    let said = "0 of 2 observers got an update named tick";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("decision_event"),
        "{}",
        outcome.stderr
    );
}
