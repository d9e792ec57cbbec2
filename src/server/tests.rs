use std::{convert::Infallible, time::Duration};

use super::*;
use crate::config::JournalKind;

async fn memory_server() -> Running {
    let mut config = Config::default();
    config.server.port = 0;
    config.journal.kind = JournalKind::Memory;
    start(&config).await.unwrap()
}

#[tokio::test]
async fn a_server_whose_loop_ended_goes_down_and_says_why() {
    let running = memory_server().await;
    let address = running.address();
    running.hub.abort();
    let ended = until_the_end(running, std::future::pending()).await;
    let said = ended.unwrap_err().to_string();
    assert!(
        said.starts_with("the loop that delivers events ended"),
        "{said}"
    );
    let refused = tokio::net::TcpStream::connect(address).await;
    assert!(refused.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_ends_well() {
    let running = memory_server().await;
    until_the_end(running, std::future::ready(()))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_journal_tells_of_the_end_of_its_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.journal.path = folder.path().join("stoa.db");
    let journal = journal::open(&config, &crate::breaker::Breakers::default())
        .unwrap()
        .journal;
    let ended = journal.ended();
    journal.close();
    ended.await;
    let refused = journal.append_entries(Vec::new()).await;
    assert!(refused.is_err());
}

/// The files are looked at once as the task begins, and once for the signal that came before it was polled.
#[cfg(unix)]
#[tokio::test]
async fn a_sighup_before_the_first_poll_is_not_lost() {
    static FILES: reload::Files = reload::Files {
        name: "test",
        taken: "taken",
        same: "same",
        refused: "refused",
    };
    let mut heard = Asked::listen();
    let (looked, mut each) = tokio::sync::mpsc::unbounded_channel();
    let reload = move || {
        looked.send(()).ok();
        Ok::<_, Infallible>(false)
    };
    let day = Duration::from_secs(86_400);
    let fresh = reload::keep_fresh(&FILES, day, Metrics::new(), Asked::listen(), reload);
    let process = std::process::id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-HUP", &process])
        .status();
    assert!(sent.unwrap().success());
    heard.received().await;
    let fresh = tokio::spawn(fresh);
    for _ in 0..2 {
        let look = tokio::time::timeout(Duration::from_secs(20), each.recv()).await;
        assert_eq!(look, Ok(Some(())));
    }
    fresh.abort();
}
