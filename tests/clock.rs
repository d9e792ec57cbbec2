//! Clocks that jump, as clients see it, with the real binary and `faketime`.
#![cfg(target_os = "linux")]

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use kit::{
    Client, PATIENCE, counted, get, not_checked, post,
    process::{Process, serve},
    wait_for,
};
use serde_json::{Value, json};

/// The library of `faketime`, where it is installed.
pub(crate) fn faketime(test: &str) -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten();
    let libraries = folders.filter_map(|f| Some(f.ok()?.path().join("faketime/libfaketime.so.1")));
    let library = libraries.into_iter().find(|library| library.exists());
    if library.is_none() {
        let why = "faketime is not installed (apt-get install faketime, or make deps)";
        not_checked(&format!("{test}: {why}"));
    }
    library
}

/// A folder with a journal, and a clock that can be set.
struct Place {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl Place {
    fn new(test: &str) -> Option<Self> {
        Some(Self {
            library: faketime(test)?,
            folder: tempfile::tempdir().expect("folder"),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn journal(&self) -> PathBuf {
        self.path("stoa.db")
    }

    /// Sets the wall clock of the server that runs, by an offset.
    fn set(&self, offset: &str) {
        // At once: the server may read it at any time.
        std::fs::write(self.path("clock.new"), offset).expect("writes");
        std::fs::rename(self.path("clock.new"), self.path("clock")).expect("renames");
    }

    fn command(&self, offset: &str) -> Command {
        self.set(offset);
        let mut command = serve(&self.journal());
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.path("clock"))
            .env("FAKETIME_NO_CACHE", "1")
            // Waiting goes by the clock that only goes forward.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    }

    fn start(&self, offset: &str) -> Process {
        Process::logged(&mut self.command(offset), &self.path("log"))
    }

    /// Waits until the journal's chores have been done `times` times: while nothing is published only they notice that the
    /// file is gone, and that it is back; then they let go of what is too old.
    async fn chores(&self, address: SocketAddr, times: usize) {
        let elsewhere = self.path("elsewhere");
        for _ in 0..times {
            std::fs::rename(self.journal(), &elsewhere).expect("renames");
            until_journal(address, "down").await;
            std::fs::rename(&elsewhere, self.journal()).expect("renames");
            until_journal(address, "ok").await;
        }
    }
}

/// Waits until `/readyz` says so of the journal (a busy machine may make other parts late); all that it says of it.
async fn until_journal(address: SocketAddr, status: &str) -> Value {
    let started = Instant::now();
    loop {
        let (_, mut body) = get(address, "/readyz").await;
        let journal = body["parts"]["journal"].take();
        if journal["status"] == status {
            return journal;
        }
        assert!(started.elapsed() < PATIENCE, "{journal} {body}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn until_over(address: SocketAddr, line: &str, least: u64) {
    wait_for(&format!("{line} to come to {least}"), async || {
        counted(address, line).await >= least
    })
    .await;
}

const JUMPS: &str = "stoa_journal_clock_jumps_total";
const BY_AGE: &str = "stoa_events_trimmed_total{reason=\"age\"}";

fn decisions(from: u64, to: u64) -> Value {
    (from..to)
        .map(|n| json!({ "type": "decision.logged", "id": format!("d{n}"), "data": { "what": n.to_string() } }))
        .collect()
}

async fn stop(mut server: Process) {
    server.signal("TERM");
    assert!(server.ended().await.success());
}

/// A week is what events are kept for, as it comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_by_more_than_a_week_empties_no_journal() {
    let Some(place) = Place::new("trimming by age while the clock jumps") else {
        return;
    };
    let server = place.start("+0");
    assert_eq!(post(server.address, &decisions(0, 1_000)).await.0, 202);
    // The next start needs none of them: they are in the saved state.
    stop(server).await;
    let server = place.start("+0");
    let address = server.address;
    let mut kept = 1_000;
    for (jumps, offset) in ["+8d", "-8d"].into_iter().enumerate() {
        place.set(offset);
        until_over(address, JUMPS, jumps as u64 + 1).await;
        for _ in 0..2 {
            assert_eq!(post(address, &decisions(kept, kept + 1)).await.0, 202);
            kept += 1;
            place.chores(address, 1).await;
        }
        let journal = until_journal(address, "ok").await;
        assert_eq!(journal["first"], 1, "{offset}: {journal}");
        assert_eq!(counted(address, BY_AGE).await, 0, "{offset}");
    }
    // Their ids are known as before.
    let (_, again) = post(address, &decisions(0, 1_000)).await;
    assert_eq!(
        (&again["accepted"], &again["duplicates"]),
        (&json!(0), &json!(1_000))
    );
    stop(server).await;
    // A clock that says so from the start on is believed: then they are too old, and go.
    let server = place.start("+30d");
    until_over(server.address, BY_AGE, 1_000).await;
    assert!(until_journal(server.address, "ok").await["first"].as_u64() > Some(1_000));
    assert_eq!(counted(server.address, JUMPS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_before_1970_is_told_at_the_start_and_is_no_panic_later() {
    let Some(place) = Place::new("a clock before 1970") else {
        return;
    };
    let refused = place.command("-60y").output().expect("runs");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("before 1970"),
        "{said}"
    );
    let mut server = place.start("+0");
    let address = server.address;
    let (mut client, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let mut years = Vec::new();
    for (n, (offset, jumps)) in [("-60y", 1), ("+400d", 2), ("+0", 2)]
        .into_iter()
        .enumerate()
    {
        place.set(offset);
        // The journal's own chores meet the clock, too.
        until_over(address, JUMPS, jumps).await;
        let event = json!({ "type": "decision.logged", "data": { "what": n.to_string() } });
        let answer = client.call("publish", event).await;
        assert_eq!(answer["accepted"], 1, "{offset}: {answer}");
        let update = client.event("decision_event").await;
        let year = update["timestamp"].as_str().expect("a time")[..4].parse::<u32>();
        years.push(year.expect("a year"));
    }
    assert!(years[0] == 1970 && years[1] > years[2], "{years:?}");
    let (_, page) = get(address, "/api/v1/events").await;
    assert_eq!(page["events"].as_array().map(Vec::len), Some(3));
    let panics = server.lines("panicked");
    assert!(panics.is_empty(), "{panics:?}");
    server.signal("TERM");
    assert!(server.ended().await.success());
}
