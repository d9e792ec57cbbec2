//! A journal that is put back to what it was: nobody is told that everything came who missed something, with the real binary.
#![cfg(unix)]

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use kit::{
    Client, PATIENCE, counted, get, post,
    process::{Process, serve},
    until_folded,
};
use serde_json::{Value, json};

/// A journal in a folder that goes with the test.
struct Site {
    _folder: tempfile::TempDir,
    journal: PathBuf,
    log: PathBuf,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        Self {
            journal: folder.path().join("stoa.db"),
            log: folder.path().join("log"),
            _folder: folder,
        }
    }

    fn start(&self) -> Process {
        Process::logged(&mut serve(&self.journal), &self.log)
    }

    /// Puts a copy of the journal in its place.
    fn put_back(&self, copy: &Path) {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = self.journal.clone().into_os_string();
            name.push(suffix);
            fs::remove_file(name).ok();
        }
        fs::copy(copy, &self.journal).expect("copies");
    }
}

async fn stop(mut server: Process) {
    server.signal("TERM");
    assert!(server.ended().await.success());
}

/// Publishes decisions with these ids, and waits until they were sent to somebody; the cursor after them.
async fn decide(address: SocketAddr, ids: &[String]) -> String {
    let decision =
        |id: &String| json!({ "type": "decision.logged", "id": id, "data": { "what": id } });
    let events: Value = ids.iter().map(decision).collect();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let (status, answer) = post(address, &events).await;
    assert_eq!(status, 202, "{answer}");
    for _ in 0..answer["accepted"].as_u64().expect("a number") {
        watcher.event("decision_event").await;
    }
    answer["cursor"].as_str().expect("a cursor").to_owned()
}

fn ids(of: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{of}{n}")).collect()
}

/// Comes back with a cursor: the decisions that it is sent, and `resumed`.
async fn come_back(address: SocketAddr, cursor: &str) -> (Vec<String>, Value, Client) {
    let (mut client, _) = Client::connect(address, json!({ "cursor": cursor })).await;
    let mut came = Vec::new();
    loop {
        let (name, body) = client.next().await.expect("it stays connected");
        match name.as_str() {
            "decision_event" => came.push(body["id"].as_str().expect("an id").to_owned()),
            "resumed" => return (came, body, client),
            _ => {}
        }
    }
}

/// The answer of a stream of server-sent events that goes on from a cursor.
async fn resumed_stream(address: SocketAddr, cursor: &str) -> Value {
    let request = kit::http_client()
        .get(format!("http://{address}/api/v1/stream"))
        .header("Last-Event-ID", cursor)
        .send();
    let mut stream = request.await.expect("answers");
    let mut text = String::new();
    loop {
        let chunk = tokio::time::timeout(PATIENCE, stream.chunk()).await;
        let chunk = chunk.expect("in time").expect("reads").expect("more");
        text.push_str(&String::from_utf8_lossy(&chunk));
        let line = text
            .lines()
            .find(|line| line.contains("\"type\":\"resumed\""));
        let resumed = line.and_then(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok());
        if let Some(resumed) = resumed {
            return resumed;
        }
    }
}

