//! Tokens signed by the right key, with claims that can't be.

use super::*;

/// Tokens that are rightly signed and refused for their claims.
pub(super) fn overstated() -> Vec<Row> {
    let row = |what, changes: Value, reason| {
        (
            what,
            signed(&claims(changes), &secret(), Algorithm::HS256),
            reason,
        )
    };
    let now = now();
    vec![
        row("no exp", json!({ "exp": null }), "token_claim"),
        row(
            "exp a string",
            json!({ "exp": (now + 600).to_string() }),
            "token_claim",
        ),
        row("exp a list", json!({ "exp": [now + 600] }), "token_claim"),
        row("exp true", json!({ "exp": true }), "token_claim"),
        row("exp huge", json!({ "exp": u64::MAX }), "token_claim"),
        row(
            "exp beyond all numbers",
            json!({ "exp": 1e308 }),
            "token_claim",
        ),
        row(
            "exp in milliseconds",
            json!({ "exp": (now + 600) * 1000 }),
            "token_claim",
        ),
        row("exp negative", json!({ "exp": -1 }), "token_claim"),
        row("expired long ago", json!({ "exp": 0 }), "token_expired"),
        row("expired", json!({ "exp": now - 60 }), "token_expired"),
        row(
            "expired just beyond the leeway",
            json!({ "exp": now - 6 }),
            "token_expired",
        ),
        row("not yet valid", json!({ "nbf": now + 60 }), "token_not_yet"),
        row("nbf a string", json!({ "nbf": "now" }), "token_claim"),
        row(
            "made later than the leeway allows",
            json!({ "iat": now + 60 }),
            "token_made_later",
        ),
        row("iat a string", json!({ "iat": "now" }), "token_claim"),
        row("unknown role", json!({ "role": "root" }), "token_claim"),
        row(
            "role in capitals",
            json!({ "role": "Admin" }),
            "token_claim",
        ),
        row("role a list", json!({ "role": ["admin"] }), "token_claim"),
        row("sub empty", json!({ "sub": "" }), "token_claim"),
        row(
            "sub too long",
            json!({ "sub": "a".repeat(129) }),
            "token_claim",
        ),
        row(
            "sub with a line end",
            json!({ "sub": "ann\nrole: admin" }),
            "token_claim",
        ),
        row("sub with NUL", json!({ "sub": "ann\u{0}" }), "token_claim"),
        row("sub a pattern", json!({ "sub": "*" }), "token_claim"),
        row("sub a path", json!({ "sub": "../ann" }), "token_claim"),
        row("sub a number", json!({ "sub": 7 }), "token_claim"),
        row("sub beyond ASCII", json!({ "sub": "аnn" }), "token_claim"),
        row("rooms a number", json!({ "rooms": 1 }), "token_claim"),
        row(
            "rooms no pattern",
            json!({ "rooms": ["project:[a"] }),
            "token_claim",
        ),
        row(
            "rooms with an empty one",
            json!({ "rooms": [""] }),
            "token_claim",
        ),
        row(
            "too many rooms",
            json!({ "rooms": vec!["a"; 101] }),
            "token_claim",
        ),
        row(
            "a room too long",
            json!({ "rooms": ["a".repeat(257)] }),
            "token_claim",
        ),
        row(
            "projects an object",
            json!({ "projects": {} }),
            "token_claim",
        ),
        row(
            "projects with a null",
            json!({ "projects": ["p1", null] }),
            "token_claim",
        ),
        row("name an object", json!({ "name": {} }), "token_claim"),
        row("jti a number", json!({ "jti": 1 }), "token_claim"),
    ]
}
