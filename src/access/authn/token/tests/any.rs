//! No input panics, and only signed tokens are accepted.

use proptest::{prelude::*, sample::Index};

use super::*;

static TOKENS: LazyLock<Tokens> = LazyLock::new(tokens);

/// A good token of each kind of signature.
static GOOD: LazyLock<Vec<String>> = LazyLock::new(|| {
    let says = claims(json!({ "exp": now() + 86_400, "role": "observer" }));
    vec![
        signed(&says, &secret(), Algorithm::HS256),
        signed(&says, &P256.signing(), Algorithm::ES256),
        signed(&says, &ED.signing(), Algorithm::EdDSA),
        signed(&says, &RSA.signing(), Algorithm::PS256),
    ]
});

/// A way to spoil a token.
#[derive(Debug, Clone)]
enum Change {
    Replace(Index, char),
    Insert(Index, char),
    Remove(Index),
    Cut(Index),
    Swap(Index, Index),
    Graft(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let character = prop_oneof![
        9 => "[A-Za-z0-9_.-]".prop_map(|s| s.chars().next().unwrap_or('A')),
        1 => any::<char>()
    ];
    let at = any::<Index>;
    prop_oneof![
        (at(), character.clone()).prop_map(|(at, c)| Change::Replace(at, c)),
        (at(), character).prop_map(|(at, c)| Change::Insert(at, c)),
        at().prop_map(Change::Remove),
        at().prop_map(Change::Cut),
        (at(), at()).prop_map(|(a, b)| Change::Swap(a, b)),
        (at(), at()).prop_map(|(from, part)| Change::Graft(from, part)),
    ]
}

fn apply(token: &str, change: &Change) -> String {
    let mut all: Vec<char> = token.chars().collect();
    if all.is_empty() {
        return String::new();
    }
    let length = all.len();
    match change {
        Change::Replace(at, c) => all[at.index(length)] = *c,
        Change::Insert(at, c) => all.insert(at.index(length + 1), *c),
        Change::Remove(at) => {
            all.remove(at.index(length));
        }
        Change::Cut(at) => all.truncate(at.index(length)),
        Change::Swap(a, b) => all.swap(a.index(length), b.index(length)),
        Change::Graft(from, part) => {
            // A part of another good token: its header, claims or signature.
            let other: Vec<_> = from.get(&GOOD).split('.').collect();
            let mut own: Vec<_> = token.split('.').collect();
            let at = part.index(own.len().min(3));
            own[at] = other[at];
            return own.join(".");
        }
    }
    all.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_a_token(text in any::<String>()) {
        prop_assert!(examine(&TOKENS, &text).is_err());
    }

    #[test]
    fn nothing_in_the_shape_of_one_is_a_token(
        header in any::<Vec<u8>>(), payload in any::<Vec<u8>>(), signature in any::<Vec<u8>>(),
        algorithm in prop::sample::select(vec!["HS256", "RS256", "PS512", "ES256", "ES384", "EdDSA", "none"]),
        json in any::<bool>(),
    ) {
        let header = if json { format!("{{\"alg\":\"{algorithm}\"}}").into_bytes() } else { header };
        let token = format!("{}.{}.{}", part(&header), part(&payload), part(&signature));
        prop_assert!(examine(&TOKENS, &token).is_err());
    }

    #[test]
    fn any_payload_that_is_rightly_signed_is_read_without_panic(payload in any::<Vec<u8>>(), number in any::<f64>()) {
        let header = part(b"{\"alg\":\"HS256\"}");
        for payload in [payload, json!({ "exp": number, "nbf": -number, "iat": number }).to_string().into_bytes()] {
            let signed = format!("{header}.{}", part(&payload));
            let signature = sign(signed.as_bytes(), &secret(), Algorithm::HS256).expect("signs");
            if let Ok(claims) = examine(&TOKENS, &format!("{signed}.{signature}")) {
                prop_assert!(claims.expires.is_some());
            }
        }
    }

    #[test]
    fn only_the_unchanged_is_believed(good in any::<Index>(), changes in prop::collection::vec(change(), 0..4)) {
        let good = good.get(&GOOD);
        let token = changes.iter().fold(good.clone(), |token, change| apply(&token, change));
        let whole = GOOD.contains(&token);
        prop_assert_eq!(examine(&TOKENS, &token).is_ok(), whole, "{}", token);
    }
}
