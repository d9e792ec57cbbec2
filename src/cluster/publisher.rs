//! The thread that sends: one call of the engine for all messages that wait.

use std::sync::{Arc, atomic::Ordering};

use redis::Connection;

use super::{
    queue::Waiting,
    shared::{Half, Shared},
};
use crate::{backoff::Backoff, engine::Fault};

/// Sends until the link ends; connects again whenever the connection is lost.
pub(super) fn run(shared: &Arc<Shared>) {
    let mut backoff = Backoff::new();
    let mut connection = None;
    let mut renewals = 0;
    loop {
        let now = shared.renewals.load(Ordering::Acquire);
        if now != renewals {
            renewals = now;
            connection = None;
        }
        let open = match &mut connection {
            Some(open) => open,
            None => match shared.engine.connect(shared.options.timeout) {
                Ok(made) => {
                    backoff.reset();
                    if shared.set_trouble(Half::Publisher, None).is_some() {
                        tracing::info!("other nodes can be told again");
                    }
                    connection.insert(made)
                }
                Err(fault) => {
                    lost(shared, &fault);
                    if shared.queue.pause(backoff.next()) {
                        return;
                    }
                    continue;
                }
            },
        };
        let Some(waiting) = shared.queue.take(shared.options.here_interval()) else {
            return;
        };
        // After an outage nobody wants what was said long before.
        let (waiting, late): (Vec<Waiting>, Vec<Waiting>) = waiting
            .into_iter()
            .partition(|one| one.at.elapsed() <= shared.options.node_timeout);
        late.iter().for_each(|_| shared.metrics.dropped("late"));
        if waiting.is_empty() {
            continue;
        }
        match publish(shared, open, &waiting) {
            Ok(listeners) => shared.listeners.store(listeners, Ordering::Release),
            Err(fault) => {
                // They may have been sent: a second time is worse than none.
                waiting
                    .iter()
                    .for_each(|_| shared.metrics.dropped("unsent"));
                lost(shared, &fault);
                connection = None;
                if shared.queue.pause(backoff.next()) {
                    return;
                }
            }
        }
    }
}

/// Publishes messages in their order; returns how many nodes listen.
fn publish(
    shared: &Shared,
    connection: &mut Connection,
    waiting: &[Waiting],
) -> Result<u64, Fault> {
    let mut calls = redis::pipe();
    for one in waiting {
        calls
            .cmd("PUBLISH")
            .arg(&shared.channel)
            .arg(one.text.as_slice());
    }
    let listeners: Vec<u64> = calls.query(connection)?;
    for one in waiting {
        shared.metrics.sent(one.kind);
    }
    Ok(listeners.last().copied().unwrap_or_default())
}

fn lost(shared: &Shared, fault: &Fault) {
    let reason = format!("other nodes can't be told anything: {fault}");
    let before = shared.set_trouble(Half::Publisher, Some(reason));
    if before.is_none() {
        shared.metrics.lost(Half::Publisher.name());
        tracing::warn!(%fault, "other nodes can't be told anything; the connection is made again");
    }
}
