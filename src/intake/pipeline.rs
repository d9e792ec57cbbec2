//! The calls of one producer that are placed and not answered yet.

use std::collections::VecDeque;

use futures_util::FutureExt;

use super::{placed::Placed, receipt::Receipt};
use crate::error::Error;

/// The bounds on the calls of one producer that wait for their answers.
#[derive(Debug, Clone, Copy)]
pub struct PipelineLimits {
    /// The most calls.
    pub calls: usize,
    /// Bytes that their events may hold; a further call is placed only below them.
    pub bytes: usize,
}

/// Calls that wait for their answers, in the order in which they were placed, each with what its door needs to answer it.
#[derive(Debug)]
pub struct Pipeline<'i, T> {
    calls: VecDeque<(Placed<'i>, T)>,
    /// Bytes that their events hold.
    held: usize,
    limits: PipelineLimits,
}

impl<T> Drop for Pipeline<'_, T> {
    /// Gives the calls up from the last to the first: the journal, which looks at them in their order, then never keeps one
    /// behind one that was given up.
    fn drop(&mut self) {
        while self.calls.pop_back().is_some() {}
    }
}

/// The answer to a call.
pub type Answered<T> = (Result<Receipt, Error>, T);

impl<'i, T> Pipeline<'i, T> {
    /// A pipeline with nothing in it.
    pub fn new(limits: PipelineLimits) -> Self {
        Self {
            calls: VecDeque::new(),
            held: 0,
            limits,
        }
    }

    /// Whether no call waits for its answer.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether a call has to be answered before a further one is placed.
    pub fn is_full(&self) -> bool {
        self.calls.len() >= self.limits.calls || self.held >= self.limits.bytes
    }

    /// Adds a call that was placed after all the others.
    pub fn push(&mut self, placed: Placed<'i>, with: T) {
        self.held += placed.held();
        self.calls.push_back((placed, with));
    }

    /// The answer to the first call, as soon as it is there; none without a call. Nothing is lost when this is dropped.
    pub async fn next(&mut self) -> Option<Answered<T>> {
        let (first, _) = self.calls.front_mut()?;
        let held = first.held();
        let answer = first.kept().await;
        self.held -= held;
        let (_, with) = self.calls.pop_front()?;
        Some((answer, with))
    }

    /// The answer to the first call, if it is there.
    pub fn next_now(&mut self) -> Option<Answered<T>> {
        self.next().now_or_never().flatten()
    }

    /// Does `work`, and hands on the answers that come meanwhile: the room that the work waits for may be that of calls
    /// whose answers are there.
    pub async fn beside<W: Future>(
        &mut self,
        work: W,
        mut answered: impl FnMut(Answered<T>),
    ) -> W::Output {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                Some(answer) = self.next(), if !self.is_empty() => answered(answer),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Notes the moment at which it is dropped among those of others.
    struct Noted(usize, Arc<Mutex<Vec<usize>>>);

    impl Drop for Noted {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    #[test]
    fn calls_are_given_up_from_the_last_to_the_first() {
        let limits = PipelineLimits {
            calls: 10,
            bytes: 1_000,
        };
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut pipeline = Pipeline::new(limits);
        for nth in 0..4 {
            let placed = Placed::refused(Error::bad_request("odd"));
            pipeline.push(placed, Noted(nth, order.clone()));
        }
        drop(pipeline.next_now());
        drop(pipeline);
        assert_eq!(*order.lock().unwrap(), [0, 3, 2, 1]);
    }
}
