//! `stoa publish --follow` with the real binary against a real server: nothing is lost and nothing comes twice, whatever
//! happens to the files, to the server and to the follower.

use std::{
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use kit::{
    get,
    process::{Process, serve},
    wait_for,
};
use serde_json::Value;

/// A follower, killed with this value.
struct Follower {
    child: Child,
    /// Everything that it said so far.
    said: Arc<Mutex<String>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Follower {
    /// Starts it, and waits until it has looked at the files for the first time.
    async fn start(address: SocketAddr, globs: &[&str], more: &[&str]) -> Self {
        let mut child = kit::process::stoa()
            .args(["publish", "--url", &address.to_string(), "--poll-ms", "20"])
            .args(more)
            .arg("--follow")
            .args(globs)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let said = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().expect("a pipe"));
        let heard = said.clone();
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                *heard.lock().expect("lines") += &format!("{line}\n");
            }
        });
        let follower = Self { child, said };
        follower.says("; Ctrl-C ends").await;
        follower
    }

    async fn says(&self, words: &str) {
        wait_for(words, async || {
            self.said.lock().expect("lines").contains(words)
        })
        .await;
    }

    /// Ctrl-C; the summary.
    fn stop(mut self) -> String {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-INT", &id]).status();
        assert!(told.is_ok_and(|told| told.success()));
        let status = self.child.wait().expect("ends");
        let summary = std::io::read_to_string(self.child.stdout.take().expect("a pipe"));
        let said = self.said.lock().expect("lines").clone();
        assert!(status.success(), "{said}");
        summary.expect("text")
    }
}

fn server(journal: &Path) -> Process {
    Process::listening(&mut serve(journal))
}

fn append(file: &Path, text: &str) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .expect("opens");
    file.write_all(text.as_bytes()).expect("writes");
}

fn line(n: usize) -> String {
    format!("{{\"type\":\"decision.logged\",\"what\":\"n{n}\"}}\n")
}

fn halves(n: usize) -> (String, String) {
    let line = line(n);
    let (begun, rest) = line.split_at(20);
    (begun.to_owned(), rest.to_owned())
}

/// The decisions that the server has, oldest first, each with its id.
async fn kept(address: SocketAddr) -> Vec<(String, String)> {
    let (_, history) = get(address, "/api/v1/events?limit=1000").await;
    let events = history["events"].as_array().expect("events");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events
        .iter()
        .map(|event| (text(&event["data"]["what"]), text(&event["id"])))
        .collect()
}

/// Waits until the server has so many events, and holds them against these numbers.
async fn has(address: SocketAddr, numbers: &[usize]) -> Vec<String> {
    let mut last = Vec::new();
    wait_for("all lines to be published", async || {
        last = kept(address).await;
        last.len() >= numbers.len()
    })
    .await;
    let (said, ids): (Vec<_>, Vec<_>) = last.into_iter().unzip();
    let wanted: Vec<String> = numbers.iter().map(|n| format!("n{n}")).collect();
    assert_eq!(said, wanted, "{ids:?}");
    ids
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[tokio::test]
async fn lines_come_as_they_are_written_and_once() {
    let folder = tempfile::tempdir().expect("folder");
    let server = server(&folder.path().join("journal.db"));
    let address = server.address;
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).expect("folder");
    let first = logs.join("realtime_1.jsonl");
    append(&first, &line(0));
    let (begun, rest) = halves(1);
    append(&first, &begun);
    let glob = shown(&logs.join("*.jsonl"));

    // Without --from-start it begins at the end, with the line that is being written.
    let follower = Follower::start(address, &[&glob], &[]).await;
    append(&first, &rest);
    let ids = has(address, &[1]).await;
    let offset = line(0).len();
    assert_eq!(ids, [format!("file:realtime_1.jsonl:{offset}")]);
    // A line in two writes; the producer's own id; a blank line; a refused one.
    let (begun, rest) = halves(2);
    append(&first, &begun);
    append(&first, &format!("{rest}\n{{\"data\":{{}}}}\n"));
    append(
        &first,
        "{\"type\":\"decision.logged\",\"id\":\"own\",\"data\":{\"what\":\"n3\"}}\n",
    );
    assert_eq!(has(address, &[1, 2, 3]).await[2], "own");
    follower.says("realtime_1.jsonl at byte").await;
    follower.says("missing_type").await;
    // A file that comes later, with the events of an agent's own log.
    append(
        &logs.join("agent_events_2.jsonl"),
        "{\"event_type\":\"decision_logged\",\"timestamp\":\"2026-05-23T14:00:00\",\"data\":{\"what\":\"n4\"}}\n",
    );
    let ids = has(address, &[1, 2, 3, 4]).await;
    assert_eq!(ids[3], "file:agent_events_2.jsonl:0");
    let summary = follower.stop();
    assert!(
        summary.contains("published 5: 4 accepted, 0 duplicates, 1 rejected")
            && summary.contains("2 files"),
        "{summary}"
    );

    // Everything from the start and without a state: what is there already is not there twice.
    let follower = Follower::start(address, &[&glob], &["--from-start"]).await;
    append(&first, &line(5));
    wait_for("the first line", async || kept(address).await.len() == 6).await;
    let summary = follower.stop();
    assert!(summary.contains("2 accepted, 4 duplicates"), "{summary}");
}

