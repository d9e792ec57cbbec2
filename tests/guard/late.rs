//! A provider of keys that answers late: until it does, nobody can say whether its tokens are good.

use std::{net::SocketAddr, sync::Arc};

use crate::guard::refused;
use axum::{Router, extract::State, routing::get};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use kit::guarded::{guarded, now, request};
use kit::raw::{End, FINAL, Raw, frame, text};
use kit::{Client, polling::Polling, wait_for};
use rcgen::KeyPair;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpListener, sync::Semaphore, task::JoinHandle};

/// A provider that answers with its keys as often as it may, and at first never.
struct Provider {
    key: EncodingKey,
    address: SocketAddr,
    /// One for each question.
    asked: Arc<Semaphore>,
    /// One for each answer that it may give.
    may_answer: Arc<Semaphore>,
    serves: JoinHandle<()>,
}

impl Provider {
    async fn start() -> Self {
        let key = private_key();
        let jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a JWK");
        let keys = json!({ "keys": [jwk] }).to_string();
        let (asked, may_answer) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let answer = async move |State((asked, may)): State<(Arc<Semaphore>, Arc<Semaphore>)>| {
            asked.add_permits(1);
            may.acquire().await.expect("open").forget();
            keys
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let router = Router::new()
            .route("/keys", get(answer))
            .with_state((asked.clone(), may_answer.clone()));
        let serves = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Self {
            key,
            address,
            asked,
            may_answer,
            serves,
        }
    }

    fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }
}

fn private_key() -> EncodingKey {
    let pem = KeyPair::generate().expect("a pair").serialize_pem();
    EncodingKey::from_ec_pem(pem.as_bytes()).expect("a private key")
}

fn signed(key: &EncodingKey) -> String {
    let claims = json!({ "sub": "ann", "exp": now() + 600 });
    encode(&Header::new(Algorithm::ES256), &claims, key).expect("signs")
}

