//! Bans and revocations in the journal's file, with the real binary: over kills, from earlier versions, after a repair.
#![cfg(unix)]

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use kit::{
    PATIENCE,
    disk::on_small_disk,
    get,
    guarded::{SECRET, admin, observer, request, token},
    process::{Process, refused, serve, stoa},
};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

const BANS: &str = "/api/v1/admin/bans";
const REVOCATIONS: &str = "/api/v1/admin/revocations";

/// A journal in a folder that goes with the test.
struct Site {
    folder: tempfile::TempDir,
    journal: PathBuf,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let journal = folder.path().join("stoa.db");
        Self { folder, journal }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = serve(&self.journal);
        asking(&mut command);
        command
    }

    fn start(&self) -> Process {
        Process::logged(&mut self.command(), &self.path("log"))
    }

    /// The complaint of a start that must fail.
    async fn refused(&self) -> String {
        let (code, said) = refused(&mut self.command()).await;
        assert_eq!(code, Some(1), "{said}");
        said
    }

    fn run(args: &[&Path]) -> Output {
        let mut command = stoa();
        command.args(args).output().expect("runs")
    }

    fn rows(&self, query: &str) -> Vec<String> {
        let connection = rusqlite::Connection::open(&self.journal).expect("opens");
        let mut query = connection.prepare(query).expect("a query");
        let rows = query.query_map([], |row| row.get(0)).expect("rows");
        rows.map(|row| row.expect("a text")).collect()
    }
}

fn stop(server: Process) {
    assert!(server.stop().success());
}

/// Has the server ask for tokens.
fn asking(command: &mut Command) -> &mut Command {
    command
        .env("STOA_AUTHENTICATION__REQUIRED", "true")
        .env("STOA_AUTHENTICATION__SECRET", SECRET)
}

