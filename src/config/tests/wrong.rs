//! Keys that are not known, and text that is nearly right: the message names the line and says what to write.

use super::{load, refused};

#[test]
fn a_wrong_key_names_line_and_nearest() {
    let message = refused("[server]\nhost = \"127.0.0.1\"\nprot = 9000\n", &[]);
    assert!(
        message.contains(".toml:3: ") && message.contains("did you mean port?"),
        "{message}"
    );
    let message = refused("\n[servr]\nport = 9000\n", &[]);
    assert!(
        message.contains(".toml:2: ") && message.contains("[server]"),
        "{message}"
    );
    let message = refused("[server]\nmax_room_size = 9000\n", &[]);
    assert!(message.contains("belongs to [rooms]"), "{message}");
    let message = refused("port = 9000\n", &[]);
    assert!(
        message.contains(".toml:1: port stands outside a section")
            && message.contains("[transform]"),
        "{message}"
    );
}

#[test]
fn what_is_nearly_right_is_told_what_to_write() {
    for (text, line, told) in [
        (
            "[server]\nhost = localhost\n",
            2,
            "text must stand in quotes: host = \"…\"",
        ),
        (
            "[server]\nport = 1\nhost = 127.0.0.1\n",
            3,
            "quotes: host = \"…\"",
        ),
        (
            "[authentication]\nsecret = hush-hush-hush\n",
            2,
            "quotes: secret = \"…\"",
        ),
        (
            "[server]\nhost = \"localhost:9000\"\n",
            2,
            "host = \"localhost\" and port = 9000",
        ),
        ("[server]\nhost = \"[::1]:9000\"\n", 2, "port = 9000"),
        (
            "[log]\n\n[transform.rules]\nmatch = \"a.*\"\nemit = \"a\"\n",
            3,
            "write [[transform.rules]]",
        ),
        (
            "[transform.rules]\nmatch = \"a\"\n[transform.rules]\nmatch = \"b\"\n",
            3,
            "write [[transform.rules]]",
        ),
        (
            "[authentication.api_keys]\nname = \"a\"\n",
            1,
            "write [[authentication.api_keys]]",
        ),
    ] {
        let message = refused(text, &[]);
        assert!(
            message.contains(&format!(".toml:{line}: ")) && message.contains(told),
            "{text}: {message}"
        );
        assert!(!message.contains("hush"), "{message}");
    }
    let message = refused("", &[("STOA_SERVER__HOST", "localhost:9000")]);
    assert!(
        message.starts_with("STOA_SERVER__HOST: ") && message.contains("key of its own"),
        "{message}"
    );
    for host in ["::1", "[::1]", "fe80::1", "stoa.example", "192.168.1.7"] {
        load(&format!("[server]\nhost = \"{host}\"\n"), &[]).expect(host);
    }
}

#[test]
fn a_bad_rule_names_its_line() {
    let message = refused(
        "[transform]\nthrottle_ms = 5\n[[transform.rules]]\nmatch = \"a.*\"\nemitt = \"a\"\n",
        &[],
    );
    assert!(
        message.contains(".toml:3: ") && message.contains("emitt"),
        "{message}"
    );
    let config = load("[[transform.rules]]\nmatch=\"a\"\nemit=\"a\"\n\n[[transform.rules]]\nmatch=\"b\"\nemit=\"b\"\n", &[]).expect("loads");
    assert!(
        config.transform.rules[1].place.ends_with(".toml:5"),
        "{}",
        config.transform.rules[1].place
    );
}

#[test]
fn a_namespace_that_can_not_be_is_told_apart() {
    for (declared, told) in [
        (r#"["chat"]"#, "begins with /"),
        (r#"["/a b"]"#, "begins with /"),
        (r#"["/admin"]"#, "has already"),
        (r#"["/"]"#, "has already"),
    ] {
        let message = refused(&format!("[namespaces]\ndeclared = {declared}\n"), &[]);
        assert!(
            message.contains(".toml:2: ") && message.contains(told),
            "{message}"
        );
    }
    let many: Vec<String> = (0..33).map(|n| format!("/n{n}")).collect();
    let message = refused(&format!("[namespaces]\ndeclared = {many:?}\n"), &[]);
    assert!(message.contains("at most 32"), "{message}");
}
