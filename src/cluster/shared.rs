//! State that the two threads of the link, its pulse and its users share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use serde_json::value::RawValue;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
};

use super::{
    body::written,
    frame::{self, Frame, GOODBYE, HELLO, HERE, Sender, VERSION},
    halves::Halves,
    handlers::Handlers,
    metrics::ClusterMetrics,
    nodes::{Greeting, NodeTable},
    options::ClusterOptions,
    pending::Pending,
    queue::{NoRoom, OutQueue},
};
use crate::{
    engine::{Engine, Fault},
    error::Error,
    timestamp::Timestamp,
};

/// Questions of other nodes that are answered at a time.
const MAX_ANSWERING: usize = 1_024;

/// State that the two threads of the link, its pulse and its users share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: ClusterOptions,
    pub(super) engine: Engine,
    /// The channel of the deployment.
    pub(super) channel: String,
    /// This start of this node.
    pub(super) boot: Arc<str>,
    pub(super) since: Timestamp,
    /// The beginning of all messages of this node.
    pub(super) beginning: Vec<u8>,
    pub(super) queue: OutQueue,
    pub(super) nodes: Mutex<NodeTable>,
    pub(super) pending: Pending,
    pub(super) handlers: Handlers,
    pub(super) metrics: ClusterMetrics,
    /// The place where answers are made.
    pub(super) runtime: Handle,
    /// The room for answers that are being made.
    pub(super) answering: Arc<Semaphore>,
    pub(super) stop: AtomicBool,
    /// Whether a thread of the link has ended.
    pub(super) ended: watch::Sender<bool>,
    /// Counts the times that both connections are to be made anew.
    pub(super) renewals: AtomicU64,
    /// The subscribers of the channel when a message was sent last, this node among them.
    pub(super) listeners: AtomicU64,
    /// Own messages, which come back.
    echo: Mutex<Echo>,
    /// The last message of another node with the same name.
    namesake: Mutex<Option<Instant>>,
    pub(super) halves: Halves,
}

/// The times of own messages, each of which comes back.
#[derive(Debug, Default)]
struct Echo {
    /// The last one that came; none before the first.
    heard: Option<Instant>,
    /// The last connection on which some will come.
    listens_since: Option<Instant>,
}

impl Shared {
    /// The state of a link that is not there yet.
    pub(super) fn new(options: ClusterOptions, metrics: ClusterMetrics) -> Result<Self, Fault> {
        let engine = Engine::new(&options.url, &options.sentinels, options.timeout)?;
        // Channels belong to no database, and keys do.
        let channel = match engine.database() {
            0 => format!("stoa:{{{}}}:n", options.deployment),
            database => format!("stoa:{{{}}}:n:{database}", options.deployment),
        };
        let boot: Arc<str> = uuid::Uuid::new_v4().simple().to_string().into();
        Ok(Self {
            engine,
            channel,
            since: Timestamp::now(),
            beginning: frame::beginning(&options.node, &boot),
            boot,
            queue: OutQueue::new(options.queue_bytes),
            nodes: Mutex::new(NodeTable::new(options.max_nodes)),
            pending: Pending::default(),
            handlers: Handlers::default(),
            metrics,
            runtime: Handle::current(),
            answering: Arc::new(Semaphore::new(MAX_ANSWERING)),
            stop: AtomicBool::new(false),
            ended: watch::Sender::new(false),
            renewals: AtomicU64::new(0),
            listeners: AtomicU64::new(0),
            echo: Mutex::default(),
            namesake: Mutex::default(),
            halves: Halves::default(),
            options,
        })
    }

    /// A message of this node, as it is sent.
    ///
    /// # Errors
    /// `too_large`.
    pub(super) fn message(
        &self,
        kind: &'static str,
        to: Option<&str>,
        (question, answer): (Option<u64>, Option<u64>),
        body: &RawValue,
    ) -> Result<Vec<u8>, Error> {
        let frame = Frame {
            v: VERSION,
            from: Sender {
                node: self.options.node.as_str().into(),
                boot: (&*self.boot).into(),
            },
            kind: kind.into(),
            to: to.map(Into::into),
            question,
            answer,
            body,
        };
        let text = serde_json::to_vec(&frame).map_err(|error| {
            Error::bad_request(format!(
                "a message to the other nodes can't be written: {error}"
            ))
        })?;
        let most = self.options.max_message;
        if text.len() > most {
            self.metrics.dropped("too_large");
            return Err(Error::new(
                "too_large",
                format!(
                    "a message to the other nodes would have {} bytes, {most} are allowed ([cluster] max_message)",
                    text.len()
                ),
            ));
        }
        Ok(text)
    }

