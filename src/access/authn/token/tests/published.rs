//! Published keys over real HTTP: rotation, failures, floods.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    provider::{Provider, issued, jwk, jwks},
    *,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again and again until it is so.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !so().await {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn keys_are_fetched_when_a_token_needs_them() {
    let provider = Provider::new().await;
    provider.publishes(jwks(&[
        jwk(&RSA, Algorithm::RS256, Some("rsa")),
        jwk(&P256, Algorithm::ES256, Some("ec")),
        jwk(&ED, Algorithm::EdDSA, Some("ed")),
    ]));
    let tokens = provider.tokens(|_| {});
    assert_eq!(provider.asked(), 0);
    for (pair, algorithm, kid) in [
        (&*RSA, Algorithm::RS256, "rsa"),
        (&*P256, Algorithm::ES256, "ec"),
        (&*ED, Algorithm::EdDSA, "ed"),
    ] {
        for kid in [Some(kid), None] {
            let token = issued(pair, algorithm, kid);
            tokens
                .examine(&token)
                .await
                .unwrap_or_else(|e| panic!("{algorithm:?}: {e}"));
        }
    }
    // A key has only one alg: RS256 is not PS256, though the key could do both.
    let token = issued(&RSA, Algorithm::PS256, Some("rsa"));
    assert_eq!(
        tokens.examine(&token).await.err(),
        Some(TokenError::UnknownKey)
    );
    // The kid of one key with the signature of another.
    let token = issued(&Pair::p256(), Algorithm::ES256, Some("ec"));
    assert_eq!(
        tokens.examine(&token).await.err(),
        Some(TokenError::Signature)
    );
    assert_eq!(provider.asked(), 1, "known kids fetch nothing");
    // HMAC is refused too, since no published key verifies it.
    let token = made(
        &json!({ "alg": "HS256", "kid": "new" }),
        "{}",
        &secret(),
        Algorithm::HS256,
    );
    assert_eq!(
        tokens.examine(&token).await.err(),
        Some(TokenError::UnknownKey)
    );
    assert_eq!(provider.asked(), 1);
    let state = tokens.jwks_state().expect("a provider");
    assert_eq!((state.fetches, state.failures, state.keys), (1, 0, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_rotated_while_a_thousand_tokens_are_verified() {
    let (old, new) = (Pair::p256(), Pair::p256());
    let (old_jwk, new_jwk) = (
        jwk(&old, Algorithm::ES256, Some("old")),
        jwk(&new, Algorithm::ES256, Some("new")),
    );
    let provider = Provider::new().await;
    provider.publishes(jwks(std::slice::from_ref(&old_jwk)));
    let tokens = provider.tokens(|config| config.jwks_refresh.set(1.0).unwrap());
    let refreshing = tokio::spawn(tokens.keep_fresh().expect("a provider"));
    let old_token = issued(&old, Algorithm::ES256, Some("old"));
    let new_token = issued(&new, Algorithm::ES256, Some("new"));
    until("the old key is known", async || {
        tokens.examine(&old_token).await.is_ok()
    })
    .await;

    let (verified, rotated) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (tokens, token) = (tokens.clone(), old_token.clone());
            let (verified, rotated) = (verified.clone(), rotated.clone());
            tokio::spawn(async move {
                // The task goes on beyond its thousand until a rotation has happened meanwhile.
                while verified.fetch_add(1, Ordering::SeqCst) < 1000
                    || !rotated.load(Ordering::SeqCst)
                {
                    tokens
                        .examine(&token)
                        .await
                        .expect("the old key is still published");
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    until("work has begun", async || {
        verified.load(Ordering::SeqCst) > 50
    })
    .await;
    assert_eq!(
        tokens.examine(&new_token).await.err(),
        Some(TokenError::UnknownKey)
    );
    provider.publishes(jwks(&[old_jwk, new_jwk.clone()]));
    until("the new key is known", async || {
        tokens.examine(&new_token).await.is_ok()
    })
    .await;
    rotated.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.expect("no token was refused");
    }
    assert!(verified.load(Ordering::SeqCst) >= 1000);

    provider.publishes(jwks(&[new_jwk]));
    until("the old key is forgotten", async || {
        tokens.examine(&new_token).await.expect("the new key stays");
        tokens.examine(&old_token).await == Err(TokenError::UnknownKey)
    })
    .await;
    refreshing.abort();
}

#[tokio::test]
async fn when_the_provider_fails_the_last_good_keys_are_kept() {
    let provider = Provider::new().await;
    provider.publishes(jwks(&[jwk(&P256, Algorithm::ES256, Some("good"))]));
    let tokens = provider.tokens(|config| {
        config.jwks_timeout.set(1.0).unwrap();
        config.jwks_max_bytes.set(10_000).unwrap();
    });
    let good = issued(&P256, Algorithm::ES256, Some("good"));
    let unknown = issued(&Pair::p256(), Algorithm::ES256, Some("unknown"));
    tokens.examine(&good).await.expect("fetched");
    let fails = async |what: &str| {
        let before = tokens.jwks_state().expect("a provider").failures;
        // An unknown kid asks the provider, once the cooldown is over.
        until(what, async || {
            assert_eq!(
                tokens.examine(&unknown).await.err(),
                Some(TokenError::UnknownKey),
                "{what}"
            );
            tokens.jwks_state().expect("a provider").failures > before
        })
        .await;
        tokens
            .examine(&good)
            .await
            .unwrap_or_else(|e| panic!("{what}: {e}"));
        tokens
            .jwks_state()
            .expect("a provider")
            .error
            .expect("an error")
    };
    let oct = json!({ "kty": "oct", "kid": "unknown", "k": part(SECRET.as_bytes()) });
    let long = jwks(&[json!({ "kty": "RSA", "x": "a".repeat(20_000) })]);
    let small_rsa = json!({ "kty": "RSA", "kid": "unknown", "n": part(&[0xff; 128]), "e": "AQAB" });
    let off_curve = json!({ "kty": "EC", "crv": "P-256", "kid": "unknown", "x": part(&[1; 32]), "y": part(&[1; 32]) });
    let mut encrypts = jwk(&P256, Algorithm::ES256, Some("unknown"));
    encrypts["use"] = json!("enc");
    let many = vec![jwk(&P256, Algorithm::ES256, None); 33];
    for (status, body, said) in [
        (500, vec![], "500"),
        (404, vec![], "404"),
        (302, vec![], "302"),
        (200, b"<html>".to_vec(), "no JWKS"),
        (200, b"{}".to_vec(), "no JWKS"),
        (200, vec![0xff; 100], "no JWKS"),
        (200, long, "more than 10000 bytes"),
        (200, jwks(&[]), "none of the 0"),
        (
            200,
            jwks(&[oct, small_rsa, off_curve, encrypts, json!("?")]),
            "none of the 5",
        ),
        (200, jwks(&many), "33 keys"),
    ] {
        provider.answers(status, body);
        let error = fails(said).await;
        assert!(error.contains(said), "{error}");
    }
    provider.falls_silent().await;
    let error = fails("silence").await;
    assert!(error.contains("timed out"), "{error}");
    provider.speaks_again();
    provider.goes_away().await;
    let error = fails("nothing listens").await;
    assert!(error.to_lowercase().contains("refused"), "{error}");
    assert!(!error.contains("http://"), "{error}");
}

#[tokio::test]
async fn until_the_provider_has_answered_nobody_can_say() {
    let provider = Provider::new().await;
    provider.publishes(jwks(&[jwk(&P256, Algorithm::ES256, Some("good"))]));
    provider.falls_silent().await;
    let own = file(&RSA.public_pem);
    let tokens = provider.tokens(|config| {
        config.jwks_timeout.set(0.1).unwrap();
        config.public_key_file = own.path().into();
        config.secret = SECRET.into();
    });
    let good = issued(&P256, Algorithm::ES256, Some("good"));
    let forged = issued(&Pair::p256(), Algorithm::ES256, Some("good"));
    // A key of our own fits the token and did not sign it; one of the provider's may have.
    let theirs = issued(&Pair::rsa(), Algorithm::RS256, None);
    for token in [&good, &forged, &theirs, &good] {
        let denied = tokens.examine(token).await.expect_err("who knows");
        assert_eq!(denied, TokenError::NoKeysYet);
        assert_eq!(
            (denied.reason(), denied.code()),
            ("jwks_unavailable", "unavailable")
        );
    }
    // A token signed by our own key is accepted without the provider.
    let by_own = issued(&RSA, Algorithm::RS256, None);
    tokens.examine(&by_own).await.expect("our own key");
    let hmac = EncodingKey::from_secret(b"another secret of thirty-two bytes");
    let hmac = signed(&claims(json!({})), &hmac, Algorithm::HS256);
    assert_eq!(
        tokens.examine(&hmac).await.err(),
        Some(TokenError::Signature)
    );
    provider.speaks_again();
    until("the keys are there", async || {
        tokens.examine(&good).await.is_ok()
    })
    .await;
    assert_eq!(
        tokens.examine(&forged).await.err(),
        Some(TokenError::Signature)
    );
    assert_eq!(
        tokens.examine(&theirs).await.err(),
        Some(TokenError::Signature)
    );
}

#[tokio::test]
async fn a_flood_of_unknown_keys_is_one_fetch_a_cooldown() {
    let provider = Provider::new().await;
    provider.publishes(jwks(&[jwk(&P256, Algorithm::ES256, Some("good"))]));
    let forger = Pair::p256();
    let flood = async |tokens: &Arc<Tokens>, round: usize| {
        let all = (0..100).map(|n| {
            let token = issued(&forger, Algorithm::ES256, Some(&format!("{round}-{n}")));
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.examine(&token).await })
        });
        for one in all.collect::<Vec<_>>() {
            assert_eq!(one.await.expect("ends").err(), Some(TokenError::UnknownKey));
        }
    };
    // Requests that come at once, while the provider takes its time, wait for one and the same fetch.
    let tokens = provider.tokens(|config| config.jwks_cooldown.set(3600.0).unwrap());
    for round in 0..3 {
        flood(&tokens, round).await;
    }
    assert_eq!(provider.asked(), 1);
    // A cooldown that ends allows as many fetches as fit.
    let cooldown = Duration::from_millis(200);
    let tokens =
        provider.tokens(|config| config.jwks_cooldown.set(cooldown.as_secs_f64()).unwrap());
    let before = provider.asked();
    let start = Instant::now();
    for round in 0.. {
        flood(&tokens, round).await;
        if start.elapsed() > 3 * cooldown && provider.asked() - before >= 2 {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "never asked again");
    }
    let asked = provider.asked() - before;
    let fit = start.elapsed().as_millis() / cooldown.as_millis() + 1;
    assert!(
        asked >= 2 && u128::from(asked) <= fit,
        "{asked} in {:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_fetch_goes_on_when_who_began_it_is_gone() {
    let provider = Provider::new().await;
    provider.publishes(jwks(&[jwk(&P256, Algorithm::ES256, Some("good"))]));
    provider.falls_silent().await;
    let tokens = provider.tokens(|config| config.jwks_cooldown.set(3600.0).unwrap());
    let good = issued(&P256, Algorithm::ES256, Some("good"));
    let ask = || {
        let (tokens, good) = (tokens.clone(), good.clone());
        tokio::spawn(async move { tokens.examine(&good).await })
    };
    let first = ask();
    until("the provider is asked", async || provider.asked() == 1).await;
    let second = ask();
    first.abort();
    first.await.expect_err("gone");
    provider.speaks_again();
    second
        .await
        .expect("ends")
        .expect("the same fetch brought the key");
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn keys_without_names_serve_tokens_that_name_none_of_the_others() {
    let (plain, named) = (Pair::p256(), Pair::p256());
    let provider = Provider::new().await;
    provider.publishes(jwks(&[
        jwk(&plain, Algorithm::ES256, None),
        jwk(&named, Algorithm::ES256, Some("named")),
    ]));
    let tokens = provider.tokens(|_| {});
    for (pair, kid, good) in [
        (&plain, None, true),
        (&plain, Some("whatever"), true),
        (&plain, Some("named"), false),
        (&named, None, true),
        (&named, Some("named"), true),
        (&named, Some("whatever"), false),
    ] {
        let token = issued(pair, Algorithm::ES256, kid);
        assert_eq!(tokens.examine(&token).await.is_ok(), good, "{kid:?}");
    }
}

#[tokio::test]
async fn https_is_spoken_and_a_stranger_is_not_believed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds");
    let address = listener.local_addr().expect("address");
    let greeted = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accepts");
        let mut hello = [0; 3];
        stream.read_exact(&mut hello).await.expect("a hello");
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}")
            .await
            .ok();
        hello
    });
    let config = Authentication {
        jwks_url: format!("https://{address}/keys"),
        ..Authentication::default()
    };
    let tokens = Tokens::new(&config).expect("keys");
    let token = issued(&P256, Algorithm::ES256, Some("any"));
    assert_eq!(
        tokens.examine(&token).await.err(),
        Some(TokenError::NoKeysYet)
    );
    // The record of a TLS handshake: not a byte of the request goes out before it.
    assert_eq!(greeted.await.expect("ends")[..2], [0x16, 0x03]);
    assert_eq!(tokens.jwks_state().expect("a provider").failures, 1);
}
