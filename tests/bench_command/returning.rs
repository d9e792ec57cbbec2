//! The scenarios `resume` and `storm`.

use crate::bench_command::{
    bench,
    fake::{Fault, server},
};

const WORDS: [&str; 8] = [
    "--warmup",
    "0",
    "--seconds",
    "1",
    "--observers",
    "20",
    "--missed",
    "30",
];

#[tokio::test]
async fn clients_that_come_back_have_everything_once_and_in_order() {
    let stoa = kit::server().await;
    for scenario in ["resume", "storm"] {
        let outcome = bench(scenario, stoa.address(), &WORDS).await.good();
        let report = &outcome.report;
        assert_eq!(report["scenario"], scenario);
        assert_eq!(report["cursors"], true);
        assert_eq!(report["missed"], 30);
        assert_eq!(report["incomplete"], 0);
        let rounds = outcome.number("/rounds");
        assert!(rounds >= 1.0);
        assert_eq!(outcome.number("/returns"), rounds * 20.0);
        let connected = outcome.number("/connected_ms/p50");
        let complete = outcome.number("/complete_ms/p50");
        assert!(connected > 0.0 && complete >= connected, "{report}");
        assert!(outcome.number("/last_ms/max") >= outcome.number("/complete_ms/p50"));
    }
}

/// A memory that holds fewer updates than the clients miss.
#[tokio::test]
async fn a_journal_that_does_not_reach_back_is_told() {
    let stoa = kit::server_with(|config| {
        config.journal.max_events.set(10).unwrap();
    })
    .await;
    let mut words = WORDS;
    words[7] = "200";
    let outcome = bench("resume", stoa.address(), &words).await;
    assert_eq!(outcome.code, 1, "{}", outcome.report);
    assert!(
        outcome.stderr.contains("no longer reached back") || outcome.stderr.contains("in time"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn a_server_without_cursors_is_no_place_to_resume_but_to_storm() {
    let plain = server(Fault::None).await;
    let outcome = bench("resume", plain, &WORDS).await;
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.stderr.contains("sends no cursor"),
        "{}",
        outcome.stderr
    );
    let outcome = bench("storm", plain, &WORDS).await.good();
    assert_eq!(outcome.report["cursors"], false);
    assert_eq!(outcome.report["missed"], 0);
    assert_eq!(outcome.number("/returns"), outcome.number("/rounds") * 20.0);
}
