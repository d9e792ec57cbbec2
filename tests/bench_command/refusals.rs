//! Runs that are refused before anything is sent.

use std::process::{Output, Stdio};

fn run(words: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    kit::process::stoa()
        .arg("bench")
        .args(words)
        .env_remove("STOA_TOKEN")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("runs")
}

fn refused(words: &[&str], code: i32, sentence: &str) {
    let output = run(words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
    assert!(said.contains(sentence), "{words:?}: {said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_run_is_bounded() {
    for words in [
        ["fanout", "--seconds", "3601"],
        ["fanout", "--seconds", "0"],
        ["fanout", "--observers", "200001"],
        ["fanout", "--in-flight", "4097"],
        ["fanout", "--rate", "1000001"],
        ["fanout", "--threads", "0"],
        ["fanout", "--auth", "[]"],
    ] {
        refused(&words, 2, words[1]);
    }
}

/// An address that is set aside for documents: nothing is there, and nothing is sent there.
#[test]
fn a_server_that_is_not_this_machine_needs_a_word() {
    refused(
        &["fanout", "http://192.0.2.1:8000"],
        1,
        "--yes-this-server-is-mine",
    );
}

#[test]
fn nobody_there_is_said() {
    let free = kit::process::free_port();
    let url = format!("http://127.0.0.1:{free}");
    refused(
        &["fanout", &url, "--observers", "2"],
        1,
        "nothing listens there",
    );
}

#[test]
fn a_packet_without_a_number_is_refused() {
    refused(&["fanout", "--packet", r#"["say",1]"#], 1, "{seq}");
}

/// The limit of this process can't be lowered for one command without a shell.
#[test]
#[cfg(target_os = "linux")]
fn too_few_open_files_are_told_with_what_to_do() {
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -n 100; exec \"$0\" bench fanout --observers 500",
        ])
        .arg(kit::process::binary())
        .stdin(Stdio::null())
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ulimit -n 564"), "{said}");
}
