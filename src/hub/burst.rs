//! Many commands at once: each is answered, also those that the loop takes when it is time for something else.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

use super::{Hub, requests::MAX_COMMANDS_PER_TURN, testing::options};
use crate::{
    journal::{MemoryJournal, Retention},
    observe::Metrics,
    update::{Table, TransformOptions},
};

#[tokio::test(start_paused = true)]
async fn every_command_of_a_burst_is_answered() {
    let journal = MemoryJournal::new(Retention {
        max_events: 100,
        max_age: Duration::from_secs(3_600),
        max_bytes: 1 << 20,
    });
    let table = Table::new(TransformOptions::default());
    let (hub, handle, _) = Hub::new(options(), Arc::new(journal), table, Metrics::new());
    tokio::spawn(hub.run());
    // Each question is asked in a task of its own, so that all of them wait when the loop has its turn.
    let asking = (0..10 * MAX_COMMANDS_PER_TURN).map(|_| {
        let handle = handle.clone();
        tokio::spawn(async move { handle.members_of("observers".into()).await })
    });
    let answers = join_all(asking).await;
    let lost = answers
        .iter()
        .filter(|answer| !matches!(answer, Ok(Ok(_))))
        .count();
    assert_eq!(lost, 0, "of {}", answers.len());
    handle.stop().await;
}
