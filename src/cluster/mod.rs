//! The link between nodes: what they tell each other beside the journal.
//!
//! ```text
//!  tell, ask ─▶ queue, counted in bytes ─▶ publisher ─▶ the engine's channel of the deployment
//!                                                               │
//!  handlers, answers, the table of nodes ◀──── subscriber ◀─────┘
//! ```
//!
//! Messages come at most once, and those of one node in its order. Publisher and subscriber have a connection and a thread
//! each, and find the engine anew whenever theirs is lost; each works again when a message went, or came, and not before. A node says every few seconds that it is here, and hears that
//! itself: if it doesn't, it makes both connections anew, and meanwhile takes no other node for dead.
//! A server that shares its journal with nobody has a [`Cluster`] that does nothing.

mod body;
mod frame;
mod halves;
mod handlers;
mod metrics;
mod nodes;
mod options;
mod pending;
mod publisher;
mod pulse;
mod queue;
mod shared;
mod subscriber;
#[cfg(test)]
mod tests;
mod threads;

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use redis::RedisError;
use serde::Serialize;
use serde_json::value::RawValue;

pub use body::{read, written};
pub use handlers::FromNode;
pub use metrics::ClusterMetrics;
pub use nodes::ClusterNode;
pub use options::ClusterOptions;
pub use pending::NodeAnswer;
use pending::Question;
use shared::Shared;

use crate::{engine::Fault, error::Error};

/// The interval at which a start looks whether the others have greeted it.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// The time that a start gives the others to greet it.
const GREETING_TIME: Duration = Duration::from_millis(500);
/// The time that the last messages may take.
const GOODBYE_TIME: Duration = Duration::from_secs(1);

/// The link with the other nodes. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Cluster(Option<Arc<Link>>);

#[derive(Debug)]
struct Link {
    shared: Arc<Shared>,
    /// The thread that sends, which is waited for at the end; the other one ends by itself.
    publisher: Mutex<Option<JoinHandle<()>>>,
}

/// The reason why a node gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// It was not asked: why.
    #[error("{0}")]
    Unasked(Error),
    /// It is not there, or went before it answered.
    #[error("the node is not there")]
    Gone,
    /// It did not answer in time.
    #[error("the node gave no answer within {0:?}")]
    Late(Duration),
}

/// The answers of all other nodes.
#[derive(Debug, Default)]
pub struct NodeAnswers {
    /// The nodes that answered, by their names.
    pub given: Vec<(Arc<str>, NodeAnswer)>,
    /// The names of those that did not.
    pub silent: Vec<Arc<str>>,
}

impl Cluster {
    /// A link that is not made yet, so that handlers can be given to it first.
    ///
    /// # Errors
    /// The engine's address can't be used.
    pub fn new(options: ClusterOptions, metrics: ClusterMetrics) -> Result<Self, Fault> {
        let shared = Arc::new(Shared::new(options, metrics)?);
        let publisher = Mutex::default();
        Ok(Self(Some(Arc::new(Link { shared, publisher }))))
    }

    /// Makes the link; returns when this node hears itself and was greeted by the others, or after a while: the link is made
    /// as soon as it can be.
    ///
    /// # Errors
    /// No thread can be started.
    pub async fn start(&self) -> Result<(), Fault> {
        let Some(link) = &self.0 else { return Ok(()) };
        let shared = &link.shared;
        let start = |name, work| threads::start(shared, name, work).map_err(RedisError::from);
        start("stoa-subscriber", subscriber::run)?;
        *lock(&link.publisher) = Some(start("stoa-publisher", publisher::run)?);
        until(shared.options.timeout, || shared.halves.all_work()).await;
        let are_greeted = || {
            let listeners = shared.listeners.load(Ordering::Acquire);
            shared.nodes().len() as u64 + 1 >= listeners
        };
        until(GREETING_TIME, are_greeted).await;
        Ok(())
    }

