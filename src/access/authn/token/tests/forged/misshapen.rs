//! Texts without the form of a token.

use super::*;

/// Tokens refused for their form.
pub(super) fn misshapen() -> Vec<Row> {
    let good = signed(&claims(json!({})), &secret(), Algorithm::HS256);
    let twice = r#"{"alg":"HS256","alg":"none"}"#;
    let doubled = format!(
        "{}.{}.{}",
        part(twice.as_bytes()),
        part(b"{}"),
        part(&[1; 32])
    );
    let raw = |claims: &str| {
        made(
            &json!({ "alg": "HS256" }),
            claims,
            &secret(),
            Algorithm::HS256,
        )
    };
    vec![
        ("empty", String::new(), "token_empty"),
        ("two dots", "..".into(), "token_malformed"),
        ("one dot", ".".into(), "token_malformed"),
        ("a word", "admin".into(), "token_malformed"),
        ("four parts", format!("{good}.x"), "token_malformed"),
        (
            "five parts, as if encrypted",
            "e30.e30.e30.e30.e30".into(),
            "token_malformed",
        ),
        (
            "garbage",
            "\u{0}\u{fffd}\u{1F980}.\u{202e}.\n".into(),
            "token_header",
        ),
        (
            "no claims",
            format!("{}..{}", part(b"{\"alg\":\"HS256\"}"), part(&[1; 32])),
            "token_malformed",
        ),
        (
            "header that is no JSON",
            format!("{}.e30.e30", part(b"{")),
            "token_header",
        ),
        ("header with alg twice", doubled, "token_header"),
        ("padding", format!("{good}="), "token_signature"),
        ("a space before", format!(" {good}"), "token_header"),
        ("a line end behind", format!("{good}\n"), "token_signature"),
        ("Bearer", format!("Bearer {good}"), "token_header"),
        ("claims a list", raw("[]"), "token_malformed"),
        (
            "claims a list of what an object would hold",
            raw(r#"["ann","admin",["*"],["*"],"Ann",99999999999,0,0,"i","a","j"]"#),
            "token_malformed",
        ),
        ("claims a string", raw("\"exp\""), "token_malformed"),
        ("claims no JSON", raw("exp"), "token_malformed"),
        (
            "claims not UTF-8 JSON",
            raw("{\"exp\":99999999999,\"a\":\"\u{1}\"}"),
            "token_malformed",
        ),
        (
            "exp twice",
            raw(r#"{"exp":1,"exp":99999999999}"#),
            "token_malformed",
        ),
        (
            "deep claims",
            raw(&format!(
                "{{\"exp\":99999999999,\"rooms\":{}1{}}}",
                "[".repeat(1000),
                "]".repeat(1000)
            )),
            "token_malformed",
        ),
        (
            "huge",
            format!("{}.{}", "a".repeat(8 << 20), good),
            "token_too_long",
        ),
        (
            "one byte too long",
            format!("{good}.{}", "a".repeat(8192 - good.len())),
            "token_too_long",
        ),
    ]
}
