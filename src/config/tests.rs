use std::{collections::BTreeSet, io::Write};

use toml::{Table, Value};

use super::*;

fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let mut file = tempfile::Builder::new()
        .suffix(".toml")
        .tempfile()
        .expect("file");
    file.write_all(text.as_bytes()).expect("writes");
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Config::load(Some(file.path()), env)
}

fn refused(text: &str, env: &[(&str, &str)]) -> String {
    let message = load(text, env).expect_err("must be refused").to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

const SHIPPED: &str = include_str!("../../config.toml");

#[test]
fn the_shipped_file_is_the_defaults_and_names_every_key_with_a_comment() {
    assert_eq!(load(SHIPPED, &[]).expect("loads"), Config::default());
    let written: Table = toml::from_str(SHIPPED).expect("parses");
    let keys = |table: &Table| -> BTreeSet<String> {
        let of = |(section, keys): (&String, &Value)| {
            let keys = keys.as_table().expect("section").keys();
            keys.map(|key| format!("{section}.{key}"))
                .collect::<Vec<_>>()
        };
        table.iter().flat_map(of).collect()
    };
    let mut written = keys(&written);
    // Lists of tables are named in comments: an example can be pasted where no empty list stands.
    for (key, example) in [
        ("transform.rules", "#   [[transform.rules]]\n"),
        (
            "authentication.api_keys",
            "#   [[authentication.api_keys]]\n",
        ),
    ] {
        assert!(SHIPPED.contains(example) && written.insert(key.to_owned()));
        let name = key.split_once('.').expect("a section").1;
        assert!(SHIPPED.contains(&format!("# Without one it is: {name} = []\n")));
    }
    assert_eq!(
        written,
        keys(&Table::try_from(Config::default()).expect("table"))
    );
    let lines: Vec<_> = SHIPPED.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        if !line.is_empty() && !line.starts_with(['#', '[']) {
            assert!(lines[at - 1].starts_with('#'), "no comment above {line:?}");
        }
    }
}

#[test]
fn the_shipped_file_takes_a_rule_and_a_key_at_its_end() {
    let rule = "[[transform.rules]]\nmatch = \"deploy.*\"\nemit = \"deploy_update\"\n";
    let config = load(&format!("{SHIPPED}\n{rule}\n{API_KEY}"), &[]).expect("loads");
    assert_eq!(config.transform.rules.len(), 1);
    assert_eq!(config.authentication.api_keys.len(), 1);
    let message = refused(&format!("[transform]\nrules = []\n\n{rule}"), &[]);
    assert!(
        message.contains(".toml:4: ") && message.contains("take out `rules = []` in line 2"),
        "{message}"
    );
}

