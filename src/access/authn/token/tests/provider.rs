//! An identity provider: a real HTTP server that publishes what a test wants, and counts who asks.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, extract::State, response::Response, routing::get};
use jsonwebtoken::jwk::Jwk;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};

use super::*;

/// The answer that the provider gives.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// Providers fail in more ways than by being gone.
    status: u16,
    /// A JWKS, or what takes its place.
    body: Vec<u8>,
}

/// A provider at work.
pub(super) struct Provider {
    address: SocketAddr,
    /// The state that the test changes while the provider runs.
    state: Arc<Shared>,
    /// Ended by tests of a provider that is gone.
    serving: JoinHandle<()>,
}

struct Shared {
    /// The answer to the next request.
    answer: Mutex<Answer>,
    /// The number of requests, which a flood of tokens must not raise.
    asked: AtomicU64,
    /// An answer takes one of these: a test that takes them away makes the provider slow.
    may_answer: Semaphore,
}

async fn answer(State(state): State<Arc<Shared>>) -> Response {
    state.asked.fetch_add(1, Ordering::SeqCst);
    state.may_answer.acquire().await.expect("open").forget();
    state.may_answer.add_permits(1);
    let answer = state.answer.lock().expect("lock").clone();
    Response::builder()
        .status(answer.status)
        .header("location", "http://127.0.0.1:1/elsewhere")
        .body(answer.body.into())
        .expect("an answer")
}

impl Provider {
    pub(super) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("address");
        let state = Arc::new(Shared {
            answer: Mutex::new(Answer {
                status: 200,
                body: jwks(&[]),
            }),
            asked: AtomicU64::new(0),
            may_answer: Semaphore::new(1),
        });
        let router = Router::new()
            .route("/keys", get(answer))
            .with_state(state.clone());
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Self {
            address,
            state,
            serving,
        }
    }

    pub(super) fn publishes(&self, body: Vec<u8>) {
        self.answers(200, body);
    }

    pub(super) fn answers(&self, status: u16, body: Vec<u8>) {
        *self.state.answer.lock().expect("lock") = Answer { status, body };
    }

    pub(super) fn asked(&self) -> u64 {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// The provider takes requests and answers none of them.
    pub(super) async fn falls_silent(&self) {
        self.state
            .may_answer
            .acquire()
            .await
            .expect("open")
            .forget();
    }

    pub(super) fn speaks_again(&self) {
        self.state.may_answer.add_permits(1);
    }

    /// Nothing listens there any more.
    pub(super) async fn goes_away(self) {
        self.serving.abort();
        self.serving.await.ok();
    }

    /// A server that trusts it, with times as short as tests need them.
    pub(super) fn tokens(&self, change: impl FnOnce(&mut Authentication)) -> Arc<Tokens> {
        let mut config = Authentication {
            jwks_url: format!("http://{}/keys", self.address),
            jwks_cooldown: 0.1_f64.try_into().unwrap(),
            jwks_refresh: 3600.0_f64.try_into().unwrap(),
            ..Authentication::default()
        };
        change(&mut config);
        Arc::new(Tokens::new(&config).expect("keys"))
    }
}

/// A published key.
pub(super) fn jwk(pair: &Pair, algorithm: Algorithm, kid: Option<&str>) -> Value {
    let mut jwk = Jwk::from_encoding_key(&pair.signing(), algorithm).expect("jwk");
    jwk.common.key_id = kid.map(str::to_owned);
    serde_json::to_value(jwk).expect("json")
}

/// The JSON that the provider publishes.
pub(super) fn jwks(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// A token of a provider: with a `kid`, if its key has one.
pub(super) fn issued(pair: &Pair, algorithm: Algorithm, kid: Option<&str>) -> String {
    let mut header = json!({ "alg": format!("{algorithm:?}") });
    if let Some(kid) = kid {
        header["kid"] = json!(kid);
    }
    made(
        &header,
        &claims(json!({})).to_string(),
        &pair.signing(),
        algorithm,
    )
}
