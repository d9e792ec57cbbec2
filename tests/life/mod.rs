//! The life of the process, with the real binary.

mod follow;
mod publish;
mod settings;

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

fn stoa(args: &[&str]) -> Command {
    let mut command = kit::process::stoa();
    command
        .args(args)
        .env("STOA_LOG__FORMAT", "json")
        .env("STOA_JOURNAL__KIND", "memory")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts a server; its address.
fn serve(extra: &[&str]) -> (Child, String) {
    let mut args = vec!["serve", "--port", "0"];
    args.extend(extra);
    let mut child = stoa(&args).stderr(Stdio::null()).spawn().expect("starts");
    let address = kit::process::listening(&mut child).to_string();
    (child, address)
}

/// The time after which something counts as broken, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until it has ended.
fn ends(child: &mut Child) -> std::process::ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("waits") {
            return status;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "still running after {PATIENCE:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn terminate(child: &Child) {
    let status = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .expect("kill");
    assert!(status.success());
}

#[test]
fn sigterm_ends_it_cleanly_even_with_a_stuck_client() {
    // Half a request is nothing to wait for, however long a stop may take and a request may need.
    let mut server = stoa(&["serve", "--port", "0", "--demo"]);
    server
        .env("STOA_SERVER__SHUTDOWN_TIMEOUT", "600")
        .env("STOA_SERVER__HEADER_TIMEOUT", "600")
        .stderr(Stdio::null());
    let mut child = server.spawn().expect("starts");
    let address = kit::process::listening(&mut child).to_string();
    let mut stuck = std::net::TcpStream::connect(&address).expect("connects");
    std::io::Write::write_all(&mut stuck, b"GET / HTTP/1.1\r\nHos").expect("half a request");
    terminate(&child);
    assert!(ends(&mut child).success());
}

/// The lines of a server's log up to the one with these words.
fn log_until(command: &mut Command, words: &str) -> Vec<String> {
    let mut child = command.stderr(Stdio::null()).spawn().expect("starts");
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("stdout")).lines() {
        lines.push(line.expect("a line"));
        if lines.last().is_some_and(|line| line.contains(words)) {
            break;
        }
    }
    terminate(&child);
    ends(&mut child);
    lines
}

#[test]
fn the_start_says_where_the_events_are_kept() {
    let lines = log_until(&mut stoa(&["serve", "--port", "0"]), "events are kept in");
    assert!(lines.concat().contains("in memory"), "{lines:?}");
    let folder = tempfile::tempdir().expect("folder");
    let mut server = stoa(&["serve", "--port", "0"]);
    server.env_remove("STOA_JOURNAL__KIND").current_dir(&folder);
    let lines = log_until(&mut server, "events are kept in");
    let path = folder.path().join("stoa.db").to_string_lossy().into_owned();
    assert!(lines.concat().contains(&path), "{lines:?}");
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = taken.local_addr().expect("address").port().to_string();
    let output = stoa(&["serve", "--port", &port]).output().expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.lines().count() == 1 && error.contains("port is in use") && error.contains(&port),
        "{error}"
    );
}

#[test]
fn without_the_built_page_it_says_how_to_get_it() {
    let empty = tempfile::tempdir().expect("dir");
    let mut command = stoa(&["serve", "--port", "0"]);
    command
        .env("STOA_SERVER__WEB_ROOT", empty.path())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let address = loop {
        let line = lines.next().expect("a line").expect("text");
        if let Some(at) = line.find("\"address\":\"") {
            let rest = &line[at + 11..];
            break rest[..rest.find('"').expect("end")].to_owned();
        }
    };
    let mut stream = std::net::TcpStream::connect(&address).expect("connects");
    std::io::Write::write_all(
        &mut stream,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    .expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("reads");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("npm run build"),
        "{answer}"
    );
    terminate(&child);
    assert!(ends(&mut child).success());
}

/// Whether this is root, whom no permission keeps from writing.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// Starts a program that was just copied: as long as another test's process has been forked and not begun yet, it holds the
/// copy open for writing as this one did.
fn spawn_copied(command: &mut Command) -> Child {
    let started = Instant::now();
    loop {
        match command.spawn() {
            Err(error)
                if error.kind() == std::io::ErrorKind::ExecutableFileBusy
                    && started.elapsed() < PATIENCE =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            spawned => return spawned.expect("starts"),
        }
    }
}

#[test]
fn a_journal_that_may_only_be_read_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("dir");
    let journal = folder.path().join("stoa.db");
    let binary = folder.path().join("stoa");
    // Another user may not be let into the folder of the build.
    std::fs::copy(env!("CARGO_BIN_EXE_stoa"), &binary).expect("copies");
    let mut command = stoa(&["serve", "--port", "0"]);
    let on_file = |command: &mut Command| {
        command
            .env("STOA_JOURNAL__KIND", "sqlite")
            .env("STOA_JOURNAL__PATH", &journal);
    };
    on_file(&mut command);
    let mut child = command.stderr(Stdio::null()).spawn().expect("starts");
    kit::process::listening(&mut child);
    terminate(&child);
    assert!(ends(&mut child).success());

    let allow = |path: &std::path::Path, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, permissions).expect("permits");
    };
    let before = std::fs::read(&journal).expect("reads");
    // The file, or the folder in which SQLite has to write another one beside it.
    for (file_mode, folder_mode) in [(0o444, 0o777), (0o666, 0o555)] {
        allow(&journal, file_mode);
        allow(folder.path(), folder_mode);
        let mut command = Command::new(&binary);
        command
            .args(["serve", "--port", "0"])
            .current_dir("/")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        on_file(&mut command);
        if is_root() {
            // Nobody.
            command.uid(65_534).gid(65_534);
        }
        let mut child = spawn_copied(&mut command);
        let status = ends(&mut child);
        let output = child.wait_with_output().expect("its words");
        let said =
            String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert!(!status.success(), "{said}");
        let names = journal.to_string_lossy();
        assert!(
            said.contains("the journal") && said.contains(&*names) && said.contains("writable"),
            "{folder_mode:o}: {said}"
        );
        assert_eq!(
            std::fs::read(&journal).expect("reads"),
            before,
            "it is as it was"
        );
    }
    allow(folder.path(), 0o755);
}