#[test]
fn what_check_prints_can_be_loaded_again_and_hides_the_secret() {
    let mut config = Config::default();
    config.server.port = 9;
    assert_eq!(load(&config.effective(), &[]).expect("loads"), config);
    config.authentication.secret = "hush-hush".into();
    let shown = config.effective();
    assert!(!shown.contains("hush") && shown.contains("secret = \"***\""));
    let shown = format!("{config:?}");
    assert!(!shown.contains("hush") && shown.contains("secret: \"***\""));
}

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
fn a_wrong_value_names_line_and_key() {
    let message = refused("[server]\n\nport = \"x\"\n", &[]);
    assert!(
        message.contains(".toml:3: ") && message.contains("[server] port"),
        "{message}"
    );
    let message = refused("[server]\nport = 70000\n", &[]);
    assert!(
        message.contains(".toml:2: ") && message.ends_with("expected a port from 0 to 65535"),
        "{message}"
    );
    let message = refused("[performance]\ncompression = 1\n", &[]);
    assert!(message.ends_with("expected true or false"), "{message}");
    let message = refused("[server]\nping_interval = \"x\"\n", &[]);
    assert!(message.ends_with("expected a number"), "{message}");
    let message = refused("[pace]\nlevel_shares = [8, 4, 0, 1]\n", &[]);
    assert!(
        message.contains(".toml:2: ") && message.contains("from 1 to 1000"),
        "{message}"
    );
    let message = refused("[seneca]\naggregates = \"some\"\n", &[]);
    assert!(message.contains("\"pages\""), "{message}");
    let message = refused("[tls]\ncert_file = \"cert.pem\"\n", &[]);
    assert!(message.contains(".toml:1: [tls] key_file"), "{message}");
    for key in ["max_bytes", "memory_bytes"] {
        let message = refused(&format!("[journal]\n{key} = 1000\n"), &[]);
        assert!(
            message.contains(".toml:2: ") && message.contains("from 1048576 to"),
            "{message}"
        );
    }
    let message = refused("[server]\nmax_body_bytes_per_address = 1000\n", &[]);
    assert!(message.contains("from 262144 to"), "{message}");
    // A timer can't hold it, or takes it for nothing.
    for (section, key) in [
        ("rate_limiting", "opening_seconds"),
        ("rate_limiting", "ban_duration"),
        ("server", "ping_interval"),
        ("rooms", "room_cleanup_interval"),
        ("performance", "heartbeat_interval"),
    ] {
        for value in ["1e19", "1e-300", "-1.0", "nan", "inf"] {
            let message = refused(&format!("[{section}]\n{key} = {value}\n"), &[]);
            assert!(
                message.contains(key) && message.contains("more than 0"),
                "{value}: {message}"
            );
        }
    }
    for path in ["", ":memory:", "file:stoa.db?mode=memory"] {
        let message = refused(&format!("[journal]\npath = \"{path}\"\n"), &[]);
        assert!(message.contains("names no file"), "{message}");
    }
    let message = refused("[server]\nping_interval = 0\n", &[]);
    assert!(
        message.contains(".toml:2: ") && message.contains("more than 0"),
        "{message}"
    );
    let message = refused("[transform]\nthrottle_ms = 9000000000000000000\n", &[]);
    assert!(
        message.contains(".toml:2: ") && message.contains("at most 86400000"),
        "{message}"
    );
    let message = refused("[log]\nformat = \"xml\"\n", &[]);
    assert!(message.contains("json"), "{message}");
    let message = refused("[server\nport = 1\n", &[]);
    assert!(message.contains(".toml:1: "), "{message}");
    let message = refused("[server]\nport = 1\nport = 2\n", &[]);
    assert!(message.contains(".toml:3: "), "{message}");
    let message = refused("[rate_limiting]\nenabled = \"maybe\"\n", &[]);
    assert!(
        message.contains(".toml:2: ") && message.contains("auto"),
        "{message}"
    );
    let message = refused("[access]\nproject = \"nobody\"\n", &[]);
    assert!(
        message.contains(".toml:2: ") && message.contains("owner"),
        "{message}"
    );
    let message = refused(
        "[server]\ncors_allowed_origins = \"https://a.example/page\"\n",
        &[],
    );
    assert!(message.contains("scheme and host"), "{message}");
    for host in [
        "https://stoa.example",
        "stoa.example:8000",
        "*.",
        "a b",
        "*.*.example",
        "",
    ] {
        let message = refused(&format!("[server]\nhosts = [\"{host}\"]\n"), &[]);
        assert!(
            message.contains(".toml:2: ") && message.contains("like \"stoa.example\""),
            "{message}"
        );
    }
    let named = "[server]\nhosts = [\"stoa.example\", \"*.apps.example\", \"*\"]\ncors_allowed_origins = [\"loopback\", \"*\"]\n";
    load(named, &[]).expect("loads");
    for secret in ["short", "with a space in the middle", "an&ampersand=in-it"] {
        let message = refused(
            &format!("[authentication]\nstart_secret = \"{secret}\"\n"),
            &[],
        );
        assert!(
            message.contains("start_secret must be") && !message.contains(secret),
            "{message}"
        );
    }
    for key in ["secret", "start_secret"] {
        let message = refused(
            &format!("[authentication]\n{key} = 1234567890123456\n"),
            &[],
        );
        assert!(
            message.contains(&format!("{key}: must be a string in quotes"))
                && !message.contains("1234567890123456"),
            "{message}"
        );
    }
    let message = refused("[server]\ntrusted_proxies = [\"10.0.0.0/40\"]\n", &[]);
    assert!(
        message.contains(".toml:2: ") && message.contains("like 10.0.0.0/8"),
        "{message}"
    );
    let message = refused("[server]\nmax_connections = 0\n", &[]);
    assert!(message.contains("max_connections is 0"), "{message}");
    let message = refused("[tls]\ncert_file = \"cert.pem\"\n", &[]);
    assert!(
        message.contains("key_file is missing") && message.contains("both"),
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
fn an_open_server_that_others_can_reach_needs_a_word() {
    let mut config = Config::default();
    assert_eq!(config.unsafe_combination(), None);
    config.server.host = "0.0.0.0".into();
    let why = config.unsafe_combination().expect("refused");
    assert!(
        why.contains("0.0.0.0") && why.contains("--insecure"),
        "{why}"
    );
    config.server.allow_insecure = true;
    assert_eq!(config.unsafe_combination(), None);
    assert_eq!(config.warnings().len(), 3, "it is told at every start");
    config.server.hosts = vec!["stoa.example".into()];
    assert_eq!(config.warnings().len(), 2, "it has a name");
    config.server.allow_insecure = false;
    config.authentication.required = true;
    assert_eq!(config.unsafe_combination(), None);
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
fn the_environment_comes_before_the_file() {
    let env = [
        ("STOA_SERVER__PORT", "9001"),
        ("STOA_SERVER__HOST", "0.0.0.0"),
        ("STOA_LOG__FORMAT", "json"),
        (
            "STOA_SERVER__CORS_ALLOWED_ORIGINS",
            "[\"https://a.example\"]",
        ),
        ("STOA_BIN", "x"),
        ("HOME", "/root"),
    ];
    let config = load("[server]\nport = 9000\nping_interval = 5\n", &env).expect("loads");
    assert_eq!(
        (config.server.port, config.server.ping_interval),
        (9001, 5.0)
    );
    assert_eq!(config.server.host, "0.0.0.0");
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.server.cors_allowed_origins, ["https://a.example"]);
    assert_eq!(config.warnings().len(), 3);
    for (word, switch) in [
        ("true", Switch::On),
        ("false", Switch::Off),
        ("auto", Switch::Auto),
    ] {
        let config = load("", &[("STOA_RATE_LIMITING__ENABLED", word)]).expect("loads");
        assert_eq!(config.rate_limiting.enabled, switch, "{word}");
    }
    let message = refused("", &[("STOA_RATE_LIMITING__ENABLED", "perhaps")]);
    assert!(message.contains("neither true nor false"), "{message}");
    let message = refused("", &[("STOA_SERVER__PROT", "1")]);
    assert!(
        message.contains("STOA_SERVER__PROT") && message.contains("port"),
        "{message}"
    );
    let message = refused("", &[("STOA_AUTHENTICATION_REQUIRED", "true")]);
    assert!(
        message.starts_with("STOA_AUTHENTICATION_REQUIRED: there is no such setting; did you mean STOA_AUTHENTICATION__REQUIRED "),
        "{message}"
    );
    let message = refused("[server]\nport = 1", &[("STOA_SERVER__PORT", "many")]);
    assert!(message.starts_with("STOA_SERVER__PORT: "), "{message}");
}

#[test]
fn a_missing_file_is_named() {
    let error =
        Config::load(Some("/no/such/file.toml".as_ref()), std::iter::empty()).expect_err("refused");
    assert!(error.to_string().starts_with("/no/such/file.toml: "));
}

const API_KEY: &str = "[[authentication.api_keys]]\nname = \"a\"\nhash = \"sha256:0000000000000000000000000000000000000000000000000000000000000001\"\n";

#[test]
fn an_api_key_needs_a_name_and_a_hash_of_its_own() {
    let second = API_KEY.replace("\"a\"", "\"b\"").replace("01\"", "02\"");
    let both = format!("{API_KEY}role = \"admin\"\nprojects = [\"p*\"]\n\n{second}");
    let config = load(&both, &[]).expect("loads");
    let keys = &config.authentication.api_keys;
    assert_eq!(keys[0].role, crate::config::Role::Admin);
    assert_eq!(keys[1].role, crate::config::Role::Producer);
    assert_eq!(keys[1].hash_bytes().expect("a hash")[31], 2);
    assert_eq!(load(&config.effective(), &[]).expect("loads"), config);
    for (text, line, said) in [
        (API_KEY.replace("sha256:0", "sha256:"), 1, "64 hex digits"),
        (API_KEY.replace("sha256:", ""), 1, "64 hex digits"),
        (API_KEY.replace("01\"", "0é\""), 1, "64 hex digits"),
        (API_KEY.replace("\"a\"", "\"\""), 1, "no name"),
        (
            format!("{API_KEY}projects = [\"[a\"]\n"),
            1,
            "not a pattern",
        ),
        (format!("{API_KEY}{API_KEY}"), 4, "before it"),
        (
            format!(
                "{}{}",
                second.replace("02\"", "0a\""),
                second.replace("\"b\"", "\"c\"").replace("02\"", "0A\"")
            ),
            4,
            "before it",
        ),
        (format!("{API_KEY}{second}rooms = 1\n"), 4, "a list in [ ]"),
        (format!("{API_KEY}role = \"root\"\n"), 1, "root"),
        (format!("{API_KEY}secret = \"x\"\n"), 1, "secret"),
    ] {
        let message = refused(&text, &[]);
        assert!(message.contains(&format!(".toml:{line}: ")), "{message}");
        assert!(
            message.contains(said) && message.contains("api_keys"),
            "{message}"
        );
    }
}

#[test]
fn a_short_secret_is_warned_of_here_and_refused_where_others_can_connect() {
    let short = [("STOA_AUTHENTICATION__SECRET", "hunter2hunter2")];
    let warnings = load("", &short).expect("loads").warnings();
    let about: Vec<_> = warnings.iter().filter(|w| w.contains("14 bytes")).collect();
    assert_eq!(about.len(), 1, "{warnings:?}");
    assert!(!about[0].contains("hunter2"));
    let message = refused("[server]\nhost = \"0.0.0.0\"\n", &short);
    assert!(message.contains("14 bytes"), "{message}");
}

#[test]
fn a_secret_may_be_all_digits_and_is_never_quoted() {
    let digits = "0123456789".repeat(4);
    let variable = "STOA_AUTHENTICATION__SECRET";
    for secret in [
        digits.as_str(),
        "[a, list, of, thirty, two, bytes, at, least]",
        "1e5 # and what comes behind it, as it stands",
    ] {
        let config = load("", &[(variable, secret)]).expect("loads");
        assert_eq!(config.authentication.secret, secret);
    }
    let quoted = format!("\"{digits}\"");
    let config = load("", &[(variable, &quoted)]).expect("loads");
    assert_eq!(config.authentication.secret, digits);
    for text in [
        "secret = 1234567",
        "secret = \"1234567\"",
        "secret = [1234567]",
    ] {
        let message = refused(&format!("[authentication]\n{text}\n"), &[]);
        assert!(
            message.contains(".toml:2: ") && !message.contains("1234567"),
            "{message}"
        );
    }
}

#[test]
fn what_tokens_are_verified_with_has_bounds() {
    for (line, said) in [
        ("jwks_refresh = 0.5", "from 1 to"),
        ("jwks_cooldown = 0", "from 0.1 to"),
        ("jwks_timeout = 61", "to 60"),
        ("leeway = -1", "from 0 to 300"),
        ("leeway = nan", "from 0 to 300"),
        ("reload_interval = 0", "from 0.1 to"),
        ("jwks_max_bytes = 10", "from 1024"),
        ("max_token_size = 100", "from 256"),
        ("jwks_url = \"keys\"", "no URL"),
        ("jwks_url = \"file:///etc/keys\"", "https://"),
        (
            "jwks_url = \"https://a:b@login.example/keys\"",
            "no user name",
        ),
    ] {
        let message = refused(&format!("[authentication]\n{line}\n"), &[]);
        assert!(
            message.contains(".toml:2: ") && message.contains(said),
            "{message}"
        );
    }
    let warnings = |url: &str| {
        let env = [("STOA_AUTHENTICATION__JWKS_URL", url)];
        load("", &env).expect("loads").warnings().join("\n")
    };
    assert!(warnings("http://login.example/keys").contains("unencrypted"));
    assert!(!warnings("https://login.example/keys").contains("unencrypted"));
    assert!(!warnings("http://127.0.0.1:9/keys").contains("unencrypted"));
}
