//! The essential tasks. If one of them ends by itself or panics, the whole process goes down in order, so that its
//! supervisor starts it again, and no client talks to half a server.

use std::{any::Any, future::Future, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use thiserror::Error;
use tokio::{sync::mpsc, task::JoinHandle};

/// An essential task that ended before the server was stopped.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the {task} ended: {reason}; the server goes down, so that it can be started again")]
pub struct Ended {
    /// The task, as the log names it.
    pub task: &'static str,
    /// The text of the panic, or that the task returned.
    pub reason: String,
}

/// Watches over the essential tasks.
#[derive(Debug)]
pub(super) struct Essential {
    ended: mpsc::UnboundedSender<Ended>,
    ends: mpsc::UnboundedReceiver<Ended>,
}

impl Essential {
    pub(super) fn new() -> Self {
        let (ended, ends) = mpsc::unbounded_channel();
        Self { ended, ends }
    }

    /// Spawns an essential task.
    pub(super) fn spawn(
        &self,
        task: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let end = End {
            task,
            reason: Some("it was cancelled".into()),
            ended: self.ended.clone(),
        };
        tokio::spawn(async move {
            let ended = AssertUnwindSafe(work).catch_unwind().await;
            end.because(match ended {
                Ok(()) => "it returned, which it never should".into(),
                Err(panic) => format!("it panicked: {}", text(&*panic)),
            });
        })
    }

    /// Waits for the first task that ends.
    pub(super) async fn ended(&mut self) -> Ended {
        match self.ends.recv().await {
            Some(ended) => ended,
            // This struct holds a sender itself, so the channel never closes.
            None => std::future::pending().await,
        }
    }
}

/// Reports the end of its task when it is dropped, also if the task was cancelled.
struct End {
    task: &'static str,
    reason: Option<String>,
    ended: mpsc::UnboundedSender<Ended>,
}

impl End {
    fn because(mut self, reason: String) {
        self.reason = Some(reason);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(reason) = self.reason.take() {
            let task = self.task;
            // Nobody listens any more while the server goes down.
            self.ended.send(Ended { task, reason }).ok();
        }
    }
}

/// The message of a panic.
fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_way_to_end_is_noticed_with_its_reason() {
        let mut essential = Essential::new();
        essential.spawn("loop", async { panic!("a fold of {} failed", 3) });
        let ended = essential.ended().await;
        assert_eq!(ended.task, "loop");
        assert_eq!(ended.reason, "it panicked: a fold of 3 failed");

        essential.spawn("listener", async {});
        let said = essential.ended().await.to_string();
        assert!(
            said.starts_with("the listener ended: it returned"),
            "{said}"
        );

        essential.spawn("keeper", std::future::pending()).abort();
        assert_eq!(essential.ended().await.reason, "it was cancelled");
    }
}
