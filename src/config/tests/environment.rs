//! Variables of the environment: they come before the file, and a secret in one is whatever stands there.

use super::{
    super::{LogFormat, Switch},
    load, refused,
};

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
        (
            config.server.port,
            config.server.ping_interval.get().as_secs()
        ),
        (9001, 5)
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
fn a_list_is_one_text_or_several_between_commas_for_every_key() {
    let env = [
        ("STOA_SERVER__HOSTS", "stoa.example.org"),
        ("STOA_NAMESPACES__DECLARED", "/game, /chat"),
        ("STOA_BACKEND__OVERRIDE", "*"),
        ("STOA_BACKEND__HEADERS", "[\"cookie\"]"),
        ("STOA_SERVER__TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8"),
    ];
    let config = load("", &env).expect("loads");
    assert_eq!(config.server.hosts, ["stoa.example.org"]);
    assert_eq!(config.namespaces.declared, ["/game", "/chat"]);
    assert_eq!(config.backend.overrides, ["*"]);
    assert_eq!(config.backend.headers, ["cookie"]);
    let both = load(
        "[server]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n",
        &[],
    );
    let trusted = both.expect("loads").server.trusted_proxies;
    assert_eq!(config.server.trusted_proxies, trusted);
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
        assert_eq!(&*config.authentication.secret, secret);
    }
    let quoted = format!("\"{digits}\"");
    let config = load("", &[(variable, &quoted)]).expect("loads");
    assert_eq!(*config.authentication.secret, *digits);
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
