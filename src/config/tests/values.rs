//! Values that a key can't have: the message names the line, the key, the value and what it may be.

use super::{
    super::{Config, DoorPort},
    load, refused,
};

#[test]
fn a_wrong_value_names_line_and_key() {
    for (section, line, said) in [
        ("server", "port = \"x\"", "[server] port: "),
        ("server", "port = 70000", "expected a port from 0 to 65535"),
        (
            "server",
            "max_connections = \"x\"",
            "expected a whole number from 0",
        ),
        (
            "server",
            "max_connections = -1",
            "expected a whole number from 0",
        ),
        ("server", "ping_interval = \"x\"", "expected a number"),
        (
            "server",
            "trusted_proxies = [\"10.0.0.0/40\"]",
            "like 10.0.0.0/8",
        ),
        (
            "server",
            "cors_allowed_origins = \"https://a.example/page\"",
            "scheme and host",
        ),
        ("performance", "compression = 1", "expected true or false"),
        (
            "pace",
            "level_shares = [8, 4, 0, 1]",
            "has 0: each must be from 1 to 1000",
        ),
        ("seneca", "aggregates = \"some\"", "\"pages\""),
        ("log", "format = \"xml\"", "json"),
        ("rate_limiting", "enabled = \"maybe\"", "auto"),
        ("access", "project = \"nobody\"", "owner"),
        ("demo", "speed = 0", "more than 0 and at most 1000"),
        ("alerts", "success_rate = 95.0", "more than 0 and at most 1"),
        ("alerts", "limit_share = 0.0", "more than 0 and at most 1"),
        ("alerts", "webhook_url = \"hooks.example\"", "https://"),
        (
            "alerts",
            "webhook_url = \"https://a:b@hooks.example/\"",
            "no user name",
        ),
        (
            "alerts",
            "webhook_secret = \"short\"\nwebhook_url = \"https://hooks.example/\"",
            "5 bytes",
        ),
        ("journal", "path = \"\"", "names no file"),
        ("journal", "path = \":memory:\"", "names no file"),
        (
            "journal",
            "path = \"file:stoa.db?mode=memory\"",
            "names no file",
        ),
        ("authentication", "jwks_url = \"keys\"", "no URL"),
        (
            "authentication",
            "jwks_url = \"file:///etc/keys\"",
            "https://",
        ),
        (
            "authentication",
            "jwks_url = \"https://a:b@login.example/keys\"",
            "no user name",
        ),
    ] {
        let message = refused(&format!("[{section}]\n{line}\n"), &[]);
        let key = line.split(' ').next().expect("a key");
        let at = format!(".toml:2: [{section}] {key}");
        assert!(message.contains(&at) && message.contains(said), "{message}");
    }
    let message = refused("[alerts]\nwebhook_url = \"https://hooks.example/\"\n", &[]);
    let said = ".toml:1: [alerts] webhook_secret is missing";
    assert!(message.contains(said), "{message}");
    assert!(!message.contains("hooks.example"), "{message}");
    let message = refused("[server\nport = 1\n", &[]);
    assert!(message.contains(".toml:1: "), "{message}");
    let message = refused("[server]\nport = 1\nport = 2\n", &[]);
    assert!(message.contains(".toml:3: "), "{message}");
    let message = refused("[tls]\ncert_file = \"cert.pem\"\n", &[]);
    let said = ".toml:1: [tls] key_file is missing: name both";
    assert!(message.contains(said), "{message}");
}

#[test]
fn a_quantity_out_of_its_bounds_is_told_them() {
    for (section, line, said) in [
        (
            "server",
            "max_connections = 0",
            "is 0: it must be from 1 to 16777216",
        ),
        (
            "server",
            "max_connections = 16777217",
            "is 16777217: it must be from 1 to 16777216",
        ),
        (
            "server",
            "max_body_bytes_per_address = 1000",
            "from 262144 to",
        ),
        (
            "server",
            "ping_interval = 0",
            "is 0: it must be from 0.001 to 31622400 seconds",
        ),
        ("journal", "max_bytes = 1000", "from 1048576 to"),
        ("journal", "memory_bytes = 1000", "from 1048576 to"),
        (
            "transform",
            "throttle_ms = 9000000000000000000",
            "from 0 to 86400000 milliseconds",
        ),
        ("authentication", "jwks_refresh = 0.5", "from 1 to"),
        ("authentication", "jwks_cooldown = 0", "from 0.1 to"),
        ("authentication", "jwks_timeout = 61", "to 60 seconds"),
        (
            "authentication",
            "leeway = -1",
            "0 or from 0.001 to 300 seconds",
        ),
        (
            "authentication",
            "leeway = nan",
            "0 or from 0.001 to 300 seconds",
        ),
        ("authentication", "reload_interval = 0", "from 0.1 to"),
        ("authentication", "jwks_max_bytes = 10", "from 1024"),
        ("authentication", "max_token_size = 100", "from 256"),
    ] {
        let message = refused(&format!("[{section}]\n{line}\n"), &[]);
        let key = line.split(' ').next().expect("a key");
        let at = format!(".toml:2: [{section}] {key} is ");
        assert!(message.contains(&at) && message.contains(said), "{message}");
        let key = key.to_ascii_uppercase();
        let variable = format!("STOA_{}__{key}", section.to_ascii_uppercase());
        let value = line.split(' ').next_back().expect("a value");
        let message = refused("", &[(&variable, value)]);
        assert!(message.starts_with(&format!("{variable}: [")), "{message}");
        assert!(message.contains(said), "{message}");
    }
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
                message.contains(key) && message.contains("from 0.001 to 31622400 seconds"),
                "{value}: {message}"
            );
        }
    }
}