    /// Queues a message; gives it back while there is no room for it.
    pub(super) fn queue(&self, kind: &'static str, text: Vec<u8>) -> Result<(), Vec<u8>> {
        match self.queue.push(kind, text) {
            Ok(()) => Ok(()),
            Err((NoRoom::Full, text)) => Err(text),
            // Nobody is told anything any more.
            Err((NoRoom::Closed, _)) => Ok(()),
        }
    }

    /// Sends one of the messages by which a node shows itself.
    pub(super) fn greet(&self, kind: &'static str, to: Option<&str>) {
        let greeting = self.greeting(kind, to);
        if greeting.is_some_and(|text| self.queue(kind, text).is_err()) {
            self.metrics.dropped("full");
        }
    }

    /// One of the messages by which a node shows itself; none if it can't be written.
    pub(super) fn greeting(&self, kind: &'static str, to: Option<&str>) -> Option<Vec<u8>> {
        let greeting = Greeting {
            since: self.since.as_micros(),
            version: env!("CARGO_PKG_VERSION").into(),
            address: self.options.address.as_str().into(),
        };
        let text = written(&greeting).and_then(|body| self.message(kind, to, (None, None), &body));
        let refused = |error: &Error| {
            tracing::warn!("this node can't show itself to the others: {error}");
        };
        text.inspect_err(refused).ok()
    }

    /// An own message came back, so that both connections are with the same engine.
    pub(super) fn heard_own(&self) {
        let now = Instant::now();
        let mut echo = lock(&self.echo);
        if !self.is_recent(echo.heard) {
            // Before this node counts as one that hears: no other one is taken for dead in between.
            lock(&self.nodes).forgive(now);
        }
        echo.heard = Some(now);
    }

    /// A connection was made on which own messages will come back: the time for that begins.
    pub(super) fn listens(&self) {
        lock(&self.echo).listens_since = Some(Instant::now());
    }

    /// Whether own messages come back: only then is the silence of others their own.
    pub(super) fn hears_itself(&self) -> bool {
        self.is_recent(lock(&self.echo).heard)
    }

    /// Whether own messages don't come back in time: then the others' may not come either.
    pub(super) fn is_deaf(&self) -> bool {
        let echo = lock(&self.echo);
        !self.is_recent(echo.heard.max(echo.listens_since))
    }

    /// Whether an own message has come back.
    pub(super) fn has_heard_itself(&self) -> bool {
        lock(&self.echo).heard.is_some()
    }

    fn is_recent(&self, at: Option<Instant>) -> bool {
        at.is_some_and(|at| at.elapsed() <= self.options.probe_time())
    }

    /// Another node has this node's name.
    pub(super) fn namesake(&self) {
        let before = lock(&self.namesake).replace(Instant::now());
        if before.is_none() {
            let name = &self.options.node;
            tracing::error!(
                "another node of the deployment has this node's name, {name:?}: give each its own [cluster] node_id"
            );
        }
    }

    /// The reason why other nodes are not reached, or can't be told from this one.
    pub(super) fn trouble(&self) -> Option<String> {
        self.halves.trouble().or_else(|| {
            let namesake = (*lock(&self.namesake))?;
            let is_there = namesake.elapsed() <= self.options.node_timeout;
            is_there.then(|| {
                format!(
                    "another node has the name {:?} as well ([cluster] node_id)",
                    self.options.node
                )
            })
        })
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(super) fn nodes(&self) -> MutexGuard<'_, NodeTable> {
        lock(&self.nodes)
    }

    /// A node is no longer there.
    pub(super) fn node_left(&self, name: &str, boot: &str, why: &str) {
        self.pending.gone(boot);
        self.metrics.nodes(self.nodes().len());
        tracing::info!(node = name, "another node {why}");
    }

    /// Ends the link: says goodbye, and lets go of the parts that use it.
    pub(super) fn end(&self) {
        self.greet(GOODBYE, None);
        self.stop.store(true, Ordering::Release);
        self.queue.close();
        self.handlers.clear();
    }

    /// Says hello, on a connection that is new.
    pub(super) fn say_hello(&self) {
        self.greet(HELLO, None);
    }

    /// Says that this node is here: to all, or to one that has come.
    pub(super) fn say_here(&self, to: Option<&str>) {
        self.greet(HERE, to);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
