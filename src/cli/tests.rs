//! Arguments, as people type them.

use std::path::PathBuf;

use super::{arguments::HERE, *};

fn parse(args: &[&str]) -> Result<Command, clap::Error> {
    let all = std::iter::once("stoa").chain(args.iter().copied());
    Cli::try_parse_from(all).map(|cli| cli.command.expect("a command"))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn bare_is_help() {
    let cli = Cli::try_parse_from(["stoa"]).expect("parses");
    assert!(cli.command.is_none());
}

#[test]
fn serve_takes_what_overrides_the_file() {
    let Ok(Command::Serve(args)) = parse(&[
        "serve", "--config", "c.toml", "--host", "0.0.0.0", "--port", "0", "--demo",
    ]) else {
        panic!("serve");
    };
    assert_eq!(args.config.file, Some(PathBuf::from("c.toml")));
    assert_eq!(
        (args.host.as_deref(), args.port, args.demo),
        (Some("0.0.0.0"), Some(0), true)
    );
    assert_eq!(
        parse(&["serve", "--port", "70000"])
            .expect_err("port")
            .exit_code(),
        2
    );
    assert!(matches!(parse(&["check"]), Ok(Command::Check(_))));
}

#[test]
fn publish_reads_stdin_unless_a_file_is_named() {
    let Ok(Command::Publish(args)) = parse(&["publish"]) else {
        panic!("publish");
    };
    assert_eq!((args.file, args.rate), (PathBuf::from("-"), None));
    assert_eq!(url::shown(&args.server.url), HERE);
    let Ok(Command::Publish(args)) = parse(&[
        "publish",
        "--url",
        "localhost:9000",
        "e.jsonl",
        "--rate",
        "2.5",
    ]) else {
        panic!("publish");
    };
    assert_eq!(
        (args.file, args.rate),
        (PathBuf::from("e.jsonl"), Some(2.5))
    );
    assert_eq!(url::shown(&args.server.url), "http://localhost:9000");
    for wrong in [
        ["--rate", "0"],
        ["--rate", "-1"],
        ["--rate", "inf"],
        ["--url", "ftp://host"],
    ] {
        assert_eq!(
            parse(&["publish", wrong[0], wrong[1]])
                .expect_err("wrong")
                .exit_code(),
            2
        );
    }
}

#[test]
fn tail_takes_lists() {
    let Ok(Command::Tail(args)) = parse(&[
        "tail",
        "--rooms",
        "project:p1,agent:a",
        "--types",
        "agent_*,task.*",
        "--json",
    ]) else {
        panic!("tail");
    };
    assert_eq!(args.rooms, ["project:p1", "agent:a"]);
    assert_eq!(args.types, ["agent_*", "task.*"]);
    assert!(args.json);
    assert_eq!(
        parse(&["tail", "--types", "[a"])
            .expect_err("glob")
            .exit_code(),
        2
    );
}

#[test]
fn usage_errors_are_two_and_help_is_none() {
    assert_eq!(parse(&["tial"]).expect_err("unknown").exit_code(), 2);
    assert_eq!(
        parse(&["serve", "--help"]).expect_err("help").exit_code(),
        0
    );
    assert_eq!(parse(&["--version"]).expect_err("version").exit_code(), 0);
}

#[test]
fn a_failure_is_one_line() {
    assert_eq!(one_line("a\n  b\n\nc"), "a b c");
}
