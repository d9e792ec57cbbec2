//! The keys that an identity provider publishes: fetched, kept, refreshed.
//!
//! A fetch that fails, for whatever reason, changes nothing but the counters: the last good keys stay. There is one
//! fetch at a time. All requests that need it wait for the same one, and it goes on even if all of them have gone away.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use jsonwebtoken::jwk::Jwk;
use reqwest::{Client, StatusCode, Url, header::ACCEPT, redirect};
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use super::keys::{Key, Keys};
use crate::{
    breaker::{Breaker, Breakers},
    config::Authentication,
    error,
};

/// Keys of one provider. A token without `kid` is tried with each, so there must not be many; providers have two or three.
const MAX_KEYS: usize = 32;

/// The provider's name among the breakers.
const PART: &str = "jwks";

/// The provider's health, for health pages and counters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JwksState {
    /// Fetches that were begun.
    pub fetches: u64,
    /// Fetches that brought no keys.
    pub failures: u64,
    /// Keys in use now.
    pub keys: usize,
    /// The age of the keys; `None` before the first.
    pub age: Option<Duration>,
    /// The reason why the last fetch failed, if it did.
    pub error: Option<String>,
}

/// The provider's keys.
pub(super) struct Jwks {
    url: Url,
    /// Made once, since it keeps the connection and the system's certificates.
    client: Client,
    /// The age at which keys are fetched again.
    refresh: Duration,
    /// The least time between two fetches caused by tokens.
    cooldown: Duration,
    /// The most bytes of an answer that are held in memory.
    max_bytes: usize,
    /// Replaced as a whole; readers keep theirs while they verify.
    keys: RwLock<Arc<Keys>>,
    /// Refuses fetches while the provider fails.
    breaker: Arc<Breaker>,
    /// Locked for moments only, never across an await.
    fetching: Mutex<Fetching>,
}

/// The fetch that runs, and the outcomes so far.
#[derive(Default)]
struct Fetching {
    /// Closed when the fetch that runs now ends.
    running: Option<watch::Receiver<()>>,
    /// The start of the last fetch.
    began: Option<Instant>,
    /// The time at which keys last came.
    fresh: Option<Instant>,
    fetches: u64,
    failures: u64,
    /// The reason why the last fetch failed; the next one is then made sooner.
    error: Option<String>,
}

impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwks")
            .field("url", &self.url.as_str())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Published {
    /// Read one by one, so that a key of an unknown kind doesn't spoil the others.
    keys: Vec<Value>,
}

