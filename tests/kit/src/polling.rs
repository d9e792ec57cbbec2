//! A client that polls, request by request.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Client;
use tokio::task::JoinHandle;

use crate::{
    PATIENCE,
    raw::{Raw, text},
};

/// A session that is polled all the time.
#[derive(Debug)]
pub struct Polling {
    pub url: String,
    pub sid: String,
    pub version: u8,
    /// One for all requests: making one reads the system's certificates, unless it is told of none.
    pub http: Client,
    /// Polls that were answered.
    pub polls: Arc<AtomicUsize>,
    /// All that came.
    heard: Arc<Mutex<String>>,
    /// Whether no further poll is to begin.
    is_paused: Arc<AtomicBool>,
    polling: JoinHandle<()>,
}

impl Polling {
    /// Opens a session and joins `/`, and says nothing more.
    pub async fn join(address: SocketAddr, version: u8) -> Self {
        Self::join_with(address, version, "").await
    }

    /// The same with an `auth` payload, which version 4 has.
    pub async fn join_with(address: SocketAddr, version: u8, auth: &str) -> Self {
        let session = Self::open(address, version).await;
        if version == 4 {
            session.send(&format!("40{auth}")).await;
        }
        session.wait_for("connection_established").await;
        session
    }

    /// Opens a session, and joins nothing.
    pub async fn open(address: SocketAddr, version: u8) -> Self {
        let url = format!("http://{address}/socket.io/?EIO={version}&transport=polling");
        let http = Client::builder().tls_certs_only([]).build();
        let http = http.expect("a client");
        let opened = http.get(&url).send().await.expect("opens");
        let opened = opened.text().await.expect("text");
        let (_, rest) = opened.split_once("\"sid\":\"").expect("a session");
        let sid = rest.split('"').next().expect("its end").to_owned();
        let url = format!("{url}&sid={sid}");
        let (polls, heard) = <(Arc<AtomicUsize>, Arc<Mutex<String>>)>::default();
        let is_paused = Arc::new(AtomicBool::new(false));
        let polling = poll(
            http.clone(),
            url.clone(),
            polls.clone(),
            heard.clone(),
            version,
            is_paused.clone(),
        );
        let polling = tokio::spawn(polling);
        Self {
            url,
            sid,
            version,
            http,
            polls,
            heard,
            is_paused,
            polling,
        }
    }

    /// Makes the session a WebSocket, as clients do by default.
    pub async fn upgrade(&self) -> Raw {
        let address = self.url.split('/').nth(2).expect("a host").parse();
        let query = format!("EIO={}&transport=websocket&sid={}", self.version, self.sid);
        let (mut raw, head) = Raw::upgrade(address.expect("an address"), &query, "").await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        raw.send(&text("2probe")).await.expect("sends");
        raw.wait_for("3probe").await;
        // Nothing may be under way by polling when the client confirms.
        self.is_paused.store(true, Ordering::SeqCst);
        let started = Instant::now();
        while !self.polling.is_finished() {
            assert!(started.elapsed() < PATIENCE, "the last poll has no end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        raw.send(&text("5")).await.expect("sends");
        raw
    }

    /// Waits until the engine has no session with this id, which has gone on without it.
    pub async fn until_engine_has_forgotten_it(&self) {
        let started = Instant::now();
        loop {
            let answer = self.http.get(&self.url).send().await.expect("an answer");
            let text = answer.text().await.expect("text");
            if text.contains("Session ID unknown") {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "it is still there: {text}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends a packet; the status.
    pub async fn send(&self, packet: &str) -> u16 {
        let body = match self.version {
            3 => format!("{}:{packet}", packet.encode_utf16().count()),
            _ => packet.to_owned(),
        };
        let post = self.http.post(&self.url).body(body);
        let post = post.header("content-type", "text/plain;charset=UTF-8");
        post.send().await.expect("an answer").status().as_u16()
    }

    /// Waits until this came.
    pub async fn wait_for(&self, what: &str) {
        let started = Instant::now();
        while !self.heard.lock().expect("no panic").contains(what) {
            assert!(
                started.elapsed() < PATIENCE,
                "no {what}: {:?}",
                self.heard.lock()
            );
            assert!(
                !self.polling.is_finished(),
                "the session is over: {:?}",
                self.heard.lock()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// All that came up to now.
    pub fn heard(&self) -> String {
        self.heard.lock().expect("no panic").clone()
    }

    /// The number of its polls.
    pub fn polls(&self) -> usize {
        self.polls.load(Ordering::SeqCst)
    }
}

async fn poll(
    client: Client,
    url: String,
    polls: Arc<AtomicUsize>,
    heard: Arc<Mutex<String>>,
    version: u8,
    is_paused: Arc<AtomicBool>,
) {
    while !is_paused.load(Ordering::SeqCst) {
        let Ok(answer) = client.get(&url).send().await else {
            return;
        };
        if answer.status() != 200 {
            return;
        }
        let text = answer.text().await.unwrap_or_default();
        polls.fetch_add(1, Ordering::SeqCst);
        // A ping wants its answer.
        if version == 4 && text.split('\u{1e}').any(|packet| packet == "2") {
            client.post(&url).body("3").send().await.ok();
        }
        heard.lock().expect("no panic").push_str(&text);
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.polling.abort();
    }
}
