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

/// The halves of the link: each has a thread and a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Half {
    Publisher = 0,
    Subscriber = 1,
}

impl Half {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Subscriber => "subscriber",
        }
    }
}

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
    /// Where answers are made.
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
    /// The last time that an own message came back, or a connection was made for it; none before the first.
    heard_own: Mutex<Option<Instant>>,
    /// Whether an own message has come back.
    pub(super) has_heard_own: AtomicBool,
    /// The last message of another node with the same name.
    namesake: Mutex<Option<Instant>>,
    /// The reasons why nothing can be sent, or be heard.
    trouble: Mutex<[Option<String>; 2]>,
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
            heard_own: Mutex::default(),
            has_heard_own: AtomicBool::new(false),
            namesake: Mutex::default(),
            trouble: Mutex::default(),
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
        let greeting = Greeting {
            since: self.since.as_micros(),
            version: env!("CARGO_PKG_VERSION").into(),
            address: self.options.address.as_str().into(),
        };
        let sent = written(&greeting)
            .and_then(|body| self.message(kind, to, (None, None), &body))
            .map(|text| self.queue(kind, text));
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(_)) => self.metrics.dropped("full"),
            Err(error) => tracing::warn!("this node can't show itself to the others: {error}"),
        }
    }

    /// An own message came back, so that both connections are with the same engine.
    pub(super) fn heard_own(&self) {
        let now = Instant::now();
        let before = lock(&self.heard_own).replace(now);
        self.has_heard_own.store(true, Ordering::Release);
        let was_deaf = before.is_none_or(|at| now.duration_since(at) > self.options.probe_time());
        if was_deaf {
            lock(&self.nodes).forgive(now);
        }
    }

    /// A connection was made on which own messages will come back: the time for that begins.
    pub(super) fn listens(&self) {
        let now = Instant::now();
        *lock(&self.heard_own) = Some(now);
        lock(&self.nodes).forgive(now);
    }

    /// Whether own messages don't come back in time: then the others' may not come either.
    pub(super) fn is_deaf(&self) -> bool {
        let heard = *lock(&self.heard_own);
        heard.is_none_or(|at| at.elapsed() > self.options.probe_time())
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

    /// Sets the reason why a connection is not there; returns the one before.
    pub(super) fn set_trouble(&self, of: Half, trouble: Option<String>) -> Option<String> {
        std::mem::replace(&mut lock(&self.trouble)[of as usize], trouble)
    }

    /// The reason why other nodes are not reached, or can't be told from this one.
    pub(super) fn trouble(&self) -> Option<String> {
        let trouble = lock(&self.trouble).iter().flatten().next().cloned();
        trouble.or_else(|| {
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

    /// Whether messages can be sent and heard.
    pub(super) fn is_linked(&self) -> bool {
        lock(&self.trouble).iter().all(Option::is_none)
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
