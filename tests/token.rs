//! `stoa token` with the real binary: what it prints, what it refuses, what it never shows.

use std::{
    path::Path,
    process::{Output, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use stoa::{
    access::authn::Tokens,
    config::{Authentication, Config, Role},
};
use tempfile::TempDir;

const SECRET: &str = "a secret of thirty-two bytes, or a few more";

/// The binary in a folder of its own, so that no `config.toml` of ours is taken, and without our environment's settings.
fn stoa(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = kit::process::stoa();
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("STOA_") {
            command.env_remove(key);
        }
    }
    command
        .args(args)
        .envs(env.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("runs")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("folder")
}

fn stdout(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// The one line that says what was wrong.
fn refused(output: &Output, code: i32) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(output.stdout.is_empty());
    if code == 1 {
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    error
}

fn tokens(config: &Authentication) -> Arc<Tokens> {
    Arc::new(Tokens::new(config).expect("keys"))
}

#[tokio::test]
async fn a_token_is_one_line_and_is_believed() {
    let here = folder();
    let env = [("STOA_AUTHENTICATION__SECRET", SECRET)];
    let args = [
        "token",
        "--role",
        "operator",
        "--user",
        "ann",
        "--name",
        "Ann",
        "--rooms",
        "project:p1,agent:*",
        "--projects",
        "p1,shop-*",
        "--agents",
        "writer,Senior [QA]",
        "--ttl",
        "15m",
    ];
    let output = stoa(here.path(), &args, &env);
    let printed = stdout(&output);
    assert!(output.stderr.is_empty());
    let token = printed.strip_suffix('\n').expect("a line");
    let config = Authentication {
        secret: SECRET.into(),
        ..Authentication::default()
    };
    let says = tokens(&config).verify(token).await.expect("believed");
    assert_eq!(says.role, Role::Operator);
    assert_eq!(
        (says.user.as_deref(), says.name.as_deref()),
        (Some("ann"), Some("Ann"))
    );
    assert_eq!(says.rooms.expect("rooms"), ["project:p1", "agent:*"]);
    assert_eq!(says.projects.expect("projects"), ["p1", "shop-*"]);
    assert_eq!(says.agents.expect("agents"), ["writer", "Senior [QA]"]);
    let left = says.expires.expect("exp").duration_since(SystemTime::now());
    let left = left.expect("in the future");
    assert!(
        left <= Duration::from_secs(900) && left > Duration::from_secs(840),
        "{left:?}"
    );

    let output = stoa(here.path(), &["token"], &env);
    let printed = stdout(&output);
    let noted = String::from_utf8_lossy(&output.stderr);
    assert!(
        noted.lines().count() == 1
            && noted.contains("sees nothing that belongs to one")
            && noted.contains("--projects '*'"),
        "{noted}"
    );
    let says = tokens(&config)
        .verify(printed.trim_end())
        .await
        .expect("believed");
    assert_eq!(
        (says.role, says.user, says.rooms, says.projects),
        (Role::Observer, None, None, None)
    );
}

/// A page that stays empty is the first thing that somebody with such a token sees.
#[test]
fn a_token_that_shows_no_project_is_told_of_where_it_is_made() {
    let here = folder();
    let env = [("STOA_AUTHENTICATION__SECRET", SECRET)];
    let noted = |args: &[&str], more: &[(&str, &str)]| {
        let args = [&["token"], args].concat();
        let output = stoa(here.path(), &args, &[&env, more].concat());
        stdout(&output);
        String::from_utf8(output.stderr).expect("text")
    };
    for (args, told) in [
        (&["--role", "operator"][..], "holder sees nothing"),
        (
            &["--role", "producer"],
            "publishes for every project, and sees nothing",
        ),
        (
            &["--api-key", "--name", "a"],
            "# This key names no project: its holder publishes",
        ),
    ] {
        let noted = noted(args, &[]);
        assert!(
            noted.contains(told) && noted.contains("--projects shop"),
            "{args:?}: {noted}"
        );
    }
    for args in [
        &["--role", "admin"][..],
        &["--projects", "*"],
        &["--projects", "shop"],
        &["--rooms", "project:shop"],
        &["--api-key", "--name", "a", "--projects", "shop"],
    ] {
        assert!(!noted(args, &[]).contains("names no project"), "{args:?}");
    }
    // Nothing is hidden where projects are for all.
    assert_eq!(noted(&[], &[("STOA_ACCESS__PROJECT", "all")]), "");
    let help = stdout(&stoa(here.path(), &["token", "--help"], &[]));
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        help.contains("sees nothing that belongs to a project"),
        "{help}"
    );
}

#[test]
fn without_a_secret_it_says_what_to_set() {
    let here = folder();
    let error = refused(&stoa(here.path(), &["token"], &[]), 1);
    assert!(
        error.contains("STOA_AUTHENTICATION__SECRET") && error.contains("openssl rand"),
        "{error}"
    );
    let short = [("STOA_AUTHENTICATION__SECRET", "hunter2")];
    let error = refused(&stoa(here.path(), &["token"], &short), 1);
    assert!(
        error.contains("STOA_AUTHENTICATION__SECRET") && error.contains("7 bytes"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_made() {
    let here = folder();
    let env = [("STOA_AUTHENTICATION__SECRET", SECRET)];
    for wrong in [
        &["token", "--role", "root"][..],
        &["token", "--ttl", "soon"],
        &["token", "--ttl", "0s"],
        &["token", "--ttl", "400d"],
        &["token", "--rooms", "project:[a"],
        &["token", "--api-key"],
        &["token", "--api-key", "--name", "a", "--ttl", "1h"],
        &["token", "--api-key", "--name", "a", "--user", "ann"],
    ] {
        refused(&stoa(here.path(), wrong, &env), 2);
    }
    let error = refused(
        &stoa(here.path(), &["token", "--user", "no spaces"], &env),
        1,
    );
    assert!(error.contains("sub must be"), "{error}");
    let error = refused(
        &stoa(here.path(), &["token", "--key-file", "no.pem"], &env),
        1,
    );
    assert!(error.contains("no.pem"), "{error}");
}

#[tokio::test]
async fn a_private_key_signs_for_those_who_know_the_public_one() {
    let here = folder();
    for kind in ["rsa", "p256", "p384", "ed25519"] {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keys");
        let private = data.join(format!("{kind}.pem"));
        let args = [
            "token",
            "--role",
            "admin",
            "--key-file",
            &private.to_string_lossy(),
        ];
        let printed = stdout(&stoa(here.path(), &args, &[]));
        let config = Authentication {
            public_key_file: data.join(format!("{kind}.pub.pem")),
            ..Authentication::default()
        };
        let says = tokens(&config)
            .verify(printed.trim_end())
            .await
            .expect(kind);
        assert_eq!(says.role, Role::Admin);
    }
}

#[tokio::test]
async fn an_api_key_is_shown_once_and_its_lines_are_a_configuration() {
    let here = folder();
    let args = [
        "token",
        "--api-key",
        "--name",
        "back \"end\"",
        "--projects",
        "shop-*,blog",
    ];
    let output = stoa(here.path(), &args, &[]);
    let printed = stdout(&output);
    let key = printed.strip_suffix('\n').expect("a line");
    let lines = String::from_utf8(output.stderr).expect("text");
    assert!(!lines.contains(key) && lines.starts_with("# "), "{lines}");
    let file = here.path().join("config.toml");
    std::fs::write(&file, &lines).expect("writes");
    let config = Config::load(Some(&file), std::iter::empty()).expect("loads");
    let says = tokens(&config.authentication)
        .verify(key)
        .await
        .expect("known");
    assert!(says.api_key);
    assert_eq!(
        (says.role, says.name.as_deref()),
        (Role::Producer, Some("back \"end\""))
    );
    assert_eq!(says.projects.expect("projects"), ["shop-*", "blog"]);
    // The same file is what the next command reads.
    let shown = stdout(&stoa(here.path(), &["check"], &[]));
    assert!(shown.contains("sha256:") && !shown.contains(key), "{shown}");
}

#[test]
fn check_reads_the_keys_and_shows_no_secret() {
    let here = folder();
    let env = [("STOA_AUTHENTICATION__SECRET", SECRET)];
    let output = stoa(here.path(), &["check"], &env);
    let shown = stdout(&output);
    assert!(
        shown.contains("secret = \"***\"") && !shown.contains("thirty-two"),
        "{shown}"
    );
    assert!(!String::from_utf8_lossy(&output.stderr).contains("thirty-two"));
    // All digits: a number in TOML, and a secret all the same.
    let digits = "1234567890".repeat(4);
    let env = [("STOA_AUTHENTICATION__SECRET", digits.as_str())];
    assert!(!stdout(&stoa(here.path(), &["check"], &env)).contains("1234567890"));
    // In a file it must be in quotes, and the message does not quote it.
    std::fs::write(
        here.path().join("config.toml"),
        "[authentication]\nsecret = 123456789\n",
    )
    .expect("writes");
    let error = refused(&stoa(here.path(), &["check"], &[]), 1);
    assert!(
        error.contains("config.toml:2") && !error.contains("123456789"),
        "{error}"
    );
    std::fs::write(here.path().join("config.toml"), "").expect("writes");
    let env = [("STOA_AUTHENTICATION__PUBLIC_KEY_FILE", "no/such.pem")];
    let error = refused(&stoa(here.path(), &["check"], &env), 1);
    assert!(
        error.contains("no/such.pem") && error.contains("public_key_file"),
        "{error}"
    );
}

#[test]
fn where_there_are_no_certificates_only_https_suffers() {
    let here = folder();
    let none = [
        ("SSL_CERT_FILE", "/no/such/file"),
        ("SSL_CERT_DIR", "/no/such/folder"),
    ];
    let with = |url: &'static str| {
        let mut env = none.to_vec();
        env.push(("STOA_AUTHENTICATION__JWKS_URL", url));
        env
    };
    stdout(&stoa(
        here.path(),
        &["check"],
        &with("http://127.0.0.1:1/keys"),
    ));
    let error = refused(
        &stoa(here.path(), &["check"], &with("https://127.0.0.1:1/keys")),
        1,
    );
    assert!(
        error.contains("jwks_url") && error.contains("SSL_CERT_FILE"),
        "{error}"
    );
    std::fs::write(here.path().join("events"), "{\"type\":\"a.b\"}\n").expect("writes");
    // Nothing listens on port 1; that it finds this out means that it could start.
    let args = ["publish", "--url", "http://127.0.0.1:1", "events"];
    let output = stoa(here.path(), &args, &none);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("refused") && !error.contains("certificates"),
        "{error}"
    );
}