#[test]
fn a_quantity_at_its_bounds_is_taken_and_shown_as_it_was_written() {
    let text = "[server]\nmax_connections = 1\nping_interval = 0.001\nping_timeout = 31622400\n[rate_limiting]\n\
                opening_seconds = 0\n[transform]\nthrottle_ms = 86400000\n[authentication]\nleeway = 0.3\n";
    let config = load(text, &[]).expect("loads");
    assert_eq!(config.server.max_connections.get(), 1);
    assert_eq!(config.server.ping_interval.get().as_millis(), 1);
    assert_eq!(config.rate_limiting.opening_seconds.get().as_millis(), 0);
    assert_eq!(config.transform.throttle_ms.get().as_secs(), 86_400);
    let shown = config.effective();
    for line in [
        "max_connections = 1",
        "ping_interval = 0.001",
        "ping_timeout = 31622400.0",
        "opening_seconds = 0.0",
        "throttle_ms = 86400000",
        "leeway = 0.3",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    assert_eq!(load(&shown, &[]).expect("loads"), config);
}

#[test]
fn a_quantity_that_the_program_sets_has_the_same_bounds() {
    let mut config = Config::default();
    let wrong = config.server.max_connections.set(0).unwrap_err();
    assert_eq!(wrong.to_string(), "is 0: it must be from 1 to 16777216");
    assert_eq!(config, Config::default());
    config.server.max_connections.set(7).expect("fits");
    assert_eq!(usize::from(config.server.max_connections), 7);
}

#[test]
fn hosts_and_origins_are_written_as_they_come() {
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
}

#[test]
fn a_secret_that_can_not_be_is_refused_and_not_repeated() {
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
        for value in [
            "1234567890123456",
            "[1234567890123456]",
            "{ a = 1234567890123456 }",
        ] {
            let message = refused(&format!("[authentication]\n{key} = {value}\n"), &[]);
            assert!(
                message.contains(&format!(
                    ".toml:2: [authentication] {key}: must be a string in quotes"
                )) && !message.contains("1234567890123456"),
                "{message}"
            );
        }
    }
}

#[test]
fn keys_that_come_unencrypted_are_warned_of() {
    let warnings = |url: &str| {
        let env = [("STOA_AUTHENTICATION__JWKS_URL", url)];
        load("", &env).expect("loads").warnings().join("\n")
    };
    assert!(warnings("http://login.example/keys").contains("unencrypted"));
    assert!(!warnings("https://login.example/keys").contains("unencrypted"));
    assert!(!warnings("http://127.0.0.1:9/keys").contains("unencrypted"));
}

#[test]
fn a_node_without_a_name_is_warned_of() {
    let warnings = |name: &str| {
        let env = [
            ("STOA_JOURNAL__KIND", "redis"),
            ("STOA_JOURNAL__URL", "redis://127.0.0.1:6379"),
            ("STOA_CLUSTER__NODE_ID", name),
        ];
        load("", &env).expect("loads").warnings().join("\n")
    };
    assert!(warnings("").contains("[cluster] node_id"));
    assert!(!warnings("a").contains("[cluster] node_id"));
    let alone = load("", &[]).expect("loads").warnings().join("\n");
    assert!(!alone.contains("[cluster] node_id") && !alone.contains("[journal] url"));
    let forgotten = load("[journal]\nurl = \"redis://127.0.0.1:6379\"\n", &[]);
    let forgotten = forgotten.expect("loads").warnings().join("\n");
    assert!(forgotten.contains("[journal] url"));
}

#[test]
fn the_port_of_a_door_is_a_port_none_or_any() {
    for (written, port) in [
        ("0", DoorPort::Off),
        ("8765", DoorPort::At(8765)),
        ("\"auto\"", DoorPort::Auto),
        ("\"8765\"", DoorPort::At(8765)),
    ] {
        let config = load(&format!("[doors]\nvisualization_port = {written}\n"), &[]);
        let config = config.expect("a port");
        assert_eq!(config.doors.visualization_port, port);
        let again = load(&config.effective(), &[]).expect("what is shown can be read");
        assert_eq!(again.doors, config.doors);
    }
    let set = [("STOA_DOORS__VISUALIZATION_PORT", "auto")];
    assert_eq!(
        load("", &set).expect("a word").doors.visualization_port,
        DoorPort::Auto
    );
    for written in ["70000", "-1", "\"any\""] {
        let message = refused(&format!("[doors]\nvisualization_port = {written}\n"), &[]);
        assert!(
            message.contains(".toml:2: ") && message.contains("is no port"),
            "{message}"
        );
    }
    let message = refused(
        "[server]\nport = 8765\n[doors]\nvisualization_port = 8765\n",
        &[],
    );
    assert!(
        message.contains(".toml:4: ") && message.contains("[server] port"),
        "{message}"
    );
}