async fn act(address: SocketAddr, method: &str, path: &str, body: Value) -> Value {
    let body = (!body.is_null()).then_some(body);
    let (status, answer) = request(method, address, path, &admin(), body.as_ref()).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Whether somebody comes in, or why not.
async fn comes_in(address: SocketAddr, token: &str) -> Result<(), String> {
    let (status, answer) = request("GET", address, "/api/v1/state", token, None).await;
    match status {
        200 => Ok(()),
        _ => Err(answer["error"]["code"].as_str().expect("a code").to_owned()),
    }
}

async fn banned(address: SocketAddr) -> Vec<String> {
    let listed = act(address, "GET", BANS, Value::Null).await;
    let bans = listed["bans"].as_array().expect("bans").iter();
    let name = |ban: &Value| {
        ban["user"]
            .as_str()
            .or(ban["address"].as_str())
            .map(Into::into)
    };
    bans.filter_map(name).collect()
}

fn is_out(code: &str) -> Result<(), String> {
    Err(code.to_owned())
}

/// A token that says nothing of when it was made is revoked with its user for good.
fn timeless(user: &str) -> String {
    let exp = kit::guarded::now() + 600;
    kit::guarded::saying(&json!({ "sub": user, "exp": exp, "projects": [] }))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_holds_after_a_kill() {
    let site = Site::new();
    let mut decided: Vec<String> = Vec::new();
    for round in 0..3 {
        let server = site.start();
        let address = server.address;
        assert_eq!(banned(address).await, decided, "{round}");
        let user = format!("ann{round}");
        act(
            address,
            "POST",
            BANS,
            json!({ "user": user, "reason": "n" }),
        )
        .await;
        act(address, "POST", BANS, json!({ "user": "brief" })).await;
        act(
            address,
            "DELETE",
            &format!("{BANS}?user=brief"),
            Value::Null,
        )
        .await;
        let user = format!("eve{round}");
        act(address, "POST", REVOCATIONS, json!({ "user": user })).await;
        // The last answer is read: the process ends now, without a word.
        drop(server);
        decided.push(format!("ann{round}"));
    }
    let server = site.start();
    let address = server.address;
    for round in 0..3 {
        let ann = observer(&format!("ann{round}"), &[]);
        assert_eq!(comes_in(address, &ann).await, is_out("banned"));
        let eve = timeless(&format!("eve{round}"));
        assert_eq!(comes_in(address, &eve).await, is_out("unauthorized"));
    }
    assert_eq!(comes_in(address, &observer("brief", &[])).await, Ok(()));
    drop(server);
    let reasons = site.rows("SELECT kind || ' ' || name || ' ' || reason FROM bans");
    assert_eq!(reasons, ["user ann0 n", "user ann1 n", "user ann2 n"]);
}

/// The list of an earlier version: a ban of a user and of an address, one that is over, and two revocations.
fn former_list() -> String {
    json!({
        "bans": [
            { "user": "ann", "until": null, "reason": "noise" },
            { "address": "203.0.113.9", "until": null, "reason": "" },
            { "user": "over", "until": 1_000_000, "reason": "" },
        ],
        "revocations": [{ "user": "eve", "at": 1_700_000_000 }, { "token": "t-1", "at": 1_700_000_000 }],
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_an_earlier_version_is_taken_over_once() {
    for is_named in [false, true] {
        let site = Site::new();
        let list = site.path(if is_named {
            "bans.json"
        } else {
            "stoa.access.json"
        });
        let renamed = |number: &str| {
            let mut name = list.clone().into_os_string();
            name.push(format!(".taken-over{number}"));
            PathBuf::from(name)
        };
        let start = || {
            let mut command = site.command();
            if is_named {
                command.env("STOA_ACCESS__FILE", &list);
            }
            Process::logged(&mut command, &site.path("log"))
        };
        fs::write(&list, former_list()).expect("writes");
        let lock = list.with_file_name(format!(
            "{}.lock",
            list.file_name().expect("a name").to_string_lossy()
        ));
        fs::write(&lock, "").expect("writes");
        let server = start();
        let address = server.address;
        assert_eq!(banned(address).await, ["ann", "203.0.113.9"]);
        let ann = observer("ann", &[]);
        assert_eq!(comes_in(address, &ann).await, is_out("banned"));
        assert_eq!(
            comes_in(address, &timeless("eve")).await,
            is_out("unauthorized")
        );
        assert!(!list.exists() && !lock.exists());
        assert_eq!(
            fs::read_to_string(renamed("")).expect("kept"),
            former_list()
        );
        let said = server.lines("from now on");
        assert!(
            said.len() == 1 && said[0].contains("taken-over"),
            "{said:?}"
        );
        act(address, "DELETE", &format!("{BANS}?user=ann"), Value::Null).await;
        stop(server);

        // Once: who was let in again stays in.
        let server = start();
        let address = server.address;
        assert_eq!(comes_in(address, &ann).await, Ok(()));
        assert_eq!(banned(address).await, ["203.0.113.9"]);
        assert!(server.lines("from now on").is_empty());
        act(
            address,
            "POST",
            BANS,
            json!({ "address": "203.0.113.9", "reason": "newer" }),
        )
        .await;
        stop(server);

        // A list that is put there again adds what it says, and nothing is written over.
        let again = json!({ "bans": [
            { "user": "bob", "until": null, "reason": "" },
            { "address": "203.0.113.9", "until": 1_000_000, "reason": "older" },
        ] });
        fs::write(&list, again.to_string()).expect("writes");
        let server = start();
        let listed = act(server.address, "GET", BANS, Value::Null).await;
        assert_eq!(listed["bans"][0]["user"], "bob", "{listed}");
        assert_eq!(listed["bans"][1]["reason"], "newer", "{listed}");
        assert_eq!(
            fs::read_to_string(renamed("")).expect("kept"),
            former_list()
        );
        assert_eq!(
            fs::read_to_string(renamed("-2")).expect("kept"),
            again.to_string()
        );
        drop(server);
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_taken_over_stops_the_start_and_is_left_as_it_is() {
    let site = Site::new();
    let list = site.path("stoa.access.json");
    for broken in ["", "{\"bans\": [", "{\"ban\": []}", "{\"bans\": [{}]}"] {
        fs::write(&list, broken).expect("writes");
        let said = site.refused().await;
        assert!(
            said.contains("stoa.access.json is not a list of bans") && said.contains("mend it"),
            "{broken}: {said}"
        );
        assert_eq!(fs::read_to_string(&list).expect("is there"), broken);
    }
    fs::write(&list, former_list()).expect("writes");
    // A journal in memory keeps nobody out over a restart: not silently.
    for command in ["serve", "check"] {
        let mut start = stoa();
        start
            .arg(command)
            .env("STOA_JOURNAL__KIND", "memory")
            .env("STOA_ACCESS__FILE", &list);
        let (code, said) = refused(&mut start).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("take [access] file out"), "{said}");
    }
    assert_eq!(fs::read_to_string(&list).expect("is there"), former_list());
}

/// Files of versions that kept decisions elsewhere get the tables when they are opened.
#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_an_earlier_version_keeps_decisions_from_then_on() {
    for version in [1, 3] {
        let site = Site::new();
        let old = format!("tests/data/journals/version-{version}.db");
        let old = Path::new(env!("CARGO_MANIFEST_DIR")).join(old);
        fs::copy(old, &site.journal).expect("copies");
        let server = site.start();
        act(server.address, "POST", BANS, json!({ "user": "ann" })).await;
        drop(server);
        let server = site.start();
        assert_eq!(banned(server.address).await, ["ann"], "{version}");
        drop(server);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_keeps_decisions_and_says_which_are_lost() {
    let site = Site::new();
    let server = site.start();
    let address = server.address;
    for user in ["ann", "bob"] {
        act(
            address,
            "POST",
            BANS,
            json!({ "user": user, "reason": "noise" }),
        )
        .await;
    }
    act(
        address,
        "POST",
        BANS,
        json!({ "address": "203.0.113.9", "seconds": 600 }),
    )
    .await;
    act(address, "POST", REVOCATIONS, json!({ "user": "eve" })).await;
    act(address, "POST", REVOCATIONS, json!({ "token_id": "t-1" })).await;
    let revocations = act(address, "GET", REVOCATIONS, Value::Null).await;
    let producer = token(&Grant {
        user: Some("producer".into()),
        ..kit::guarded::grant(Role::Producer)
    });
    let event = json!({ "type": "decision.logged", "data": { "what": "x" } });
    let (status, _) = request("POST", address, "/api/v1/events", &producer, Some(&event)).await;
    assert_eq!(status, 202);
    stop(server);
    let change = |statement: &str| {
        let connection = rusqlite::Connection::open(&site.journal).expect("opens");
        assert_eq!(connection.execute(statement, []), Ok(1), "{statement}");
    };
    let repaired = site.path("stoa.db.repaired");
    let repair = || {
        let output = Site::run(&[Path::new("repair"), &site.journal]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(repair().contains("nothing is damaged"));

    // Another part of the file is damaged: all decisions are in the copy.
    change("UPDATE events SET event = 'x' WHERE seq = 1");
    let said = repair();
    assert!(
        said.contains("Event 1 can't be read") && !said.contains("bans"),
        "{said}"
    );
    fs::rename(&repaired, &site.journal).expect("renames");
    let server = site.start();
    let address = server.address;
    assert_eq!(banned(address).await, ["ann", "bob", "203.0.113.9"]);
    assert_eq!(
        act(address, "GET", REVOCATIONS, Value::Null).await,
        revocations
    );
    assert_eq!(
        comes_in(address, &timeless("eve")).await,
        is_out("unauthorized")
    );
    stop(server);

    // A row that makes no sense: nobody comes in as if it weren't there, until somebody has looked.
    change("UPDATE bans SET name = 'nowhere' WHERE kind = 'address'");
    let said = site.refused().await;
    assert!(
        said.contains("bans and revocations can't be read") && said.contains("stoa repair"),
        "{said}"
    );
    let said = repair();
    assert!(
        said.contains("Not all bans and revocations can be read"),
        "{said}"
    );
    fs::rename(&repaired, &site.journal).expect("renames");
    let server = site.start();
    assert_eq!(banned(server.address).await, ["ann", "bob"]);
    drop(server);
}

/// An admin's program that hangs up changes nothing: the server finishes the act and logs it.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_holds_before_it_is_kept_and_is_kept_though_the_admin_hangs_up() {
    let site = Site::new();
    let server = site.start();
    let address = server.address;
    // Another program holds the file: nothing can be kept now.
    let other = rusqlite::Connection::open(&site.journal).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("holds");
    let ban =
        tokio::spawn(async move { act(address, "POST", BANS, json!({ "user": "ann" })).await });
    let ann = observer("ann", &[]);
    let until = Instant::now() + PATIENCE;
    while comes_in(address, &ann).await != is_out("banned") {
        assert!(Instant::now() < until, "it holds at once");
    }
    assert!(!ban.is_finished(), "it is not kept, so not answered");
    ban.abort();
    ban.await.expect_err("hung up");
    other.execute_batch("ROLLBACK").expect("lets go");
    while server.lines("an admin acted").is_empty() {
        assert!(Instant::now() < until, "{:?}", server.lines(""));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let line = &server.lines("an admin acted")[0];
    assert!(line.contains("\"ok\"") && line.contains("ann"), "{line}");
    drop(server);
    let server = site.start();
    assert_eq!(banned(server.address).await, ["ann"]);
}

/// A copy of the journal has the decisions of its time, and no others.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_put_back_brings_the_decisions_of_its_time() {
    let site = Site::new();
    let copy = site.path("copy.db");
    let server = site.start();
    let address = server.address;
    act(address, "POST", BANS, json!({ "user": "ann" })).await;
    let connection = rusqlite::Connection::open(&site.journal).expect("opens");
    let to = copy.to_str().expect("a path");
    connection.execute("VACUUM INTO ?1", [to]).expect("copies");
    drop(connection);
    act(address, "DELETE", &format!("{BANS}?user=ann"), Value::Null).await;
    act(address, "POST", BANS, json!({ "user": "bob" })).await;
    stop(server);
    fs::rename(&copy, &site.journal).expect("renames");
    let server = site.start();
    assert_eq!(banned(server.address).await, ["ann"]);
}

/// A ban that a full disk has no room for holds, is told, and is kept with the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_to_the_admin_and_loses_no_ban() {
    let mut site = Site::new();
    let Some(mut command) = on_small_disk(site.folder.path()) else {
        kit::not_checked("a full disk: this user may not mount a file system, not even for itself");
        return;
    };
    let server = Process::listening(asking(&mut command));
    // The disk, as the server sees it.
    let seen = format!("/proc/{}/root{}", server.id(), site.folder.path().display());
    let ballast = Path::new(&seen).join("ballast");
    let address = server.address;
    fs::write(&ballast, vec![0; 4 << 20]).expect_err("the disk is small");
    let reason = "x".repeat(200);
    let mut users = Vec::new();
    let answer = loop {
        let user = format!("u{:04}", users.len());
        let ban = json!({ "user": user, "reason": reason });
        users.push(user);
        let (status, answer) = request("POST", address, BANS, &admin(), Some(&ban)).await;
        if status != 200 {
            assert_eq!(status, 503, "{answer}");
            break answer;
        }
        assert!(users.len() < 5_000, "it is never full");
    };
    assert_eq!(answer["error"]["code"], "unavailable", "{answer}");
    let last = observer(users.last().expect("one"), &[]);
    assert_eq!(comes_in(address, &last).await, is_out("banned"));
    fs::remove_file(&ballast).expect("removes");
    let until = Instant::now() + PATIENCE;
    while get(address, "/readyz").await.0 != 200 {
        assert!(Instant::now() < until, "it recovers by itself");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    act(address, "POST", BANS, json!({ "user": "zoe" })).await;
    users.push("zoe".into());
    // The disk goes with the server, so another one is started on a copy of what is on it now.
    let copy = tempfile::tempdir().expect("folder");
    for file in ["stoa.db", "stoa.db-wal"] {
        fs::copy(Path::new(&seen).join(file), copy.path().join(file)).expect("copies");
    }
    drop(server);
    site.journal = copy.path().join("stoa.db");
    let server = site.start();
    assert_eq!(banned(server.address).await, users);
    drop(server);
}
