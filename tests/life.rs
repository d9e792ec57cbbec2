//! The life of the process, with the real binary.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[path = "common/binary.rs"]
#[allow(unreachable_pub)]
mod binary;

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
    let mut command = Command::new(env!("CARGO_BIN_EXE_stoa"));
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
    let address = binary::listening(&mut child).to_string();
    (child, address)
}

/// What would take longer is broken, on a busy machine too.
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
    let address = binary::listening(&mut child).to_string();
    let mut stuck = std::net::TcpStream::connect(&address).expect("connects");
    std::io::Write::write_all(&mut stuck, b"GET / HTTP/1.1\r\nHos").expect("half a request");
    terminate(&child);
    assert!(ends(&mut child).success());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = stoa(&["check", "--config", "nowhere.toml"])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(error, "stoa: nowhere.toml: there is no such file\n");
}

#[test]
fn open_to_everybody_it_starts_only_when_that_is_said() {
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), "[server]\nhost = \"0.0.0.0\"\nport = 0\n").expect("writes");
    let path = file.path().to_string_lossy().into_owned();
    for command in ["serve", "check"] {
        let output = stoa(&[command, "--config", &path]).output().expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            error.lines().count() == 1
                && error.contains("0.0.0.0")
                && error.contains("--insecure")
                && error.contains("[authentication] required"),
            "{error}"
        );
    }
    let meant = stoa(&["check", "--config", &path])
        .env("STOA_SERVER__ALLOW_INSECURE", "true")
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&meant.stderr);
    assert!(
        meant.status.success() && said.contains("reachable from other machines"),
        "{said}"
    );
    // An address for documentation, which no machine has: the word is taken, and only then is it looked for.
    let output = stoa(&["serve", "--host", "192.0.2.1", "--insecure"])
        .output()
        .expect("runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("no such address"), "{error}");
}

#[test]
fn a_name_that_leads_nowhere_is_told_as_such() {
    for (command, host) in [
        ("serve", "no-such-host.invalid"),
        ("check", "also-none.invalid"),
    ] {
        let output = stoa(&[command])
            .env("STOA_SERVER__HOST", host)
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            error.lines().count() == 1
                && error.contains(host)
                && error.contains("no address is known"),
            "{error}"
        );
    }
}

#[test]
fn check_says_what_it_read_and_whether_it_can_be_used() {
    let folder = tempfile::tempdir().expect("folder");
    let check = || {
        let output = stoa(&["check"])
            .current_dir(folder.path())
            .output()
            .expect("runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = check();
    assert!(
        code == Some(0) && said.contains("no config.toml found") && said.contains("can be used"),
        "{said}"
    );
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[log]\nlevel = \"debug\"\n").expect("writes");
    let (code, said) = check();
    assert!(
        code == Some(0) && said.contains("config.toml: the configuration can be used"),
        "{said}"
    );
    // A room that nobody can be in is no use.
    let rule =
        "\n[[transform.rules]]\nmatch = \"a.*\"\nemit = \"x\"\nrooms = [\"build:{data.x}\"]\n";
    std::fs::write(&file, rule).expect("writes");
    let (code, said) = check();
    assert!(
        code == Some(1) && said.contains("config.toml:2: ") && said.contains("build:{data.x}"),
        "{said}"
    );
    // The shipped file takes it where its examples stand.
    let shipped = std::fs::read_to_string("config.toml").expect("the shipped file");
    let rule = rule.replace("build:", "task:");
    std::fs::write(&file, format!("{shipped}{rule}")).expect("writes");
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
}

/// Most that is asked of whoever can't make a setting work is which file was read.
#[test]
fn serve_says_what_it_read_and_which_variables_come_before_it() {
    let folder = tempfile::tempdir().expect("folder");
    let said = || {
        let mut command = stoa(&["serve", "--port", "0"]);
        command.current_dir(folder.path()).env(
            "STOA_AUTHENTICATION__START_SECRET",
            "a-secret-of-the-environment",
        );
        let lines = log_until(&mut command, "Stoa listens");
        let found: Vec<_> = lines
            .into_iter()
            .filter(|l| l.contains("settings: "))
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("\"INFO\"") && found[0].contains("STOA_JOURNAL__KIND"),
            "{found:?}"
        );
        assert!(
            found[0].contains("STOA_AUTHENTICATION__START_SECRET")
                && !found[0].contains("a-secret"),
            "{found:?}"
        );
        found[0].clone()
    };
    assert!(said().contains("no config.toml here"));
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[log]\nlevel = \"info\"\n").expect("writes");
    let whole = file.canonicalize().expect("there").display().to_string();
    assert!(said().contains(&whole));
}