    /// Waits until a thread of the link ends, which none does before the link does.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let ended = self.0.as_ref().map(|link| link.shared.ended.subscribe());
        async move {
            match ended {
                Some(mut ended) => drop(ended.wait_for(|has_ended| *has_ended).await),
                None => std::future::pending().await,
            }
        }
    }

    /// Keeps the others informed of this node, and notices those that are gone. Never returns.
    pub fn pulse(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = self.0.as_ref().map(|link| link.shared.clone());
        async move {
            match shared {
                Some(shared) => pulse::run(shared).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Says goodbye to the others.
    pub async fn stop(&self) {
        let Some(link) = &self.0 else { return };
        link.shared.end();
        let thread = lock(&link.publisher).take();
        if let Some(thread) = thread {
            let sent = tokio::task::spawn_blocking(move || thread.join().is_ok());
            tokio::time::timeout(GOODBYE_TIME, sent).await.ok();
        }
    }

    /// Whether there may be other nodes.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether another node is there now.
    pub fn has_others(&self) -> bool {
        let link = self.0.as_ref();
        link.is_some_and(|link| link.shared.nodes().len() > 0)
    }

    /// The name of this node; none for one on its own.
    pub fn own_name(&self) -> Option<&str> {
        self.0.as_ref().map(|link| &*link.shared.options.node)
    }

    /// The reason why other nodes are not reached, or can't be told from this one.
    pub fn trouble(&self) -> Option<String> {
        self.0.as_ref()?.shared.trouble()
    }

    /// All nodes, this one first; none for a node on its own.
    pub fn nodes(&self) -> Vec<ClusterNode> {
        let Some(link) = &self.0 else {
            return Vec::new();
        };
        let shared = &link.shared;
        let own = ClusterNode {
            name: shared.options.node.as_str().into(),
            boot: shared.boot.clone(),
            since: shared.since,
            version: env!("CARGO_PKG_VERSION").into(),
            address: shared.options.address.as_str().into(),
            silent_for: None,
        };
        let mut others = shared.nodes().view(Instant::now());
        others.sort_by(|one, other| one.name.cmp(&other.name));
        std::iter::once(own).chain(others).collect()
    }

    /// Counts a message that the part which it is for could not take.
    pub fn dropped(&self, reason: &'static str) {
        if let Some(link) = &self.0 {
            link.shared.metrics.dropped(reason);
        }
    }

    /// Has a function take the messages of a kind. It must not wait: all messages wait for it.
    pub fn on_told(
        &self,
        kind: &'static str,
        listen: impl Fn(&FromNode, &RawValue) + Send + Sync + 'static,
    ) {
        if let Some(link) = &self.0 {
            link.shared.handlers.listen(kind, listen);
        }
    }

    /// Has a function answer the questions of a kind, each in a task of its own.
    pub fn on_asked<F>(
        &self,
        kind: &'static str,
        answer: impl Fn(FromNode, Box<RawValue>) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = NodeAnswer> + Send + 'static,
    {
        if let Some(link) = &self.0 {
            link.shared.handlers.answer(kind, answer);
        }
    }

    /// Tells all other nodes something, at most once.
    ///
    /// # Errors
    /// `too_large`, `overloaded`.
    pub fn tell(&self, kind: &'static str, body: &impl Serialize) -> Result<(), Error> {
        let Some(link) = self.0.as_ref().filter(|_| self.has_others()) else {
            return Ok(());
        };
        let text = link
            .shared
            .message(kind, None, (None, None), &written(body)?)?;
        link.send(kind, text)
    }

    /// Waits until there is room for a message of about so many bytes, while messages are being sent; not for long.
    pub async fn room(&self, bytes: usize) {
        let Some(link) = &self.0 else { return };
        let shared = &link.shared;
        let until = Instant::now() + shared.options.answer_within;
        while !shared.queue.has_room(bytes) && shared.halves.all_work() && Instant::now() < until {
            shared.queue.moved(LOOK_INTERVAL).await;
        }
    }

    /// Asks a node by its name; `within`: the time that it has, if not `[cluster] answer_within`.
    ///
    /// # Errors
    /// The reason why it gave no answer.
    pub async fn ask(
        &self,
        node: &str,
        kind: &'static str,
        body: &impl Serialize,
        within: Option<Duration>,
    ) -> Result<NodeAnswer, Silence> {
        let link = self.0.as_ref().ok_or(Silence::Gone)?;
        let shared = &link.shared;
        let boot = shared.nodes().boot_of(node).ok_or(Silence::Gone)?;
        if !shared.halves.all_work() {
            let trouble = shared.trouble().unwrap_or_default();
            return Err(Silence::Unasked(Error::unavailable(trouble)));
        }
        let mut question = shared.pending.ask(vec![boot.clone()]);
        link.question(kind, Some(&boot), &question, body)
            .map_err(Silence::Unasked)?;
        let within = within.unwrap_or(shared.options.answer_within);
        let answer = match tokio::time::timeout(within, question.next()).await {
            Ok(Some((_, Some(answer)))) => Ok(answer),
            Ok(_) => Err(Silence::Gone),
            Err(_) => Err(Silence::Late(within)),
        };
        link.count(answer.is_ok());
        answer
    }

    /// Asks all other nodes, which have `[cluster] answer_within`.
    ///
    /// # Errors
    /// `too_large`, `overloaded`: no node was asked.
    pub async fn ask_all(
        &self,
        kind: &'static str,
        body: &impl Serialize,
    ) -> Result<NodeAnswers, Error> {
        self.ask_all_within(kind, body, None).await
    }

    /// The same; `within` as for [`Cluster::ask`].
    ///
    /// # Errors
    /// `too_large`, `overloaded`: no node was asked.
    pub async fn ask_all_within(
        &self,
        kind: &'static str,
        body: &impl Serialize,
        within: Option<Duration>,
    ) -> Result<NodeAnswers, Error> {
        let mut answers = NodeAnswers::default();
        let Some(link) = &self.0 else {
            return Ok(answers);
        };
        let shared = &link.shared;
        let mut asked = shared.nodes().all();
        if asked.is_empty() {
            return Ok(answers);
        }
        if !shared.halves.all_work() {
            answers.silent = asked.into_iter().map(|(name, _)| name).collect();
            return Ok(answers);
        }
        let boots = asked.iter().map(|(_, boot)| boot.clone()).collect();
        let mut question = shared.pending.ask(boots);
        link.question(kind, None, &question, body)?;
        let all = async {
            while let Some((boot, answer)) = question.next().await {
                let Some(at) = asked.iter().position(|(_, asked)| *asked == boot) else {
                    continue;
                };
                let (name, _) = asked.swap_remove(at);
                match answer {
                    Some(answer) => answers.given.push((name, answer)),
                    None => answers.silent.push(name),
                }
            }
        };
        let within = within.unwrap_or(shared.options.answer_within);
        tokio::time::timeout(within, all).await.ok();
        answers
            .silent
            .extend(asked.into_iter().map(|(name, _)| name));
        answers.given.iter().for_each(|_| link.count(true));
        answers.silent.iter().for_each(|_| link.count(false));
        Ok(answers)
    }
}

impl Link {
    /// Queues a message.
    fn send(&self, kind: &'static str, text: Vec<u8>) -> Result<(), Error> {
        self.shared.queue(kind, text).map_err(|_| {
            self.shared.metrics.dropped("full");
            Error::new(
                "overloaded",
                "more messages wait for the other nodes than may wait ([cluster] queue_bytes); try again later",
            )
        })
    }

    /// Queues a question.
    fn question(
        &self,
        kind: &'static str,
        to: Option<&str>,
        question: &Question<'_>,
        body: &impl Serialize,
    ) -> Result<(), Error> {
        let body = written(body)?;
        let text = self
            .shared
            .message(kind, to, (Some(question.number), None), &body)?;
        self.send(kind, text)
    }

    fn count(&self, is_answered: bool) {
        let outcome = if is_answered { "answered" } else { "silent" };
        self.shared.metrics.question(outcome);
    }
}

/// Waits for something that is soon true.
async fn until(most: Duration, is_true: impl Fn() -> bool) {
    let end = Instant::now() + most;
    while !is_true() && Instant::now() < end {
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
