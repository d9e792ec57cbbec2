//! The thread that listens: messages of all nodes, each taken before the next one.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use redis::{Msg, Value};

use super::{
    body::written,
    frame::{ANSWER, Frame, GOODBYE, HELLO, HERE, VERSION},
    halves::Half,
    handlers::{FromNode, Handler},
    nodes::{Change, Greeting},
    pending::WrittenAnswer,
    shared::Shared,
};
use crate::{backoff::Backoff, engine::Fault};

/// The end of a connection.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("{0}")]
    Fault(#[from] Fault),
    #[error("its own messages don't come back")]
    Deaf,
}

impl From<redis::RedisError> for End {
    fn from(error: redis::RedisError) -> Self {
        Self::Fault(error.into())
    }
}

/// Listens until the link ends; connects again whenever the connection is lost.
pub(super) fn run(shared: &Arc<Shared>) {
    let mut backoff = Backoff::new();
    while !shared.is_stopping() {
        let end = match serve(shared, &mut backoff) {
            Ok(()) => return,
            Err(end) => end,
        };
        if shared.is_stopping() {
            return;
        }
        let reason = format!("other nodes can't be heard: {end}");
        if shared.halves.lost(Half::Subscriber, reason) {
            shared.metrics.lost(Half::Subscriber.name());
            tracing::warn!("other nodes can't be heard: {end}; the connection is made again");
        }
        if matches!(end, End::Deaf) {
            // Its fellow may be with another engine.
            shared.renewals.fetch_add(1, Ordering::AcqRel);
        }
        if shared.queue.pause(backoff.next()) {
            return;
        }
    }
}

/// Listens on one connection.
fn serve(shared: &Arc<Shared>, backoff: &mut Backoff) -> Result<(), End> {
    let mut connection = shared.engine.connect(shared.options.timeout)?;
    let mut subscribe = redis::cmd("SUBSCRIBE");
    subscribe.arg(&shared.channel);
    connection.send_packed_command(&subscribe.get_packed_command())?;
    refused(&connection.recv_response()?)?;
    // This node hears itself more often than that.
    connection.set_read_timeout(Some(shared.options.probe_time()))?;
    shared.listens();
    shared.say_hello();
    let mut has_heard_itself = false;
    loop {
        let heard = match connection.recv_response() {
            Ok(heard) => heard,
            Err(error) if error.is_timeout() => return Err(End::Deaf),
            Err(error) => return Err(error.into()),
        };
        if shared.is_stopping() {
            return Ok(());
        }
        // A user whose rights were taken away is told so in place of a message.
        refused(&heard)?;
        let message = Msg::from_owned_value(heard);
        let is_own = message.is_some_and(|message| hear(shared, message.get_payload_bytes()));
        if is_own && !has_heard_itself {
            has_heard_itself = true;
            backoff.reset();
            if shared.halves.works(Half::Subscriber) {
                tracing::info!("other nodes can be heard again");
            }
        }
        if shared.is_deaf() {
            return Err(End::Deaf);
        }
    }
}

/// The engine's refusal, if its answer is one.
fn refused(answer: &Value) -> Result<(), End> {
    match answer {
        Value::ServerError(error) => Err(redis::RedisError::from(error.clone()).into()),
        _ => Ok(()),
    }
}

/// Takes a message; returns whether it is an own one.
fn hear(shared: &Arc<Shared>, text: &[u8]) -> bool {
    if text.starts_with(shared.beginning.as_slice()) {
        // Any message of its own went all the way: greetings may wait behind much else.
        shared.heard_own();
        return true;
    }
    if text.len() > shared.options.max_message {
        shared.metrics.dropped("too_large");
        return false;
    }
    match serde_json::from_slice::<Frame<'_>>(text) {
        Ok(frame) if frame.v == VERSION => take(shared, &frame),
        Ok(_) => shared.metrics.dropped("version"),
        Err(error) => {
            tracing::debug!(%error, "a message that no node wrote");
            shared.metrics.dropped("malformed");
        }
    }
    false
}