/// A token that the provider's keys are needed for.
fn token() -> String {
    signed(&private_key())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_before_the_providers_keys_is_told_to_try_again() {
    let provider = Provider::start().await;
    let server = guarded(|config| {
        config.authentication.secret = "".into();
        config.authentication.jwks_url = provider.url();
        config.authentication.jwks_timeout.set(0.2).unwrap();
        config.authentication.jwks_cooldown.set(0.1).unwrap();
    })
    .await;
    let address = server.address();
    let token = signed(&provider.key);
    let auth = json!({ "token": token });
    assert_eq!(refused(address, auth.clone()).await, "unavailable");
    let (status, answer) = request("GET", address, "/api/v1/state", &token, None).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (503, &json!("unavailable")),
        "{answer}"
    );
    let (_, ready) = kit::get(address, "/readyz").await;
    assert_eq!(
        (&ready["status"], &ready["parts"]["keys"]["status"]),
        (&json!("ready"), &json!("missing"))
    );
    // A fault that no key of the provider could ever mend is still the token's own.
    let forged = json!({ "token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln" });
    assert_eq!(refused(address, forged).await, "unauthorized");
    let text = server.metrics().text();
    for counted in [
        "stoa_tokens_denied_total{reason=\"jwks_unavailable\"} 2",
        "stoa_requests_refused_total{door=\"connect\",code=\"unavailable\"} 1",
        "stoa_requests_refused_total{door=\"http\",code=\"unavailable\"} 1",
    ] {
        assert!(text.contains(counted), "{counted}: {text}");
    }
    provider.may_answer.add_permits(1_000);
    wait_for("the same token to be good", async || {
        request("GET", address, "/api/v1/state", &token, None)
            .await
            .0
            == 200
    })
    .await;
    let (_, ready) = kit::get(address, "/readyz").await;
    let keys = &ready["parts"]["keys"];
    assert_eq!((&keys["status"], &keys["keys"]), (&json!("ok"), &json!(1)));
    let (_client, hello) = Client::connect(address, auth).await;
    assert_eq!(hello["user"], "ann");
    server.shutdown().await;
    provider.serves.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_pings_while_the_provider_is_waited_for_is_not_silent() {
    let provider = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let silent = provider.local_addr().expect("an address");
    let server = guarded(|config| {
        config.authentication.required = false;
        config.authentication.secret = "".into();
        config.authentication.jwks_url = format!("http://{silent}/keys");
        config.authentication.jwks_timeout.set(4.0).unwrap();
        config.server.ping_interval.set(1.0).unwrap();
        config.server.ping_timeout.set(1.0).unwrap();
    })
    .await;
    let token = token();
    let (mut client, _) = Client::connect(server.address(), json!({})).await;
    let auth = json!({ "token": token });
    client.send_text(&format!("40/admin,{auth}")).await;
    // Each ping is answered as it comes.
    let refusal = loop {
        let text = client.text().await.expect("the connection lasts");
        if text.starts_with("44/admin,") {
            break text;
        }
    };
    assert!(refusal.contains("unavailable"), "{refusal}");
    assert_eq!(client.call("ping", json!(null)).await["status"], "ok");
    drop(provider);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_the_provider_is_waited_for_is_gone_at_once() {
    let provider = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let silent = provider.local_addr().expect("an address");
    let server = guarded(|config| {
        config.authentication.secret = "".into();
        config.authentication.jwks_url = format!("http://{silent}/keys");
        // As long as may be: nobody waits for it here.
        config.authentication.jwks_timeout.set(60.0).unwrap();
    })
    .await;
    let address = server.address();
    let connect = text(&format!("40{}", json!({ "token": token() })));
    let mut asked = Vec::new();
    for _ in 0..4 {
        let mut raw = Raw::open(address).await;
        raw.send(&connect).await.expect("sends");
        asked.push(raw);
    }
    let [cut, closes, leaves, asks] = asked.as_mut_slice() else {
        unreachable!("four")
    };
    let begun = std::time::Instant::now();
    cut.stream.shutdown().await.expect("shuts down");
    assert_eq!(cut.end().await, End::Cut);
    // A sign of life before the end is no reason to wait.
    let end = [text("3"), frame(FINAL | 0x8, &[0x03, 0xe8])];
    closes.send(&end.concat()).await.expect("sends");
    assert_eq!(closes.end().await, End::Closed(Some(1000)));
    leaves.send(&text("1")).await.expect("sends");
    assert_eq!(leaves.end().await, End::Closed(None));
    assert!(begun.elapsed() < std::time::Duration::from_secs(30));
    // A client that asks for more before it goes is still to be answered.
    asks.send(&text("421[\"ping\"]")).await.expect("sends");
    asks.stream.shutdown().await.expect("shuts down");
    drop(provider);
    asks.wait_for("44").await;
    server.shutdown().await;
}

/// A session that becomes a WebSocket while its CONNECT is judged.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_may_be_over_before_the_provider_answers() {
    let provider = Provider::start().await;
    let server = guarded(|config| {
        config.authentication.required = false;
        config.authentication.secret = "".into();
        config.authentication.jwks_url = provider.url();
        config.authentication.jwks_timeout.set(60.0).unwrap();
    })
    .await;
    let address = server.address();
    let token = signed(&provider.key);
    // The keys that are asked for at the start don't come either.
    let session = Polling::open(address, 4).await;
    assert_eq!(
        session
            .send(&format!("40{}", json!({ "token": token })))
            .await,
        200
    );
    provider.asked.acquire().await.expect("open").forget();
    let mut raw = session.upgrade().await;
    assert!(!session.heard().contains("40{"), "{}", session.heard());
    provider.may_answer.add_permits(1_000);
    raw.wait_for("40{").await;
    raw.wait_for("42[\"connection_established\"").await;
    session.until_engine_has_forgotten_it().await;
    raw.send(&text("421[\"ping\",{}]")).await.expect("sends");
    raw.wait_for("431[").await;
    server.shutdown().await;
    provider.serves.abort();
}
