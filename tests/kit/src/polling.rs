//! A client that polls, request by request.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

use crate::PATIENCE;

/// A session that is polled all the time.
#[derive(Debug)]
pub struct Polling {
    pub url: String,
    pub sid: String,
    pub version: u8,
    /// Polls that were answered.
    pub polls: Arc<AtomicUsize>,
    /// All that came.
    heard: Arc<Mutex<String>>,
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

    /// Opens a session, and joins nothing yet.
    pub async fn open(address: SocketAddr, version: u8) -> Self {
        let url = format!("http://{address}/socket.io/?EIO={version}&transport=polling");
        let opened = reqwest::get(&url).await.expect("opens");
        let opened = opened.text().await.expect("text");
        let (_, rest) = opened.split_once("\"sid\":\"").expect("a session");
        let sid = rest.split('"').next().expect("its end").to_owned();
        let url = format!("{url}&sid={sid}");
        let (polls, heard) = <(Arc<AtomicUsize>, Arc<Mutex<String>>)>::default();
        let polling = tokio::spawn(poll(url.clone(), polls.clone(), heard.clone(), version));
        Self {
            url,
            sid,
            version,
            polls,
            heard,
            polling,
        }
    }

    /// Sends a packet; the status.
    pub async fn send(&self, packet: &str) -> u16 {
        let body = match self.version {
            3 => format!("{}:{packet}", packet.encode_utf16().count()),
            _ => packet.to_owned(),
        };
        let post = reqwest::Client::new().post(&self.url).body(body);
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

async fn poll(url: String, polls: Arc<AtomicUsize>, heard: Arc<Mutex<String>>, version: u8) {
    let client = reqwest::Client::new();
    loop {
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