fn take(shared: &Arc<Shared>, frame: &Frame<'_>) {
    let boot = &*frame.from.boot;
    if *frame.from.node == *shared.options.node {
        // An earlier start of this node says goodbye, or has said it.
        if frame.kind != GOODBYE {
            shared.namesake();
        }
    }
    if frame.to.as_ref().is_some_and(|to| **to != *shared.boot) {
        return;
    }
    shared.nodes().heard(boot, Instant::now());
    match &*frame.kind {
        HELLO => greeted(shared, frame, true),
        HERE => greeted(shared, frame, false),
        GOODBYE => {
            shared.metrics.received(GOODBYE);
            if shared.nodes().goes(boot) {
                shared.node_left(&frame.from.node, boot, "stops");
            }
        }
        ANSWER => {
            let number = frame.answer.unwrap_or_default();
            match shared.pending.answered(number, boot, frame.body) {
                true => shared.metrics.received(ANSWER),
                false => shared.metrics.dropped("unasked"),
            }
        }
        kind => match (shared.handlers.of(kind), frame.question) {
            (Some((kind, Handler::Listen(listen))), None) => {
                shared.metrics.received(kind);
                listen(&from(frame), frame.body);
            }
            (Some((kind, Handler::Answer(_))), Some(number)) => {
                shared.metrics.received(kind);
                answer(shared, kind, number, frame);
            }
            _ => shared.metrics.dropped("unknown"),
        },
    }
}

fn from(frame: &Frame<'_>) -> FromNode {
    FromNode {
        name: (&*frame.from.node).into(),
        boot: (&*frame.from.boot).into(),
    }
}

/// A node shows itself.
fn greeted(shared: &Shared, frame: &Frame<'_>, is_first: bool) {
    let Ok(greeting) = serde_json::from_str::<Greeting>(frame.body.get()) else {
        return shared.metrics.dropped("malformed");
    };
    shared.metrics.received(if is_first { HELLO } else { HERE });
    let (name, boot) = (&*frame.from.node, &*frame.from.boot);
    let now = Instant::now();
    let mut nodes = shared.nodes();
    let change = nodes.greets((name, boot), greeting, is_first, now);
    shared.metrics.nodes(nodes.len());
    drop(nodes);
    match change {
        Change::None => {}
        Change::TooMany => {
            shared.metrics.dropped("nodes");
            tracing::debug!(
                node = name,
                "there are more nodes than [cluster] max_nodes: this one is not believed in"
            );
            return;
        }
        Change::Came(replaced) => {
            if let Some(earlier) = replaced {
                shared.node_left(name, &earlier, "starts again");
            }
            tracing::info!(node = name, "another node is there");
        }
    }
    if is_first {
        shared.say_here(Some(boot));
    }
}

/// Answers a question aside.
fn answer(shared: &Arc<Shared>, kind: &'static str, number: u64, frame: &Frame<'_>) {
    let Some((_, Handler::Answer(answer))) = shared.handlers.of(kind) else {
        return;
    };
    let Ok(place) = shared.answering.clone().try_acquire_owned() else {
        return shared.metrics.dropped("busy");
    };
    let (to, body) = (from(frame), frame.body.to_owned());
    let shared = shared.clone();
    let runtime = shared.runtime.clone();
    runtime.spawn(async move {
        let _place = place;
        let boot = to.boot.clone();
        let said = WrittenAnswer::of(answer(to, body).await);
        let message = |said: &WrittenAnswer| {
            let body = written(said)?;
            shared.message(ANSWER, Some(&boot), (None, Some(number)), &body)
        };
        // An answer that is too long is said to be so.
        let text = message(&said).or_else(|error| message(&WrittenAnswer::of(Err(error))));
        let queued = text.map(|text| shared.queue(ANSWER, text).is_ok());
        if queued != Ok(true) {
            shared.metrics.dropped("full");
        }
    });
}