/// A copy of what is kept now, as `sqlite3 .backup` makes it while the server runs.
fn copy_while_it_runs(journal: &Path, copy: &Path) {
    let connection = rusqlite::Connection::open(journal).expect("opens");
    let to = copy.to_str().expect("a path");
    connection.execute("VACUUM INTO ?1", [to]).expect("copies");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_what_a_backup_does_not_have_is_one_of_another_journal() {
    // A copy from between two runs, and one from the middle of the run that is lost.
    for while_it_runs in [false, true] {
        let site = Site::new();
        let copy = site.journal.with_extension("copy");
        let mut server = site.start();
        let before = decide(server.address, &ids("before", 5)).await;
        if while_it_runs {
            copy_while_it_runs(&site.journal, &copy);
        } else {
            stop(server).await;
            fs::copy(&site.journal, &copy).expect("copies");
            server = site.start();
        }
        let (mut watcher, _) = Client::connect(server.address, json!({})).await;
        let answered = decide(server.address, &ids("lost", 5)).await;
        let mut seen = String::new();
        for _ in 0..5 {
            let update = watcher.event("decision_event").await;
            seen = update["cursor"].as_str().expect("a cursor").to_owned();
        }
        stop(server).await;
        site.put_back(&copy);
        let server = site.start();
        let address = server.address;
        // As many others as take the places of what is lost, and more.
        let after = ids("after", 8);
        decide(address, &after).await;

        for lost in [&answered, &seen] {
            let (came, resumed, mut client) = come_back(address, lost).await;
            assert_eq!(came, [""; 0], "{while_it_runs}");
            assert_eq!(resumed["complete"], false, "{while_it_runs} {resumed}");
            let snapshot = client.event("snapshot").await;
            assert_eq!(snapshot["counts"]["decisions"], 13, "{snapshot}");
            assert_eq!(snapshot["cursor"], resumed["to"]);
            let resumed = client.call("resume", json!({ "cursor": lost })).await;
            assert_eq!(resumed["complete"], false, "{resumed}");
            let resumed = resumed_stream(address, lost).await;
            assert_eq!(resumed["complete"], false, "{resumed}");
            for key in ["after", "before"] {
                let (status, answer) = get(address, &format!("/api/v1/events?{key}={lost}")).await;
                let said = answer["error"]["message"].as_str().unwrap_or_default();
                assert_eq!(
                    (status, &answer["error"]["code"]),
                    (400, &json!("bad_request"))
                );
                assert!(said.contains("a backup was put back"), "{said}");
            }
        }
        let given_up = "stoa_replays_given_up_total{reason=\"unknown_cursor\"}";
        assert_eq!(counted(address, given_up).await, 6);

        // A client that left before that missed just the new events.
        let (came, resumed, _client) = come_back(address, &before).await;
        assert_eq!((came, &resumed["complete"]), (after.clone(), &json!(true)));
        let (_, page) = get(address, &format!("/api/v1/events?after={before}")).await;
        assert_eq!(page["events"].as_array().map(Vec::len), Some(8), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_hold_over_restarts_and_kills_and_a_place_keeps_its_name() {
    let site = Site::new();
    let mut kept: Vec<String> = Vec::new();
    // Each cursor is followed by the events that are kept behind it.
    let mut cursors: Vec<(usize, String)> = Vec::new();
    for round in 0..4 {
        let server = site.start();
        let address = server.address;
        let (_client, hello) = Client::connect(address, json!({})).await;
        let greeted = hello["cursor"].as_str().expect("a cursor").to_owned();
        if let Some((_, last)) = cursors.last() {
            assert_eq!(*last, greeted, "nothing happened between the two");
            until_folded(address, &json!(last)).await;
            // The same events again are answered with the place that they had.
            let again = decide(address, &kept[kept.len() - 3..]).await;
            assert_eq!(again, *last);
        }
        cursors.push((kept.len(), greeted));
        let new = ids(&format!("r{round}-"), 3);
        kept.extend(new.iter().cloned());
        cursors.push((kept.len(), decide(address, &new).await));
        for (seen, cursor) in &cursors {
            let (came, resumed, _client) = come_back(address, cursor).await;
            assert_eq!(resumed["complete"], true, "{round} {cursor} {resumed}");
            assert_eq!(came, kept[*seen..], "{round} {cursor}");
            let path = format!("/api/v1/events?after={cursor}");
            let (_, page) = get(address, &path).await;
            let events = page["events"].as_array().expect("events");
            assert!(events.iter().map(|event| &event["id"]).eq(&kept[*seen..]));
        }
        let (_, page) = get(address, "/api/v1/events").await;
        for (seen, cursor) in cursors.iter().filter(|(seen, _)| *seen > 0) {
            assert_eq!(page["events"][seen - 1]["cursor"], *cursor);
        }
        if round % 2 == 0 {
            stop(server).await;
        } else {
            drop(server);
        }
    }
    let places: Vec<_> = cursors.iter().map(|(_, cursor)| cursor).collect();
    let epoch = |cursor: &str| cursor.split('.').next().map(str::to_owned);
    assert_ne!(epoch(places[1]), epoch(places[3]), "each start has its own");
}

/// The file of a server from before there were generations, with three decisions.
#[tokio::test(flavor = "multi_thread")]
async fn the_cursors_of_an_older_file_hold_on() {
    let site = Site::new();
    let old = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/journals/version-3.db"
    );
    site.put_back(Path::new(old));
    // Else they are let go of by their age.
    let file = rusqlite::Connection::open(&site.journal).expect("opens");
    let now = "UPDATE events SET accepted = unixepoch() * 1000000";
    assert_eq!(file.execute(now, []), Ok(3));
    drop(file);
    let mut after = vec!["d1".to_owned(), "d2".to_owned()];
    for start in 0..2 {
        let server = site.start();
        let (came, resumed, _client) = come_back(server.address, "95tyo8.1").await;
        assert_eq!(resumed["complete"], true, "{resumed}");
        assert_eq!(came, after);
        let new = ids(&format!("new{start}-"), 2);
        decide(server.address, &new).await;
        after.extend(new);
        // Its server had no more than these.
        let (_, resumed, _client) = come_back(server.address, "95tyo8.3").await;
        assert_eq!(resumed["complete"], true, "{resumed}");
        let (_, resumed, _client) = come_back(server.address, "95tyo8.4").await;
        assert_eq!(resumed["complete"], false, "{resumed}");
        stop(server).await;
    }
}
