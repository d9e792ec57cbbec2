//! Sessions that other nodes hold: a client may come back to any node.

use std::{sync::Arc, time::Duration};

use tokio::{spawn, sync::Semaphore, time::timeout};

use super::{RecoveryMetrics, pid::Key};
use crate::journal::Journal;

/// The bounds on asking for sessions of other nodes.
#[derive(Debug, Clone, Copy)]
pub struct ClaimLimits {
    /// Sessions that are asked for at a time.
    pub at_once: usize,
    /// The time for one, the wait for its turn included.
    pub within: Duration,
}

/// The way to sessions that other nodes hold.
#[derive(Debug)]
pub(super) struct Claims {
    journal: Arc<dyn Journal>,
    turns: Arc<Semaphore>,
    within: Duration,
}

impl Claims {
    pub(super) fn new(journal: Arc<dyn Journal>, limits: ClaimLimits) -> Self {
        Self {
            journal,
            turns: Arc::new(Semaphore::new(limits.at_once)),
            within: limits.within,
        }
    }

    /// Takes a session over that another node holds: its text. Without an answer in time there is none, and that is counted: its
    /// client connects anew.
    pub(super) async fn claim(&self, key: Key, metrics: &RecoveryMetrics) -> Option<String> {
        if self.journal.health().trouble.is_some() {
            metrics.dropped("unclaimed");
            return None;
        }
        let claim = async {
            let turn = self.turns.clone().acquire_owned().await.ok()?;
            let (journal, name) = (self.journal.clone(), key.text());
            // The turn ends with the asking, also where nobody waits for the answer any longer.
            let asked = spawn(async move {
                let _turn = turn;
                journal.claim_session(name).await
            });
            asked.await.ok()
        };
        match timeout(self.within, claim).await {
            Ok(Some(Ok(claimed))) => claimed,
            _ => {
                metrics.dropped("unclaimed");
                None
            }
        }
    }
}
