//! Tokens that nobody signed, or somebody else.

use super::*;

/// Tokens refused for a wrong header or signature.
pub(super) fn unsigned() -> Vec<Row> {
    let says = claims(json!({ "role": "admin" })).to_string();
    let hs = |header: Value, key: &[u8]| {
        made(
            &header,
            &says,
            &EncodingKey::from_secret(key),
            Algorithm::HS256,
        )
    };
    let plain = |header: Value| {
        format!(
            "{}.{}.",
            part(header.to_string().as_bytes()),
            part(says.as_bytes())
        )
    };
    let good = signed(&claims(json!({})), &secret(), Algorithm::HS256);
    let body = good.rsplit_once('.').expect("parts").0;
    let other = Pair::p256();
    let by = |header: Value| made(&header, &says, &other.signing(), Algorithm::ES256);
    let with_kid = |kid: &str| hs(json!({ "alg": "HS256", "kid": kid }), b"");
    let own_jwk = {
        let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&other.signing(), Algorithm::ES256);
        serde_json::to_value(jwk.expect("jwk")).expect("json")
    };
    vec![
        ("alg none", plain(json!({ "alg": "none" })), "token_header"),
        ("alg None", plain(json!({ "alg": "None" })), "token_header"),
        (
            "alg NONE, signed",
            hs(json!({ "alg": "NONE" }), SECRET.as_bytes()),
            "token_header",
        ),
        (
            "alg empty",
            hs(json!({ "alg": "" }), SECRET.as_bytes()),
            "token_header",
        ),
        (
            "alg a number",
            hs(json!({ "alg": 256 }), SECRET.as_bytes()),
            "token_header",
        ),
        (
            "no alg",
            hs(json!({ "typ": "JWT" }), SECRET.as_bytes()),
            "token_header",
        ),
        (
            "alg in lower case",
            hs(json!({ "alg": "hs256" }), SECRET.as_bytes()),
            "token_header",
        ),
        (
            "HS with the RSA key's PEM",
            hs(json!({ "alg": "HS256" }), RSA.public_pem.as_bytes()),
            "token_signature",
        ),
        (
            "HS with the RSA key's PEM, trimmed",
            hs(json!({ "alg": "HS256" }), RSA.public_pem.trim().as_bytes()),
            "token_signature",
        ),
        (
            "HS with the RSA key's DER",
            hs(json!({ "alg": "HS256" }), &RSA.public_der),
            "token_signature",
        ),
        (
            "HS with the EC key's PEM",
            hs(json!({ "alg": "HS256" }), P256.public_pem.as_bytes()),
            "token_signature",
        ),
        (
            "HS with the EC key's DER",
            hs(json!({ "alg": "HS256" }), &P256.public_der),
            "token_signature",
        ),
        (
            "HS with the Ed25519 key's DER",
            hs(json!({ "alg": "HS256" }), &ED.public_der),
            "token_signature",
        ),
        (
            "HS signature said to be RS",
            hs(json!({ "alg": "RS256" }), SECRET.as_bytes()),
            "token_signature",
        ),
        (
            "HS signature said to be ES",
            hs(json!({ "alg": "ES256" }), SECRET.as_bytes()),
            "token_signature",
        ),
        (
            "RS said to be PS",
            made(
                &json!({ "alg": "PS256" }),
                &says,
                &RSA.signing(),
                Algorithm::RS256,
            ),
            "token_signature",
        ),
        (
            "ES384 said to be ES256",
            made(
                &json!({ "alg": "ES256" }),
                &says,
                &P384.signing(),
                Algorithm::ES384,
            ),
            "token_signature",
        ),
        (
            "empty secret",
            hs(json!({ "alg": "HS256" }), b""),
            "token_signature",
        ),
        (
            "kid a path to nothing",
            with_kid("../../dev/null"),
            "token_signature",
        ),
        ("kid a path", with_kid("/etc/passwd"), "token_signature"),
        (
            "kid an injection",
            with_kid("' UNION SELECT ''; --"),
            "token_signature",
        ),
        (
            "kid not a string",
            hs(json!({ "alg": "HS256", "kid": ["a"] }), SECRET.as_bytes()),
            "token_header",
        ),
        (
            "brings its own jwk",
            by(json!({ "alg": "ES256", "jwk": own_jwk })),
            "token_signature",
        ),
        (
            "brings a jku",
            by(json!({ "alg": "ES256", "jku": "http://127.0.0.1:1/keys" })),
            "token_signature",
        ),
        (
            "brings an x5u",
            by(json!({ "alg": "ES256", "x5u": "http://127.0.0.1:1/cert" })),
            "token_signature",
        ),
        (
            "brings an x5c",
            by(json!({ "alg": "ES256", "x5c": [part(&other.public_der)] })),
            "token_signature",
        ),
        (
            "crit",
            hs(
                json!({ "alg": "HS256", "crit": ["b64"], "b64": false }),
                SECRET.as_bytes(),
            ),
            "token_crit",
        ),
        (
            "another key",
            by(json!({ "alg": "ES256" })),
            "token_signature",
        ),
        (
            "another's signature",
            format!("{body}.{}", part(&[7; 32])),
            "token_signature",
        ),
        (
            "signature cut",
            good[..good.len() - 4].to_owned(),
            "token_signature",
        ),
        ("signature gone", format!("{body}."), "token_signature"),
        (
            "signature twice",
            format!("{good}{}", part(&[7; 32])),
            "token_signature",
        ),
        (
            "ES signature of zeros",
            {
                let es = by(json!({ "alg": "ES256" }));
                let body = es.rsplit_once('.').expect("parts").0;
                format!("{body}.{}", part(&[0; 64]))
            },
            "token_signature",
        ),
    ]
}
