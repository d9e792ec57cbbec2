//! A client that the service knows of, until the service is told that it left.

use std::{sync::Arc, time::Duration};

use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

use super::{
    application::{Backend, was_not_handed_over},
    call::{CallKind, Subject},
};
use crate::access::Identity;

/// The pause before the first further try of a disconnect that could not be handed over; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The reason for which a client is gone that was dropped before anybody said why.
const LOST: &str = "transport close";

/// A client that the service was told of. The service hears of its end once, also when it ends before it was let in.
#[derive(Debug)]
pub(crate) struct Presence(Option<Known>);

#[derive(Debug)]
struct Known {
    backend: Arc<Backend>,
    client_id: Arc<str>,
    namespace: &'static str,
    who: Arc<Identity>,
}

impl Presence {
    pub(crate) fn new(
        backend: Arc<Backend>,
        client_id: Arc<str>,
        namespace: &'static str,
        who: Arc<Identity>,
    ) -> Self {
        Self(Some(Known {
            backend,
            client_id,
            namespace,
            who,
        }))
    }

    /// The same client with another identity.
    pub(crate) fn of(mut self, who: Arc<Identity>) -> Self {
        if let Some(known) = &mut self.0 {
            known.who = who;
        }
        self
    }

    /// Forgets a client that the service refused, or was not told of: it need not hear of its end.
    pub(crate) fn forget(mut self) {
        self.0 = None;
    }

    /// Tells the service that the client left. Returns the operations that it wants carried out then.
    pub(crate) async fn end(
        mut self,
        reason: &str,
        session: Option<&RawValue>,
    ) -> Vec<Box<RawValue>> {
        match self.0.take() {
            Some(known) => known.end(reason, session).await,
            None => Vec::new(),
        }
    }
}

impl Known {
    async fn end(self, reason: &str, session: Option<&RawValue>) -> Vec<Box<RawValue>> {
        if !self.backend.is_told() {
            return Vec::new();
        }
        let subject = Subject {
            client_id: &self.client_id,
            namespace: self.namespace,
            who: &self.who,
            rooms: &[],
            session,
        };
        let kind = CallKind::Disconnect { reason };
        let Ok(body) = kind.body(&subject) else {
            self.backend.metrics.disconnects_lost.inc();
            return Vec::new();
        };
        let until = Instant::now() + self.backend.disconnect_patience();
        let (mut pause, mut waits) = (FIRST_PAUSE, None);
        loop {
            // Each try is the same call, of the same time.
            let body = || Ok(body.clone());
            let outcome = match self.backend.hand_over(&kind, body, Instant::now()).await {
                Ok(answer) => return answer.operations,
                Err(outcome) => outcome,
            };
            waits = waits.or_else(|| self.backend.farewells().begin());
            let may_wait = waits.is_some() && Instant::now() + pause <= until;
            if !may_wait || !was_not_handed_over(outcome) {
                // The client is gone, so nobody is to be told; the failure is counted and logged.
                self.backend.metrics.disconnects_lost.inc();
                return Vec::new();
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(known) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // Nobody is left to carry out operations for.
            runtime.spawn(async move { known.end(LOST, None).await });
        }
    }
}
