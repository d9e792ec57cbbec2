//! The state as text for HTTP: rendered outside the loop, chunk by chunk, once for all clients that ask for the same at
//! the same place in the stream.
//!
//! Each chunk can be rendered again from its start, so only as many are kept as the bound allows.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use tokio::sync::Semaphore;

use crate::{
    access::authz::Permissions,
    hub::Moment,
    observe::Metrics,
    projections::state::{Text, Walk},
    timestamp::Timestamp,
};

/// The time for which the chunks of an answer are kept.
const KEPT_FOR: Duration = Duration::from_secs(1);
/// The most answers at one place that are searched for the same.
const MAX_RENDERINGS: usize = 64;
/// Chunks that are rendered at a time, so that other tasks have their turn.
const MAX_WRITERS: usize = 2;

/// The answers that are being sent.
pub struct Renderings {
    /// The answers at the newest place that was asked for.
    newest: Mutex<Vec<Arc<Rendering>>>,
    /// The bytes of chunks that are kept.
    kept: Arc<AtomicUsize>,
    most: usize,
    writing: Semaphore,
    /// Chunks by outcome.
    counted: Family<Chunk, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Chunk {
    /// `written`, `shared` or `lost`.
    outcome: &'static str,
}

impl fmt::Debug for Renderings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Renderings({:?} bytes)", self.kept)
    }
}

/// One answer, for all clients that see the same.
pub(super) struct Rendering {
    moment: Arc<Moment>,
    permissions: Permissions,
    project: Option<String>,
    /// Held by the request that renders the next chunk, while the others wait for it.
    turn: tokio::sync::Mutex<()>,
    chunks: Mutex<Chunks>,
    kept: Arc<AtomicUsize>,
}

struct Chunks {
    /// The text at the start of each known chunk.
    starts: Vec<Text>,
    /// The chunks that are kept.
    written: Vec<Option<Bytes>>,
    /// Bytes of the kept chunks.
    bytes: usize,
}

impl Renderings {
    /// Renderings that keep at most so many bytes of chunks.
    pub fn new(most: usize, metrics: &Metrics) -> Arc<Self> {
        let counted = Family::default();
        metrics.add(|registry| {
            registry.register(
                "state_chunks",
                "Chunks of answers to GET /api/v1/state, by outcome: written, shared, lost (the answer broke off)",
                counted.clone(),
            );
        });
        Arc::new(Self {
            newest: Mutex::default(),
            kept: Arc::default(),
            most,
            writing: Semaphore::new(MAX_WRITERS),
            counted,
        })
    }

    /// The answer at a moment, for a client with these permissions.
    pub(super) fn of(
        self: &Arc<Self>,
        moment: Arc<Moment>,
        permissions: Permissions,
        project: Option<String>,
    ) -> Arc<Rendering> {
        let mut newest = self.lock();
        // Answers at earlier places are not asked for any more.
        newest.retain(|known| known.moment.seq >= moment.seq);
        let same = |known: &&Arc<Rendering>| {
            known.moment.seq == moment.seq
                && known.project == project
                && known.permissions == permissions
        };
        if let Some(same) = newest.iter().find(same) {
            return same.clone();
        }
        let walk = Walk::new(
            moment.picture.clone(),
            permissions.clone(),
            project.as_deref(),
        );
        let text = Text::new(walk, moment.cursor.clone(), Timestamp::now());
        let rendering = Arc::new(Rendering {
            moment,
            permissions,
            project,
            turn: tokio::sync::Mutex::default(),
            chunks: Mutex::new(Chunks {
                starts: vec![text],
                written: Vec::new(),
                bytes: 0,
            }),
            kept: self.kept.clone(),
        });
        if newest.len() == MAX_RENDERINGS {
            return rendering;
        }
        newest.push(rendering.clone());
        let (all, this) = (Arc::downgrade(self), Arc::downgrade(&rendering));
        tokio::spawn(async move {
            tokio::time::sleep(KEPT_FOR).await;
            if let (Some(all), Some(this)) = (all.upgrade(), this.upgrade()) {
                all.lock().retain(|known| !Arc::ptr_eq(known, &this));
            }
        });
        rendering
    }

    /// Counts a chunk that was `written`, or `shared` with an earlier request; or an answer that broke off, `lost`.
    fn count(&self, outcome: &'static str) {
        self.counted.get_or_create(&Chunk { outcome }).inc();
    }

    /// A chunk of an answer; `None` after the last one.
    pub(super) async fn chunk(
        &self,
        rendering: &Arc<Rendering>,
        at: usize,
    ) -> Option<Result<Bytes, &'static str>> {
        const LOST: &str = "the state changed too much while it was read";
        let _turn = rendering.turn.lock().await;
        let start = {
            let chunks = rendering.lock();
            if let Some(Some(chunk)) = chunks.written.get(at) {
                self.count("shared");
                return Some(Ok(chunk.clone()));
            }
            chunks.starts.get(at)?.clone()
        };
        if rendering.moment.is_lost() {
            self.count("lost");
            return Some(Err(LOST));
        }
        let _place = self.writing.acquire().await.ok()?;
        let write = move || {
            let mut text = start;
            text.next().map(|chunk| (chunk, text))
        };
        let (chunk, rest) = match tokio::task::spawn_blocking(write).await {
            Ok(written) => written?,
            Err(_) => return Some(Err("the state could not be written")),
        };
        self.count("written");
        let chunk = Bytes::from(chunk);
        let mut chunks = rendering.lock();
        if chunks.starts.len() == at + 1 {
            chunks.starts.push(rest);
        }
        let len = chunk.len();
        let fits = self.kept.fetch_add(len, Ordering::Relaxed) + len <= self.most;
        if chunks.written.len() == at && fits {
            chunks.written.push(Some(chunk.clone()));
            chunks.bytes += len;
        } else {
            self.kept.fetch_sub(len, Ordering::Relaxed);
            if chunks.written.len() == at {
                chunks.written.push(None);
            }
        }
        Some(Ok(chunk))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Rendering>>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rendering {
    fn lock(&self) -> MutexGuard<'_, Chunks> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Rendering {
    fn drop(&mut self) {
        let bytes = self.lock().bytes;
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
    }
}
