//! The scenarios `connect` and `ingest`.

use crate::bench_command::{
    bench, bench_at,
    fake::{Fault, server},
};

#[tokio::test]
async fn connecting_is_timed_step_by_step() {
    let stoa = kit::server().await;
    let pid = std::process::id().to_string();
    let words = [
        "--seconds",
        "1",
        "--observers",
        "50",
        "--concurrency",
        "10",
        "--pid",
        &pid,
    ];
    let outcome = bench("connect", stoa.address(), &words).await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(outcome.report["disconnected"], 0);
    assert_eq!(outcome.report["connect"]["clients"], 50);
    assert!(outcome.number("/connects_per_second") > 0.0);
    for step in ["tcp_ms", "handshake_ms", "connect_ms"] {
        let (median, max) = (format!("/{step}/p50"), format!("/{step}/max"));
        assert!(outcome.number(&max) >= outcome.number(&median), "{step}");
        assert!(outcome.number(&max) > 0.0, "{step}");
    }
    if cfg!(target_os = "linux") {
        assert!(outcome.number("/server/rss_bytes") >= outcome.number("/server/rss_bytes_before"));
        assert!(outcome.number("/server/bytes_per_connection") >= 0.0);
    }
}

#[tokio::test]
async fn events_that_are_taken_in_are_counted_by_the_servers_answers() {
    let stoa = kit::server().await;
    for (via, batch, in_flight) in [
        ("publish", "1", "64"),
        ("publish", "10", "4"),
        ("ndjson", "20", "4"),
    ] {
        let words = [
            "--warmup",
            "0",
            "--seconds",
            "1",
            "--via",
            via,
            "--batch",
            batch,
            "--in-flight",
            in_flight,
            "--size",
            "300",
            "--observers",
            "2",
        ];
        let outcome = bench("ingest", stoa.address(), &words).await;
        let report = &outcome.report;
        assert_eq!(outcome.code, 0, "{via}: {} {report}", outcome.stderr);
        assert_eq!(
            (&report["rejected"], &report["unanswered"]),
            (&0.into(), &0.into())
        );
        assert_eq!(report["sent"], report["accepted"], "{via}: {report}");
        assert!(outcome.number("/events") > 0.0);
        assert!(outcome.number("/events_per_second") > 0.0);
        assert!(outcome.number("/ack_ms/p50") > 0.0);
    }
}

#[tokio::test]
async fn events_that_the_server_rejects_fail_the_run() {
    let stoa = kit::server().await;
    for via in ["publish", "ndjson"] {
        let body = r#"{"type":"decision.made","data":{seq}}"#;
        let words = [
            "--warmup",
            "0",
            "--seconds",
            "1",
            "--via",
            via,
            "--in-flight",
            "1",
            "--body",
            body,
        ];
        let outcome = bench("ingest", stoa.address(), &words).await;
        assert_eq!(outcome.code, 1, "{via}: {}", outcome.report);
        assert_eq!(outcome.report["accepted"], 0);
        assert!(outcome.number("/rejected") > 0.0);
        assert!(
            outcome.stderr.contains("were rejected"),
            "{}",
            outcome.stderr
        );
    }
}

/// The fake server acknowledges nothing.
#[tokio::test]
async fn a_server_that_does_not_acknowledge_is_told() {
    let silent = server(Fault::None).await;
    let words = ["--warmup", "0", "--seconds", "1", "--in-flight", "2"];
    let outcome = bench("ingest", silent, &words).await;
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.stderr.contains("no acknowledgement came in time"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn an_encrypted_server_is_measured_by_both_transports() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&cert, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let stoa = kit::server_with(|config| {
        config.tls.cert_file.clone_from(&cert);
        config.tls.key_file = key;
    })
    .await;
    let url = format!("https://localhost:{}", stoa.address().port());
    let ca = cert.to_str().unwrap();
    for transport in ["websocket", "polling"] {
        let words = [
            "--ca",
            ca,
            "--transport",
            transport,
            "--observers",
            "3",
            "--warmup",
            "0",
            "--seconds",
            "1",
        ];
        let outcome = bench_at("fanout", &url, &words).await.good();
        assert_eq!(outcome.report["deliveries"], 60, "{transport}");
    }
    let outcome = bench_at("fanout", &url, &["--observers", "1"]).await;
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("--ca FILE"), "{}", outcome.stderr);
}
