//! The pulse of a node: says again and again that it is here, and notices those that are not.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use tokio::time::{MissedTickBehavior, interval};

use super::shared::Shared;

/// Shows this node, and forgets those that don't. Never returns.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut beat = interval(shared.options.here_interval());
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewed: Option<Instant> = None;
    loop {
        beat.tick().await;
        shared.say_here(None);
        let now = Instant::now();
        if shared.is_deaf() {
            // Nothing is known of the others meanwhile. The listener notices by itself; here the sender is told.
            let again = |at: Instant| now.duration_since(at) > shared.options.probe_time();
            if shared.has_heard_itself() && renewed.is_none_or(again) {
                renewed = Some(now);
                shared.metrics.lost("silent");
                shared.renewals.fetch_add(1, Ordering::AcqRel);
            }
            continue;
        }
        if !shared.hears_itself() {
            continue;
        }
        let gone = shared.nodes().sweep(shared.options.node_timeout, now);
        for (name, boot) in gone {
            shared.node_left(&name, &boot, "was not heard of for [cluster] node_timeout");
        }
    }
}
