//! Losses of the journal's files under a running server, as clients see them, with the real binary.
#![cfg(unix)]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use kit::{
    PATIENCE, counted, get, post,
    process::{Process, refused, serve},
};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

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
        let server = Process::logged(&mut serve(&journal), &log);
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
        let lost = counted(address, "stoa_journal_file_lost_total").await;
        assert_eq!(lost, 1, "{what}");
        drop(server);
        if what == "its log deleted" {
            // Nothing that was acknowledged is gone by that.
            let server = Process::logged(&mut serve(&journal), &log);
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
    let server = Process::logged(&mut serve(&journal), &log);
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
        let (code, said) = refused(&mut serve(name)).await;
        assert_ne!(code, Some(0), "{}: {said}", name.display());
        assert!(said.contains("use"), "{}: {said}", name.display());
    }
    // The first one goes on, and has lost nothing.
    assert_eq!(post(server.address, &decisions(10, 20)).await.0, 202);
    let (_, page) = get(server.address, "/api/v1/events").await;
    assert_eq!(page["events"].as_array().map(Vec::len), Some(20));
}

/// Files with clients' data or admins' decisions are for the server's own user.
#[tokio::test(flavor = "multi_thread")]
async fn files_are_made_for_their_owner_alone() {
    let folder = tempfile::tempdir().expect("folder");
    let journal = folder.path().join("stoa.db");
    let log = folder.path().join("log");
    let mut command = serve(&journal);
    command.env("STOA_AUTHENTICATION__START_SECRET", kit::START_SECRET);
    let server = Process::logged(&mut command, &log);
    assert_eq!(post(server.address, &decisions(0, 10)).await.0, 202);
    let ban = json!({ "user": "ann" });
    let path = "/api/v1/admin/bans";
    let banned = kit::guarded::request("POST", server.address, path, kit::START_SECRET, Some(&ban));
    assert_eq!(banned.await.0, 200);
    let mode = |path: &Path| {
        std::fs::metadata(path)
            .expect("is there")
            .permissions()
            .mode()
            & 0o777
    };
    let log_beside = beside(&journal, "-wal");
    let index_beside = beside(&journal, "-shm");
    for path in [&journal, &log_beside, &index_beside] {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    drop(server);
    // The mode of a file that is there is its owner's to choose.
    std::fs::set_permissions(&journal, std::fs::Permissions::from_mode(0o640)).expect("sets");
    let server = Process::logged(&mut command, &log);
    assert_eq!(mode(&journal), 0o640);
    drop(server);
}

#[test]
fn a_check_says_where_a_file_cannot_be_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "no database, and no list").expect("writes");
    let check = |key: &str, path: &Path| {
        let output = kit::process::stoa()
            .arg("check")
            .env("STOA_JOURNAL__PATH", folder.path().join("stoa.db"))
            .env(key, path)
            .output()
            .expect("runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    // Not even root makes files there.
    let unwritable = Path::new("/proc/self/fdinfo/file");
    let wrong = [
        (file.join("file"), "no folder"),
        (folder.path().to_owned(), "is a folder"),
        (unwritable.to_owned(), "nothing can be made"),
        (file.clone(), "another program"),
    ];
    for (path, said) in &wrong {
        if path == unwritable && !unwritable.parent().expect("a folder").is_dir() {
            kit::not_checked("a folder in which nobody makes files: this system has none");
            continue;
        }
        let (code, line) = check("STOA_JOURNAL__PATH", path);
        assert_eq!(code, Some(1), "{line}");
        assert!(
            line.contains(said) && line.contains("[journal] path"),
            "{path:?} {line}"
        );
        assert!(line.contains(&*path.to_string_lossy()), "{line}");
    }
    let (code, line) = check("STOA_JOURNAL__PATH", &folder.path().join("not/yet/file"));
    assert_eq!(code, Some(0), "{line}");
    // An earlier version's list of bans, which the next start takes over.
    for (path, said) in [
        (&file, "not a list of bans"),
        (&folder.path().to_owned(), "can't be read"),
    ] {
        let (code, line) = check("STOA_ACCESS__FILE", path);
        assert_eq!(code, Some(1), "{line}");
        assert!(
            line.contains(said) && line.contains("[access] file"),
            "{line}"
        );
    }
    let (code, line) = check("STOA_ACCESS__FILE", &folder.path().join("none.json"));
    assert_eq!(code, Some(0), "{line}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("lists").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

/// A SIGHUP asks for files to be looked at; where there are none, it changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_sighup_ends_no_server() {
    let folder = tempfile::tempdir().expect("folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, kit::guarded::SECRET).expect("writes");
    for (file, said) in [(false, "no file is configured"), (true, "has not changed")] {
        let journal = folder.path().join(format!("{file}.db"));
        let mut command = serve(&journal);
        if file {
            command.env("STOA_AUTHENTICATION__SECRET_FILE", &secret);
        }
        let mut server = Process::logged(&mut command, &folder.path().join(format!("{file}.log")));
        for times in 1..=2 {
            server.signal("HUP");
            let started = Instant::now();
            while server.lines(said).len() < times {
                assert!(started.elapsed() < PATIENCE, "{:?}", server.lines(""));
                assert!(
                    server.child.try_wait().expect("waits").is_none(),
                    "it ended"
                );
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        assert_eq!(post(server.address, &decisions(0, 10)).await.0, 202);
        server.signal("TERM");
        assert!(server.ended().await.success());
        assert_eq!(server.lines("no file is configured").is_empty(), file);
        assert_eq!(server.lines("\"down\"").len(), 1, "in order");
    }
}
