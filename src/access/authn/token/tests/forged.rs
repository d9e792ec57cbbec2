//! Tokens that must not be believed, each with its reason and its code.

mod misshapen;
mod overstated;
mod unsigned;

use super::*;
use misshapen::misshapen;
use overstated::overstated;
use unsigned::unsigned;

/// `(what, token, reason)`
type Row = (&'static str, String, &'static str);

#[test]
fn none_is_believed_and_each_says_why() {
    let tokens = tokens();
    for (what, token, reason) in unsigned()
        .into_iter()
        .chain(misshapen())
        .chain(overstated())
    {
        let denied = examine(&tokens, &token).expect_err(what);
        assert_eq!(denied.reason(), reason, "{what}");
        let refusal = tokens
            .verify(&token)
            .now_or_never()
            .expect("no wait")
            .expect_err(what);
        let code = if reason == "token_expired" {
            "token_expired"
        } else {
            "unauthorized"
        };
        assert_eq!(refusal.code, code, "{what}");
        for held in token.split('.').filter(|part| part.len() > 8) {
            assert!(
                !refusal.message.contains(held),
                "{what}: {}",
                refusal.message
            );
        }
    }
}

#[test]
fn null_is_not_the_same_as_nothing() {
    let tokens = tokens();
    for claim in [
        "role", "rooms", "projects", "exp", "nbf", "sub", "name", "jti",
    ] {
        let mut says = claims(json!({}));
        says[claim] = Value::Null;
        let token = signed(&says, &secret(), Algorithm::HS256);
        let denied = examine(&tokens, &token).expect_err(claim);
        assert_eq!(denied.reason(), "token_claim", "{claim}");
    }
}

#[test]
fn another_issuer_or_audience_is_refused() {
    let config = Authentication {
        secret: SECRET.into(),
        issuer: "https://login.example".into(),
        audience: "stoa".into(),
        ..Authentication::default()
    };
    let tokens = Tokens::new(&config).expect("keys");
    let (iss, aud) = ("https://login.example", "stoa");
    let table = [
        (json!({ "iss": iss, "aud": aud }), None),
        (json!({ "iss": iss, "aud": ["other", aud] }), None),
        (json!({ "aud": aud }), Some(TokenError::Issuer)),
        (
            json!({ "iss": "https://login.example/", "aud": aud }),
            Some(TokenError::Issuer),
        ),
        (
            json!({ "iss": [iss], "aud": aud }),
            Some(TokenError::Issuer),
        ),
        (json!({ "iss": iss }), Some(TokenError::Audience)),
        (
            json!({ "iss": iss, "aud": "other" }),
            Some(TokenError::Audience),
        ),
        (json!({ "iss": iss, "aud": [] }), Some(TokenError::Audience)),
        (
            json!({ "iss": iss, "aud": ["sto"] }),
            Some(TokenError::Audience),
        ),
        (
            json!({ "iss": iss, "aud": { "stoa": true } }),
            Some(TokenError::Audience),
        ),
    ];
    for (changes, expected) in table {
        let token = signed(&claims(changes.clone()), &secret(), Algorithm::HS256);
        assert_eq!(examine(&tokens, &token).err(), expected, "{changes}");
    }
}

#[test]
fn a_key_of_one_kind_is_none_for_another() {
    // A server that knows public keys only must not take HMAC at all, and the other way round.
    let public = file(&RSA.public_pem);
    let only_public = Tokens::new(&Authentication {
        public_key_file: public.path().into(),
        ..Authentication::default()
    });
    let only_secret = Tokens::new(&Authentication {
        secret: SECRET.into(),
        ..Authentication::default()
    });
    let says = claims(json!({}));
    for key in [RSA.public_pem.as_bytes(), &RSA.public_der] {
        let token = signed(&says, &EncodingKey::from_secret(key), Algorithm::HS256);
        let denied = examine(only_public.as_ref().expect("keys"), &token).err();
        assert_eq!(denied, Some(TokenError::UnknownKey));
    }
    let token = signed(&says, &RSA.signing(), Algorithm::RS256);
    assert!(examine(only_public.as_ref().expect("keys"), &token).is_ok());
    let denied = examine(only_secret.as_ref().expect("keys"), &token).err();
    assert_eq!(denied, Some(TokenError::UnknownKey));
    let nothing = Tokens::new(&Authentication::default()).expect("no keys");
    assert!(nothing.is_empty());
    assert_eq!(examine(&nothing, &token).err(), Some(TokenError::NoKeys));
}
