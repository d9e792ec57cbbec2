//! Questions to other nodes that wait for their answers.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::error::Error;

/// The answer of a node: what it says, or its refusal.
pub type NodeAnswer = Result<Box<RawValue>, Error>;

/// An answer as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum WrittenAnswer {
    #[serde(rename = "ok")]
    Said(Box<RawValue>),
    #[serde(rename = "error")]
    Refused { code: String, message: String },
}

impl WrittenAnswer {
    pub(super) fn of(answer: NodeAnswer) -> Self {
        match answer {
            Ok(said) => Self::Said(said),
            Err(refusal) => Self::Refused {
                code: refusal.code.to_owned(),
                message: refusal.message,
            },
        }
    }

    fn read(self) -> NodeAnswer {
        match self {
            Self::Said(said) => Ok(said),
            Self::Refused { code, message } => Err(Error::told(&code, message)),
        }
    }
}

/// One answer, or the end of the node before it; the node by its start.
type Arrived = (Arc<str>, Option<NodeAnswer>);

/// A question that waits.
#[derive(Debug)]
struct Asking {
    /// The nodes that have not answered yet, by their starts.
    left: Vec<Arc<str>>,
    answers: UnboundedSender<Arrived>,
}

/// The questions that wait.
#[derive(Debug, Default)]
pub(super) struct Pending {
    asking: Mutex<HashMap<u64, Asking>>,
    last: AtomicU64,
}

/// A question that waits for its answers, until this is dropped.
#[derive(Debug)]
pub(super) struct Question<'p> {
    pending: &'p Pending,
    pub(super) number: u64,
    answers: UnboundedReceiver<Arrived>,
}

impl Pending {
    /// A question to these nodes.
    pub(super) fn ask(&self, nodes: Vec<Arc<str>>) -> Question<'_> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        // As many answers come as nodes are asked.
        let (sender, answers) = unbounded_channel();
        let asking = Asking {
            left: nodes,
            answers: sender,
        };
        self.lock().insert(number, asking);
        Question {
            pending: self,
            number,
            answers,
        }
    }

    /// A node answers; false if nobody waits for that.
    pub(super) fn answered(&self, number: u64, boot: &str, body: &RawValue) -> bool {
        let mut asking = self.lock();
        let Some(question) = asking.get_mut(&number) else {
            return false;
        };
        let Some(at) = question.left.iter().position(|left| **left == *boot) else {
            return false;
        };
        let Ok(answer) = serde_json::from_str::<WrittenAnswer>(body.get()) else {
            return false;
        };
        let boot = question.left.swap_remove(at);
        question.answers.send((boot, Some(answer.read()))).ok();
        if question.left.is_empty() {
            asking.remove(&number);
        }
        true
    }

    /// A node is gone: it answers nothing any more.
    pub(super) fn gone(&self, boot: &str) {
        self.lock().retain(|_, question| {
            if let Some(at) = question.left.iter().position(|left| **left == *boot) {
                let boot = question.left.swap_remove(at);
                question.answers.send((boot, None)).ok();
            }
            !question.left.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Asking>> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question<'_> {
    /// The next answer; none when all nodes have answered, or are gone.
    pub(super) async fn next(&mut self) -> Option<Arrived> {
        self.answers.recv().await
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.pending.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::body::written;

    #[tokio::test]
    async fn each_node_answers_once_and_one_that_goes_is_not_waited_for() {
        let pending = Pending::default();
        let mut question = pending.ask(vec!["a".into(), "b".into(), "c".into()]);
        let said = written(&WrittenAnswer::of(written(&7))).unwrap();
        let refused = WrittenAnswer::of(Err(Error::new("not_found", "no such client")));
        let refused = written(&refused).unwrap();
        let number = question.number;
        assert!(pending.answered(number, "b", &said));
        assert!(!pending.answered(number, "b", &said));
        assert!(!pending.answered(number + 1, "a", &said));
        assert!(pending.answered(number, "a", &refused));
        pending.gone("c");
        let (node, answer) = question.next().await.unwrap();
        assert_eq!((&*node, answer.unwrap().unwrap().get()), ("b", "7"));
        let (node, answer) = question.next().await.unwrap();
        assert_eq!(
            (&*node, answer.unwrap().unwrap_err().code),
            ("a", "not_found")
        );
        let (node, answer) = question.next().await.unwrap();
        assert!(&*node == "c" && answer.is_none());
        assert!(question.next().await.is_none());
        assert!(pending.lock().is_empty());
        drop(pending.ask(vec!["a".into()]));
        assert!(pending.lock().is_empty());
    }
}