impl Jwks {
    /// The keys of `[authentication] jwks_url`, none of them fetched yet.
    ///
    /// # Errors
    /// A sentence about the URL.
    pub(super) fn new(config: &Authentication) -> Result<Self, String> {
        let url = Url::parse(&config.jwks_url).map_err(|error| format!("is no URL: {error}"))?;
        let mut client = Client::builder()
            .timeout(config.jwks_timeout.get())
            // Some providers refuse requests without a user agent.
            .user_agent(concat!("stoa/", env!("CARGO_PKG_VERSION")))
            // A redirect could lead from https to http, or to an internal address that was not configured.
            .redirect(redirect::Policy::none());
        if url.scheme() == "http" {
            // Plain HTTP needs no certificates of the system: reading them takes time, and fails where there are none.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| {
            format!(
                "can't be used: {}; install ca-certificates, or name a file of them in SSL_CERT_FILE",
                error::reason(error)
            )
        })?;
        Ok(Self {
            url,
            client,
            refresh: config.jwks_refresh.get(),
            cooldown: config.jwks_cooldown.get(),
            max_bytes: config.jwks_max_bytes.into(),
            keys: RwLock::default(),
            breaker: Breaker::alone(PART, config.jwks_cooldown.get()),
            fetching: Mutex::default(),
        })
    }

    /// Takes its breaker from those of the server.
    pub(super) fn guarded_by(&mut self, breakers: &Breakers) {
        self.breaker = breakers.part(PART);
    }

    /// The keys as they are now.
    pub(super) fn keys(&self) -> Arc<Keys> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.clone()
    }

    pub(super) fn state(&self) -> JwksState {
        let keys = self.keys().len();
        let fetching = self.fetching();
        JwksState {
            fetches: fetching.fetches,
            failures: fetching.failures,
            keys,
            age: fetching.fresh.map(|at| at.elapsed()),
            error: fetching.error.clone(),
        }
    }

    /// Waits for newer keys: from the fetch that runs, or from a new one unless the last began less than the cooldown
    /// ago or the breaker is open. Returns whether there was a fetch to wait for.
    pub(super) async fn newer(self: &Arc<Self>) -> bool {
        let Some(mut running) = self.begin(false) else {
            return false;
        };
        // An error means that the sender was dropped, so the fetch has ended.
        running.changed().await.ok();
        true
    }

    /// Fetches as often as configured, for ever; sooner after a failure.
    pub(super) async fn keep_fresh(self: Arc<Self>) {
        loop {
            if let Some(mut running) = self.begin(true) {
                running.changed().await.ok();
            }
            let failed = self.fetching().error.is_some();
            let pause = if failed {
                self.cooldown.min(self.refresh)
            } else {
                self.refresh
            };
            // Fetches that the breaker would refuse are not asked for.
            let pause = pause.max(self.breaker.retry_in().unwrap_or_default());
            tokio::time::sleep(pause).await;
        }
    }

    fn fetching(&self) -> std::sync::MutexGuard<'_, Fetching> {
        self.fetching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A channel that closes when the fetch ends: of the one that runs, or of one begun here. `due` begins one in spite
    /// of the cooldown.
    fn begin(self: &Arc<Self>, due: bool) -> Option<watch::Receiver<()>> {
        let mut fetching = self.fetching();
        // The channel is closed but still there: its task was dropped, and nothing must wait for it.
        let running = fetching.running.as_ref();
        if let Some(running) = running.filter(|running| running.has_changed().is_ok()) {
            return Some(running.clone());
        }
        let cooling = fetching
            .began
            .is_some_and(|at| at.elapsed() < self.cooldown);
        if cooling && !due {
            return None;
        }
        let permit = self.breaker.permit().ok()?;
        let (done, running) = watch::channel(());
        fetching.began = Some(Instant::now());
        fetching.fetches += 1;
        fetching.running = Some(running.clone());
        drop(fetching);
        let own = self.clone();
        // The fetch is a task of its own, since the connection that needed it first may be gone before it ends.
        tokio::spawn(async move {
            let fetched = own.fetch().await;
            permit.settle(fetched.as_ref().map(|_| ()));
            own.end(fetched);
            drop(done);
        });
        Some(running)
    }

    fn end(&self, fetched: Result<Keys, String>) {
        let outcome = fetched.map(|keys| {
            let mut current = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            *current = Arc::new(keys);
        });
        let mut fetching = self.fetching();
        fetching.running = None;
        match outcome {
            Ok(()) => {
                fetching.fresh = Some(Instant::now());
                fetching.error = None;
            }
            Err(error) => {
                fetching.failures += 1;
                let kept = fetching.fresh.map(|at| at.elapsed().as_secs());
                tracing::warn!(
                    url = %self.url, %error, kept_for_seconds = kept,
                    "the keys of [authentication] jwks_url can't be read; the last good ones are kept"
                );
                fetching.error = Some(error);
            }
        }
    }

    async fn fetch(&self) -> Result<Keys, String> {
        let request = self.client.get(self.url.clone());
        let mut answer = request
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .send()
            .await
            .map_err(error::reason)?;
        if answer.status() != StatusCode::OK {
            let status = answer.status();
            return Err(format!(
                "it answers {status}; name the address that answers 200"
            ));
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(error::reason)? {
            if body.len() + part.len() > self.max_bytes {
                return Err(format!(
                    "the answer has more than {} bytes ([authentication] jwks_max_bytes)",
                    self.max_bytes
                ));
            }
            body.extend_from_slice(&part);
        }
        read(&body)
    }
}

/// The usable keys of a JWKS. Others are skipped: providers also publish keys for encryption, and new kinds.
fn read(body: &[u8]) -> Result<Keys, String> {
    let published: Published = serde_json::from_slice(body)
        .map_err(|_| "the answer is no JWKS: {\"keys\": [..]} is expected".to_owned())?;
    let total = published.keys.len();
    let mut keys = Vec::new();
    for value in published.keys {
        let key = serde_json::from_value::<Jwk>(value)
            .map_err(|error| error.to_string())
            .and_then(|jwk| Key::from_jwk(&jwk).map_err(|error| error.to_string()));
        match key {
            Ok(key) => keys.push(key),
            Err(error) => tracing::debug!(%error, "a published key is passed over"),
        }
    }
    match keys.len() {
        0 => Err(format!(
            "none of the {total} published keys can verify signatures"
        )),
        1..=MAX_KEYS => Ok(Keys::new(keys)),
        many => Err(format!(
            "{many} keys are published, and at most {MAX_KEYS} are taken"
        )),
    }
}
