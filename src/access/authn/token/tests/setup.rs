//! Settings that stop the start, and secrets that are never shown.

use super::*;

fn refused(change: impl FnOnce(&mut Authentication)) -> String {
    let mut config = Authentication::default();
    change(&mut config);
    let message = Tokens::new(&config).expect_err("refused").to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn a_file_that_holds_no_public_key_is_named_with_what_to_do() {
    let certificate = pem::encode(&Pem::new("CERTIFICATE", vec![0x30, 0]));
    let broken = pem::encode(&Pem::new("PUBLIC KEY", vec![0x30, 3, 2, 1, 1]));
    for (text, said) in [
        (RSA.private_pem.as_str(), "-pubout"),
        (certificate.as_str(), "openssl x509"),
        (broken.as_str(), "not RSA"),
        ("ssh-ed25519 AAAA", "no key in PEM"),
        ("-----BEGIN PUBLIC KEY-----", "no key in PEM"),
        ("", "no key in PEM"),
        (&"x".repeat(100_000), "too large"),
    ] {
        let file = file(text);
        let path = file.path().display().to_string();
        let message = refused(|config| config.public_key_file = file.path().into());
        assert!(
            message.contains(said) && message.contains(&path),
            "{message}"
        );
        assert!(message.contains("public_key_file"), "{message}");
    }
    // One bad key among good ones is not passed over: whoever put it there counts on it.
    let mixed = file(&format!("{}{}", RSA.public_pem, P256.private_pem));
    let message = refused(|config| config.public_key_file = mixed.path().into());
    assert!(message.contains("private key"), "{message}");
    let message = refused(|config| config.public_key_file = "/no/such.pem".into());
    assert!(
        message.contains("/no/such.pem") && message.contains("can't be read"),
        "{message}"
    );
}

#[test]
fn a_secret_that_can_be_guessed_is_refused() {
    let short = "x".repeat(7);
    let message = refused(|config| config.secret = short.as_str().into());
    assert!(
        message.contains("7 bytes") && message.contains("openssl"),
        "{message}"
    );
    assert!(!message.contains(&short));
    for text in [short.as_str(), "\n", ""] {
        let file = file(text);
        let message = refused(|config| config.secret_file = file.path().into());
        assert!(message.contains("secret_file"), "{message}");
    }
    let message = refused(|config| config.secret_file = "/no/such/secret".into());
    assert!(message.contains("/no/such/secret"), "{message}");
}

#[test]
fn where_others_can_connect_a_short_secret_is_not_taken_by_a_change_either() {
    let file = file(SECRET);
    let config = Authentication {
        secret_file: file.path().into(),
        ..Authentication::default()
    };
    let exposed = Tokens::exposed(&config).expect("long enough");
    let here = Tokens::new(&config).expect("long enough");
    let token = signed(&claims(json!({})), &secret(), Algorithm::HS256);
    for tokens in [&exposed, &here] {
        assert_eq!(tokens.files().collect::<Vec<_>>(), [KeyFile::Secret]);
        assert_eq!(tokens.reload(KeyFile::Secret), Ok(false));
        assert!(examine(tokens, &token).is_ok());
    }
    std::fs::write(file.path(), "twenty bytes, say so").expect("writes");
    let error = exposed
        .reload(KeyFile::Secret)
        .expect_err("too short")
        .to_string();
    assert!(error.contains("20 bytes"), "{error}");
    // A second reload of the same file gives the same error, and the last good one stays.
    assert!(exposed.reload(KeyFile::Secret).is_err());
    assert!(examine(&exposed, &token).is_ok());
    assert_eq!(here.reload(KeyFile::Secret), Ok(true));
    assert_eq!(examine(&here, &token).err(), Some(TokenError::Signature));
}

#[test]
fn nothing_that_is_printed_holds_a_secret() {
    let config = Authentication {
        secret: SECRET.into(),
        jwks_url: "http://127.0.0.1:1/keys".into(),
        ..Authentication::default()
    };
    let tokens = Tokens::new(&config).expect("keys");
    let signer = Signer::with_secret(&config).expect("secret");
    for shown in [
        format!("{config:?}"),
        format!("{config:#?}"),
        format!("{tokens:?}"),
        format!("{signer:?}"),
    ] {
        assert!(!shown.contains("0123456789"), "{shown}");
        // The same as a list of bytes.
        assert!(!shown.contains("48, 49, 50"), "{shown}");
    }
}

#[test]
fn a_file_that_can_not_sign_is_named_with_what_to_do() {
    let old = pem::encode(&Pem::new("EC PRIVATE KEY", vec![0x30, 0]));
    let locked = pem::encode(&Pem::new("ENCRYPTED PRIVATE KEY", vec![0x30, 0]));
    let broken = pem::encode(&Pem::new("PRIVATE KEY", vec![0x30, 0]));
    for (text, said) in [
        (P256.public_pem.as_str(), "no private key"),
        (old.as_str(), "pkcs8"),
        (locked.as_str(), "encrypted"),
        (broken.as_str(), "not RSA"),
        ("", "no private key"),
    ] {
        let file = file(text);
        let config = Authentication::default();
        let error = Signer::with_key_file(file.path(), &config).expect_err("refused");
        assert!(error.to_string().contains(said), "{error}");
    }
    let error = Signer::with_secret(&Authentication::default()).expect_err("no secret");
    assert!(
        error.to_string().contains("STOA_AUTHENTICATION__SECRET"),
        "{error}"
    );
}