#[test]
fn what_is_wrong_with_host_and_port_is_said() {
    for (args, told) in [
        (
            ["serve", "--host", "localhost:9000"],
            "--host localhost --port 9000",
        ),
        (["serve", "--port", "abc"], "whole number from 0 to 65535"),
        (["serve", "--port", "70000"], "whole number from 0 to 65535"),
    ] {
        let output = stoa(&args).output().expect("runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(2) && error.contains(told),
            "{error}"
        );
    }
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
fn publish_takes_arrays_and_objects_over_several_lines() {
    let (mut child, address) = serve(&[]);
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("events.json");
    let publish = |text: &str| {
        std::fs::write(&file, text).expect("writes");
        let output = stoa(&["publish", "--url", &address])
            .arg(&file)
            .output()
            .expect("runs");
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8(said).expect("text")
    };
    let said = publish("[\n  {\n    \"type\": \"a.b\"\n  },\n  {\"type\": \"a.c\"}\n]\n");
    assert!(said.contains("published 2: 2 accepted"), "{said}");
    let said = publish("{\n  \"type\": \"a.b\"\n}\n{\n  \"data\": {}\n}\n{\"type\":\n");
    assert!(
        said.contains("1 accepted")
            && said.contains("line 4: missing_type")
            && said.contains("line 7: bad_request")
            && !said.contains("column"),
        "{said}"
    );
    terminate(&child);
    ends(&mut child);
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
fn a_wrong_configuration_names_the_line_and_the_nearest_key() {
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), "[server]\nhost = \"127.0.0.1\"\nprot = 9000\n").expect("writes");
    let path = file.path().to_string_lossy().into_owned();
    for command in ["serve", "check"] {
        let output = stoa(&[command, "--config", &path]).output().expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.lines().count() == 1, "{error}");
        assert!(
            error.contains(":3") && error.contains("prot") && error.contains("port"),
            "{error}"
        );
    }
    let output = stoa(&["serve", "--config", "/no/such/file.toml"])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/file.toml"));
    let rule = "[[transform.rules]]\nmatch = \"a.*\"\nemit = \"no spaces please\"\n";
    std::fs::write(file.path(), rule).expect("writes");
    let output = stoa(&["serve", "--port", "0", "--config", &path])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.lines().count() == 1 && error.contains("emit") && error.contains(":1"),
        "{error}"
    );
}

#[test]
fn publish_sends_a_file_and_says_what_became_of_it() {
    let (mut child, address) = serve(&[]);
    let url = format!("http://{address}");
    let output = stoa(&["publish", "--url", &url, "tests/data/marcus-events.jsonl"])
        .output()
        .expect("runs");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1424"), "{said}");
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), "{\"type\":\"a.b\"}\n{\"data\":{}}\n").expect("writes");
    let output = stoa(&[
        "publish",
        "--url",
        &url,
        "--rate",
        "100",
        &file.path().to_string_lossy(),
    ])
    .output()
    .expect("runs");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("missing_type") && said.contains('2'),
        "{said}"
    );
    terminate(&child);
    assert!(ends(&mut child).success());
    let output = stoa(&["publish", "--url", &url, "tests/data/marcus-events.jsonl"])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn publish_and_tail_show_the_token_that_they_are_given() {
    const SECRET: [(&str, &str); 2] = [
        (
            "STOA_AUTHENTICATION__SECRET",
            "a secret for this one test only",
        ),
        ("STOA_AUTHENTICATION__REQUIRED", "true"),
    ];
    let token = |args: &[&str]| {
        let args = [&["token"], args].concat();
        let output = stoa(&args).envs(SECRET).output().expect("runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let (producer, observer) = (token(&["--role", "producer"]), token(&["--projects", "*"]));
    let mut server = stoa(&["serve", "--port", "0"]);
    server.envs(SECRET).stderr(Stdio::null());
    let mut child = server.spawn().expect("starts");
    let url = format!("http://{}", binary::listening(&mut child));
    let file = tempfile::NamedTempFile::new().expect("file");
    let line = r#"{"type":"task.created","project_id":"p1","data":{"task_id":"t-shown"}}"#;
    std::fs::write(file.path(), line).expect("writes");
    let path = file.path().to_string_lossy().into_owned();

    let output = stoa(&["publish", "--url", &url, &path])
        .output()
        .expect("runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("--token or STOA_TOKEN"),
        "{error}"
    );
    let output = stoa(&["tail", "--url", &url]).output().expect("runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("--token or STOA_TOKEN"),
        "{error}"
    );
    let output = stoa(&["publish", "--url", &url, &path, "--token", "nonsense"])
        .output()
        .expect("runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("that of --token or STOA_TOKEN"),
        "{error}"
    );
    let mut tail = stoa(&["tail", "--url", &url, "--json"]);
    let mut tail = tail.env("STOA_TOKEN", observer).spawn().expect("starts");
    let lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            tell.send(line).ok();
        }
    });
    // It is published until it is shown: the one that watches may not be there yet.
    let started = Instant::now();
    loop {
        let output = stoa(&["publish", "--url", &url, &path])
            .env("STOA_TOKEN", &producer)
            .output()
            .expect("runs");
        assert!(output.status.success(), "{output:?}");
        let line = told.recv_timeout(Duration::from_millis(200));
        if line.is_ok_and(|line| line.contains("t-shown")) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "it is never shown");
    }
    tail.kill().expect("ends");
    tail.wait().expect("ends");
    terminate(&child);
    assert!(ends(&mut child).success());
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
    // Where the build lies another user may not be let in.
    std::fs::copy(env!("CARGO_BIN_EXE_stoa"), &binary).expect("copies");
    let mut command = stoa(&["serve", "--port", "0"]);
    let on_file = |command: &mut Command| {
        command
            .env("STOA_JOURNAL__KIND", "sqlite")
            .env("STOA_JOURNAL__PATH", &journal);
    };
    on_file(&mut command);
    let mut child = command.stderr(Stdio::null()).spawn().expect("starts");
    binary::listening(&mut child);
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
