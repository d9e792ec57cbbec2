//! Keys of producers that hold no tokens.

use super::{super::Role, load, refused};

pub(super) const API_KEY: &str = "[[authentication.api_keys]]\nname = \"a\"\nhash = \"sha256:0000000000000000000000000000000000000000000000000000000000000001\"\n";

#[test]
fn an_api_key_needs_a_name_and_a_hash_of_its_own() {
    let second = API_KEY.replace("\"a\"", "\"b\"").replace("01\"", "02\"");
    let both = format!("{API_KEY}role = \"admin\"\nprojects = [\"p*\"]\n\n{second}");
    let config = load(&both, &[]).expect("loads");
    let keys = &config.authentication.api_keys;
    assert_eq!(keys[0].role, Role::Admin);
    assert_eq!(keys[1].role, Role::Producer);
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
