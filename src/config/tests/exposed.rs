//! Settings that must not be served, or not without a warning, where others can connect.

use super::{super::Config, load, refused};

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
fn a_short_secret_is_warned_of_here_and_refused_where_others_can_connect() {
    let short = [("STOA_AUTHENTICATION__SECRET", "hunter2hunter2")];
    let warnings = load("", &short).expect("loads").warnings();
    let about: Vec<_> = warnings.iter().filter(|w| w.contains("14 bytes")).collect();
    assert_eq!(about.len(), 1, "{warnings:?}");
    assert!(!about[0].contains("hunter2"));
    let message = refused("[server]\nhost = \"0.0.0.0\"\n", &short);
    assert!(message.contains("14 bytes"), "{message}");
}
