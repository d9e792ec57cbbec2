//! Tokens that must be believed: every algorithm, every key that there is a file for.

use std::time::Duration;

use super::*;

#[test]
fn every_algorithm_with_a_key_of_its_kind() {
    let tokens = tokens();
    let table = [
        (Algorithm::HS256, secret()),
        (Algorithm::HS384, secret()),
        (Algorithm::HS512, secret()),
        (Algorithm::RS256, RSA.signing()),
        (Algorithm::RS384, RSA.signing()),
        (Algorithm::RS512, RSA.signing()),
        (Algorithm::PS256, RSA.signing()),
        (Algorithm::PS384, RSA.signing()),
        (Algorithm::PS512, RSA.signing()),
        (Algorithm::ES256, P256.signing()),
        (Algorithm::ES384, P384.signing()),
        (Algorithm::EdDSA, ED.signing()),
    ];
    for (algorithm, key) in table {
        let token = signed(&claims(json!({ "role": "operator" })), &key, algorithm);
        let believed = examine(&tokens, &token).unwrap_or_else(|e| panic!("{algorithm:?}: {e}"));
        assert_eq!(believed.user.as_deref(), Some("ann"), "{algorithm:?}");
        assert_eq!(believed.role, Role::Operator, "{algorithm:?}");
        assert!(!believed.api_key);
    }
}

#[test]
fn a_second_signature_of_the_same_claims_is_the_same_token_by_name() {
    let tokens = tokens();
    let says = claims(json!({}));
    // ECDSA signs anew each time; a revocation of the one must hold for the other.
    let one = signed(&says, &P256.signing(), Algorithm::ES256);
    let other = signed(&says, &P256.signing(), Algorithm::ES256);
    assert_ne!(one, other);
    let id = |token| examine(&tokens, token).expect("good").id;
    assert_eq!(id(&one), id(&other));
    let third = signed(
        &claims(json!({ "sub": "bob" })),
        &P256.signing(),
        Algorithm::ES256,
    );
    assert_ne!(id(&one), id(&third));
    assert_eq!(id(&one).as_str().len(), 32);
}

#[test]
fn a_kid_that_no_key_has_does_not_shut_out_keys_without_one() {
    let header = json!({ "alg": "HS256", "kid": "main" });
    let token = made(
        &header,
        &claims(json!({})).to_string(),
        &secret(),
        Algorithm::HS256,
    );
    assert!(examine(&tokens(), &token).is_ok());
}

#[test]
fn while_a_secret_is_changed_both_are_believed() {
    let old = file(&format!("{}\n", "o".repeat(40)));
    let config = Authentication {
        secret: SECRET.into(),
        secret_file: old.path().into(),
        ..Authentication::default()
    };
    let tokens = Tokens::new(&config).expect("keys");
    for key in [SECRET.to_owned(), "o".repeat(40)] {
        let key = EncodingKey::from_secret(key.as_bytes());
        let token = signed(&claims(json!({})), &key, Algorithm::HS256);
        assert!(examine(&tokens, &token).is_ok());
    }
    let other = EncodingKey::from_secret("x".repeat(40).as_bytes());
    let token = signed(&claims(json!({})), &other, Algorithm::HS256);
    assert_eq!(examine(&tokens, &token).err(), Some(TokenError::Signature));
}

#[test]
fn what_is_minted_is_believed_and_says_what_was_granted() {
    let issuer = "https://login.example".to_owned();
    let mut config = Authentication {
        secret: SECRET.into(),
        issuer,
        audience: "stoa".into(),
        ..Authentication::default()
    };
    let keys = [&*RSA, &*P256, &*P384, &*ED];
    let public = file(&keys.map(|pair| pair.public_pem.as_str()).concat());
    config.public_key_file = public.path().into();
    let tokens = Tokens::new(&config).expect("keys");
    let grant = Grant {
        user: Some("ann@example.org".into()),
        name: Some("Ann".into()),
        role: Role::Producer,
        rooms: Some(vec!["project:*".into()]),
        projects: Some(vec!["p1".into()]),
        agents: Some(vec!["writer".into()]),
        ttl: Duration::from_secs(90),
    };
    let mut signers = vec![Signer::with_secret(&config).expect("secret")];
    for pair in keys {
        let private = file(&pair.private_pem);
        signers.push(Signer::with_key_file(private.path(), &config).expect("private key"));
    }
    for signer in signers {
        let token = signer.sign(&grant).expect("signs");
        let says = examine(&tokens, &token).expect("believed");
        assert_eq!(says.user.as_deref(), Some("ann@example.org"));
        assert_eq!(says.name.as_deref(), Some("Ann"));
        assert_eq!(says.role, Role::Producer);
        assert_eq!(says.rooms, Some(vec!["project:*".to_owned()]));
        assert_eq!(says.projects, Some(vec!["p1".to_owned()]));
        assert_eq!(says.agents, Some(vec!["writer".to_owned()]));
        let (from, until) = (says.issued.expect("iat"), says.expires.expect("exp"));
        assert_eq!(until, from + Duration::from_secs(90));
    }
    let wrong = Grant {
        user: Some("no spaces".into()),
        ..grant
    };
    let signer = Signer::with_secret(&config).expect("secret");
    let error = signer.sign(&wrong).expect_err("refused").to_string();
    assert!(error.contains("sub must be"), "{error}");
}

#[test]
fn an_api_key_is_known_by_its_hash() {
    let new = NewApiKey::make().expect("random bytes");
    let other = NewApiKey::make().expect("random bytes");
    assert!(new.key.len() >= 5 + 43 && new.key.starts_with("stoa_") && new.key != other.key);
    assert!(!format!("{new:?}").contains(&new.key));
    let config = Authentication {
        api_keys: vec![crate::config::ApiKeyConfig {
            name: "backend".into(),
            hash: new.hash.clone(),
            role: Role::Producer,
            projects: vec!["shop-*".into()],
            rooms: vec![],
            agents: vec!["writer".into()],
        }],
        ..Authentication::default()
    };
    let tokens = Tokens::new(&config).expect("keys");
    assert!(!tokens.is_empty());
    let says = examine(&tokens, &new.key).expect("known");
    assert!(says.api_key && says.expires.is_none() && says.user.is_none());
    assert_eq!(
        (says.role, says.name.as_deref()),
        (Role::Producer, Some("backend"))
    );
    assert_eq!(
        (says.projects, says.rooms),
        (Some(vec!["shop-*".to_owned()]), None)
    );
    assert_eq!(says.agents, Some(vec!["writer".to_owned()]));
    assert!(new.hash["sha256:".len()..].starts_with(says.id.as_str()));
    for wrong in [
        &other.key,
        &new.key[..new.key.len() - 1],
        "stoa_",
        &new.hash,
    ] {
        let denied = examine(&tokens, wrong).expect_err("unknown");
        assert_eq!(denied.code(), "unauthorized");
    }
}
