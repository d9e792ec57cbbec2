//! The claims of valid tokens.

use std::time::Duration;

use super::*;

fn read(changes: Value) -> Claims {
    let what = changes.to_string();
    let token = signed(&claims(changes), &secret(), Algorithm::HS256);
    examine(&tokens(), &token).unwrap_or_else(|e| panic!("{what}: {e}"))
}

#[test]
fn what_is_not_said_is_not_given() {
    let says = read(json!({ "sub": null }));
    assert_eq!(
        (says.user, says.role, says.name),
        (None, Role::Observer, None)
    );
    assert_eq!((says.rooms, says.projects, says.issued), (None, None, None));
    assert!(says.expires.is_some());
}

#[test]
fn one_pattern_or_several() {
    let says = read(json!({ "rooms": "project:*", "projects": ["p1", "shop-*"] }));
    assert_eq!(says.rooms, Some(vec!["project:*".to_owned()]));
    assert_eq!(
        says.projects,
        Some(vec!["p1".to_owned(), "shop-*".to_owned()])
    );
    // An empty list allows nothing; that is not the same as no list.
    assert_eq!(read(json!({ "projects": [] })).projects, Some(Vec::new()));
}

#[test]
fn subjects_of_identity_providers_are_users() {
    for sub in [
        "auth0|5f7c8ec7c33c6c004bbafe82",
        "ann+ci@example.org",
        "system:serviceaccount:ns:name",
        "7b0c1d3e-2a4f-4c55-9d1e-0f8f2a6b7c8d",
        "dGVzdA==",
        &"a".repeat(128),
    ] {
        assert_eq!(read(json!({ "sub": sub })).user.as_deref(), Some(sub));
    }
}

#[test]
fn a_name_is_for_people_and_never_for_terminals() {
    let says = read(json!({ "name": "Ann \u{1b}[31mB\nC" }));
    assert_eq!(says.name.as_deref(), Some("Ann [31mBC"));
    let says = read(json!({ "name": "é".repeat(500) }));
    assert_eq!(says.name.map(|name| name.chars().count()), Some(128));
    assert_eq!(read(json!({ "name": "\n" })).name, None);
}

#[test]
fn times_are_as_the_token_says_whatever_the_leeway() {
    let exp = now() + 600;
    let says = read(json!({ "exp": exp, "iat": exp - 700, "nbf": now() + 3 }));
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    assert_eq!(says.expires, Some(at(exp)));
    assert_eq!(says.issued, Some(at(exp - 700)));
    let says = read(json!({ "exp": now() as f64 + 1.5 }));
    assert!(says.expires.is_some());
}

#[test]
fn a_token_goes_by_its_jti_if_that_can_be_shown() {
    assert_eq!(read(json!({ "jti": "t-1" })).id.as_str(), "t-1");
    for odd in ["", "with space", "line\nend", "é", &"x".repeat(129)] {
        let id = read(json!({ "jti": odd })).id;
        assert!(id.as_str().len() == 32 && id.as_str().bytes().all(|b| b.is_ascii_hexdigit()));
    }
}
