//! A receiver of the webhook's posts.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use aws_lc_rs::hmac;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post as route,
};
use data_encoding::HEXLOWER;
use kit::until;
use serde_json::Value;
use stoa::config::Config;
use tokio::{net::TcpListener, sync::Semaphore};

const SECRET: &str = "a secret of the webhook, as long as it must be";

/// A receiver of posts: it checks their signature and answers with one status after the other, the last one for ever.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    statuses: Arc<Mutex<Vec<u16>>>,
    got: Arc<Mutex<Vec<(String, Value)>>>,
    /// Each answer takes one.
    pub(crate) may_answer: Arc<Semaphore>,
}

impl Receiver {
    pub(crate) async fn answering(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let receiver = Self {
            address: listener.local_addr().expect("address"),
            statuses: Arc::new(Mutex::new(statuses.to_vec())),
            got: Arc::default(),
            may_answer: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        };
        let router = Router::new()
            .route("/hook", route(Self::take))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    async fn take(
        State(receiver): State<Self>,
        headers: HeaderMap,
        body: Bytes,
    ) -> (StatusCode, [(&'static str, &'static str); 1]) {
        let header = |name: &str| headers[name].to_str().expect("a text").to_owned();
        let time = header("x-stoa-timestamp");
        let age = kit::guarded::now().abs_diff(time.parse().expect("seconds"));
        assert!(age < 600, "{time}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let text = std::str::from_utf8(&body).expect("a text");
        let signature = header("x-stoa-signature");
        let signature = signature.strip_prefix("sha256=").expect("its kind");
        let signature = HEXLOWER.decode(signature.as_bytes()).expect("hex");
        let signed = format!("{time}.{text}");
        hmac::verify(&key, signed.as_bytes(), &signature).expect("the right signature");
        let post: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(post["delivery_id"], header("x-stoa-delivery").as_str());
        let got = (header("x-stoa-delivery"), post);
        receiver.got.lock().expect("lock").push(got);
        receiver.may_answer.acquire().await.expect("open").forget();
        let mut statuses = receiver.statuses.lock().expect("lock");
        let status = match statuses.len() {
            1 => statuses[0],
            _ => statuses.remove(0),
        };
        let status = StatusCode::from_u16(status).expect("a status");
        (status, [("location", "/elsewhere")])
    }

    pub(crate) fn settings(&self, config: &mut Config) {
        config.alerts.webhook_url = format!("http://{}/hook", self.address).into();
        config.alerts.webhook_secret = SECRET.into();
        config.alerts.webhook_backoff.set(0.01).expect("a time");
    }

    pub(crate) fn got(&self) -> Vec<(String, Value)> {
        self.got.lock().expect("lock").clone()
    }

    /// The alerts of all posts, once there are so many.
    pub(crate) async fn alerts(&self, count: usize) -> Vec<Value> {
        let got = until("posts", async || {
            Some(self.got()).filter(|got| got.len() >= count)
        });
        let alerts = got.await.into_iter().map(|(_, post)| post["alert"].clone());
        alerts.collect()
    }
}
