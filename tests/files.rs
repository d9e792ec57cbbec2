//! Losses of the journal's files under a running server, as clients see them, with the real binary.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use common::{
    PATIENCE, get,
    logged::{Logged, stoa},
    post,
};
use serde_json::{Value, json};

fn decisions(from: u64, to: u64) -> Value {
    (from..to)
        .map(|n| json!({ "type": "decision.logged", "id": format!("d{n}"), "data": { "what": n.to_string() } }))
        .collect()
}

/// Waits until the journal is said to be down; why.
async fn until_down(address: std::net::SocketAddr) -> String {
    let started = Instant::now();
    loop {
        let (code, body) = get(address, "/readyz").await;
        if code == 503 {
            let journal = &body["parts"]["journal"];
            assert_eq!(journal["status"], "down", "{body}");
            return journal["reason"].as_str().expect("a reason").to_owned();
        }
        assert!(started.elapsed() < PATIENCE, "{code} {body}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn beside(journal: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

type Harm = fn(&Path);

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_lost_in_whatever_way_is_noticed_and_said_once() {
    let harms: [(&str, &str, Harm); 5] = [
        ("deleted", "deleted or renamed", |journal| {
            std::fs::remove_file(journal).expect("removes");
        }),
        ("renamed", "deleted or renamed", |journal| {
            std::fs::rename(journal, beside(journal, ".old")).expect("renames");
        }),
        ("replaced", "another file", |journal| {
            let other = beside(journal, ".other");
            std::fs::copy(journal, &other).expect("copies");
            std::fs::rename(other, journal).expect("renames");
        }),
        ("its log deleted", "(-wal) was deleted", |journal| {
            std::fs::remove_file(beside(journal, "-wal")).expect("removes");
        }),
        ("its log cut", "(-wal) was cut", |journal| {
            // The file is emptied.
            std::fs::File::create(beside(journal, "-wal")).expect("cuts");
        }),
    ];
    for (what, said, harm) in harms {
        let folder = tempfile::tempdir().expect("folder");
        let journal = folder.path().join("stoa.db");
        let log = folder.path().join("log");
        let server = Logged::start(&mut stoa(&journal), &log);
        let address = server.address;
        assert_eq!(post(address, &decisions(0, 10)).await.0, 202);
        harm(&journal);
        let reason = until_down(address).await;
        assert!(reason.contains(said), "{what}: {reason}");
        for n in 10..20 {
            let (status, answer) = post(address, &decisions(n, n + 1)).await;
            assert_eq!(
                (status, &answer["error"]["code"]),
                (503, &json!("unavailable")),
                "{what}: {answer}"
            );
        }
        // Events that were kept are still shown.
        let (_, page) = get(address, "/api/v1/events").await;
        assert_eq!(page["events"].as_array().map(Vec::len), Some(10), "{what}");
        let lines = server.lines("nothing is kept any more");
        assert_eq!(lines.len(), 1, "{what}: {lines:?}");
        assert!(
            lines[0].contains("\"level\":\"ERROR\"") && lines[0].contains(said),
            "{lines:?}"
        );
        let metrics = reqwest::get(format!("http://{address}/metrics")).await;
        let metrics = metrics.expect("answers").text().await.expect("text");
        assert!(metrics.contains("stoa_journal_file_lost_total 1"), "{what}");
        drop(server);
        if what == "its log deleted" {
            // Nothing that was acknowledged is gone by that.
            let server = Logged::start(&mut stoa(&journal), &log);
            let (_, page) = get(server.address, "/api/v1/events").await;
            assert_eq!(page["events"].as_array().map(Vec::len), Some(10));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_file_is_refused_by_whatever_name() {
    let folder = tempfile::tempdir().expect("folder");
    let journal = folder.path().join("stoa.db");
    let log = folder.path().join("log");
    let server = Logged::start(&mut stoa(&journal), &log);
    assert_eq!(post(server.address, &decisions(0, 10)).await.0, 202);
    let (by_symlink, by_link) = (
        folder.path().join("symlink.db"),
        folder.path().join("link.db"),
    );
    std::os::unix::fs::symlink(&journal, &by_symlink).expect("links");
    std::fs::hard_link(&journal, &by_link).expect("links");
    let through = folder.path().join("through");
    std::os::unix::fs::symlink(folder.path(), &through).expect("links");
    let by_folder = through.join("stoa.db");
    for name in [&journal, &by_symlink, &by_link, &by_folder] {
        let mut second = stoa(name)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("starts");
        let started = Instant::now();
        while second.try_wait().expect("waits").is_none() {
            if started.elapsed() > PATIENCE {
                second.kill().ok();
                panic!("it runs on {}", name.display());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let output = second.wait_with_output().expect("output");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{}: {said}", name.display());
        assert!(said.contains("use"), "{}: {said}", name.display());
    }
    // The first one goes on, and has lost nothing.
    assert_eq!(post(server.address, &decisions(10, 20)).await.0, 202);
    let (_, page) = get(server.address, "/api/v1/events").await;
    assert_eq!(page["events"].as_array().map(Vec::len), Some(20));
}
