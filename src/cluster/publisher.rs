//! The thread that sends: one call of the engine for all messages that wait.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use redis::Connection;

use super::{frame::HERE, halves::Half, queue::Waiting, shared::Shared};
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
            None => match connect(shared, &mut backoff) {
                Ok(made) => connection.insert(made),
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
        if let Err(fault) = publish(shared, open, &waiting, &mut backoff) {
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

/// Connects. Where none went before, a message is sent at once: it shows whether they go now, at the cost of none that waits.
fn connect(shared: &Shared, backoff: &mut Backoff) -> Result<Connection, Fault> {
    let mut connection = shared.engine.connect(shared.options.timeout)?;
    if shared.halves.is_lost(Half::Publisher)
        && let Some(text) = shared.greeting(HERE, None)
    {
        let (kind, at) = (HERE, Instant::now());
        let probe = Waiting { kind, text, at };
        publish(shared, &mut connection, &[probe], backoff)?;
    }
    Ok(connection)
}

/// Publishes messages in their order.
fn publish(
    shared: &Shared,
    connection: &mut Connection,
    waiting: &[Waiting],
    backoff: &mut Backoff,
) -> Result<(), Fault> {
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
    let listeners = listeners.last().copied().unwrap_or_default();
    shared.listeners.store(listeners, Ordering::Release);
    backoff.reset();
    if shared.halves.works(Half::Publisher) {
        tracing::info!("other nodes can be told again");
    }
    Ok(())
}

fn lost(shared: &Shared, fault: &Fault) {
    let reason = format!("other nodes can't be told anything: {fault}");
    if shared.halves.lost(Half::Publisher, reason) {
        shared.metrics.lost(Half::Publisher.name());
        tracing::warn!(%fault, "other nodes can't be told anything; the connection is made again");
    }
}