#[tokio::test]
async fn rotated_and_truncated_files_are_read_to_their_end_and_from_their_start() {
    let folder = tempfile::tempdir().expect("folder");
    let server = server(&folder.path().join("journal.db"));
    let address = server.address;
    let log = folder.path().join("a.jsonl");
    append(&log, &line(0));
    let follower = Follower::start(
        address,
        &[&shown(&folder.path().join("*.jsonl"))],
        &["--from-start"],
    )
    .await;
    has(address, &[0]).await;
    // Rotated: the last line of the old file, and the first ones of the new one at the same offsets.
    append(&log, &line(1));
    fs::rename(&log, folder.path().join("a.jsonl.1")).expect("renames");
    append(&log, &line(2));
    follower.says("rotated or removed").await;
    append(&folder.path().join("a.jsonl.1"), &line(3));
    wait_for("both files", async || kept(address).await.len() == 4).await;
    let mut said: Vec<_> = kept(address).await.into_iter().collect();
    said.sort();
    let ids: Vec<&str> = said.iter().map(|(_, id)| &**id).collect();
    let (one, two) = (line(0).len(), 2 * line(0).len());
    assert_eq!(
        ids,
        [
            "file:a.jsonl:0",
            &format!("file:a.jsonl:{one}"),
            "file:a.jsonl#1:0",
            &format!("file:a.jsonl:{two}"),
        ]
    );
    // Truncated in place and written anew, longer than before.
    fs::write(&log, [line(4), line(5), line(6)].concat()).expect("writes");
    wait_for("the new lines", async || kept(address).await.len() == 7).await;
    follower.says("written anew").await;
    let last: Vec<_> = kept(address).await.split_off(4);
    assert_eq!(last[0], ("n4".into(), "file:a.jsonl#2:0".into()));
    let summary = follower.stop();
    assert!(
        summary.contains("published 7: 7 accepted, 0 duplicates, 0 rejected"),
        "{summary}"
    );
}

#[tokio::test]
async fn a_restart_of_the_follower_or_of_the_server_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let journal = folder.path().join("journal.db");
    let mut server = server(&journal);
    let address = server.address;
    let log = folder.path().join("a.jsonl");
    let state: PathBuf = folder.path().join("state.json");
    let glob = shown(&folder.path().join("*.jsonl"));
    append(&log, &line(0));
    let kept_at = ["--state", &shown(&state)];
    let follower = Follower::start(address, &[&glob], &kept_at).await;
    append(&log, &line(1));
    has(address, &[1]).await;
    let summary = follower.stop();
    assert!(summary.trim_end().ends_with("1 file"), "{summary}");

    // While nobody follows: a line, a rotation with a line behind it, and another file.
    append(&log, &line(2));
    fs::rename(&log, folder.path().join("a.old")).expect("renames");
    append(&log, &line(3));
    append(&folder.path().join("b.jsonl"), &line(4));
    let follower = Follower::start(address, &[&glob], &kept_at).await;
    wait_for("all that came meanwhile", async || {
        kept(address).await.len() == 4
    })
    .await;

    // The server is killed while lines come, and starts again on its port.
    let port = server.kill();
    for n in 5..400 {
        append(&log, &line(n));
    }
    follower.says("it is tried again").await;
    server = Process::listening(serve(&journal).env("STOA_SERVER__PORT", port.to_string()));
    wait_for("all lines", async || {
        kept(server.address).await.len() == 4 + 395
    })
    .await;
    follower.says("the server answers again").await;
    let mut all: Vec<_> = kept(address)
        .await
        .into_iter()
        .map(|(what, _)| what)
        .collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4 + 395);
    let summary = follower.stop();
    assert!(summary.contains("0 rejected"), "{summary}");

    // A state that can't be read is named, and so is a pattern that is none.
    fs::write(&state, "{").expect("writes");
    for wrong in [
        vec!["--follow", &glob, "--state", &shown(&state)],
        vec!["--follow", "a[.jsonl"],
    ] {
        let output = kit::process::stoa()
            .arg("publish")
            .args(wrong)
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(1));
        assert!(!output.stderr.is_empty());
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_named_before_there_is_anything_to_send() {
    let folder = tempfile::tempdir().expect("folder");
    let journal = folder.path().join("journal.db");
    let server = server(&journal);
    let address = server.address;
    let log = folder.path().join("a.jsonl");
    append(&log, &line(0));
    let follower = Follower::start(address, &[&shown(&log)], &[]).await;
    append(&log, &line(1));
    has(address, &[1]).await;
    let said = follower.said.lock().expect("lines").clone();
    assert!(!said.contains("tried again"), "{said}");
    follower.stop();

    let port = server.kill();
    let follower = Follower::start(address, &[&shown(&log)], &[]).await;
    follower.says("it is tried again until it answers").await;
    let server = Process::listening(serve(&journal).env("STOA_SERVER__PORT", port.to_string()));
    append(&log, &line(2));
    has(server.address, &[1, 2]).await;
    follower.says("the server answers again").await;
    let said = follower.said.lock().expect("lines").clone();
    assert_eq!(said.matches("it is tried again").count(), 1, "{said}");
    assert!(said.contains("following 1 file;"), "{said}");
}
