//! `stoa publish` and `stoa tail` against a running server.

use super::*;

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
    let url = format!("http://{}", kit::process::listening(&mut child));
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
