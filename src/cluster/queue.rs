//! Messages that wait to be sent, bounded in bytes.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// Messages of one call of the engine.
const AT_A_TURN: usize = 256;
/// Bytes of one call of the engine, unless one message alone has more.
const BYTES_AT_A_TURN: usize = 1 << 20;

/// A message that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) kind: &'static str,
    pub(super) text: Vec<u8>,
    /// The time at which it was queued.
    pub(super) at: Instant,
}

/// The reason why a message can't wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    Full,
    Closed,
}

/// Messages that wait to be sent.
#[derive(Debug)]
pub(super) struct OutQueue {
    most: usize,
    inner: Mutex<Inner>,
    /// Wakes the sender.
    filled: Condvar,
    /// Wakes those that wait for room.
    moved: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    is_closed: bool,
}

impl OutQueue {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            inner: Mutex::default(),
            filled: Condvar::new(),
            moved: Notify::new(),
        }
    }

    /// Queues a message; gives its text back where there is no room.
    pub(super) fn push(&self, kind: &'static str, text: Vec<u8>) -> Result<(), (NoRoom, Vec<u8>)> {
        let mut inner = self.lock();
        if inner.is_closed {
            return Err((NoRoom::Closed, text));
        }
        if inner.bytes > 0 && inner.bytes + text.len() > self.most {
            return Err((NoRoom::Full, text));
        }
        inner.bytes += text.len();
        let at = Instant::now();
        inner.waiting.push_back(Waiting { kind, text, at });
        drop(inner);
        self.filled.notify_one();
        Ok(())
    }

    /// Whether there is room for so many bytes.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let inner = self.lock();
        inner.bytes == 0 || inner.bytes + bytes <= self.most
    }

    /// Returns when messages were taken, or at the end of this time.
    pub(super) async fn moved(&self, within: Duration) {
        // One that was taken before this is called is waited for in vain, and no longer than a moment.
        tokio::time::timeout(within, self.moved.notified())
            .await
            .ok();
    }

    /// The messages of one call; none when the time is over. None at all after the end.
    pub(super) fn take(&self, wait: Duration) -> Option<Vec<Waiting>> {
        let mut inner = self.lock();
        if inner.waiting.is_empty() && !inner.is_closed {
            let waited = self.filled.wait_timeout(inner, wait);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if inner.waiting.is_empty() {
            return (!inner.is_closed).then(Vec::new);
        }
        let mut taken = Vec::new();
        let mut bytes = 0;
        while taken.len() < AT_A_TURN && bytes < BYTES_AT_A_TURN {
            let Some(next) = inner.waiting.pop_front() else {
                break;
            };
            bytes += next.text.len();
            taken.push(next);
        }
        inner.bytes -= bytes;
        drop(inner);
        self.moved.notify_waiters();
        Some(taken)
    }

    /// Waits for so long, or until the end; returns whether it came.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let inner = self.lock();
        if inner.is_closed {
            return true;
        }
        // A message that comes meanwhile ends no pause: the engine is away.
        let closed = self
            .filled
            .wait_timeout_while(inner, wait, |inner| !inner.is_closed);
        closed.unwrap_or_else(PoisonError::into_inner).0.is_closed
    }

    /// Takes no more; those that wait are still sent.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_all();
        self.moved.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded_in_bytes_and_what_waits_at_the_end_is_still_sent() {
        let queue = OutQueue::new(10);
        // One that is larger than the queue alone has room when nothing else waits.
        assert!(queue.push("a", vec![0; 12]).is_ok());
        let full = queue.push("b", vec![1; 2]);
        assert_eq!(full, Err((NoRoom::Full, vec![1; 2])));
        assert_eq!(queue.take(Duration::ZERO).map(|taken| taken.len()), Some(1));
        assert!(queue.push("b", vec![1; 2]).is_ok() && queue.push("c", vec![1; 8]).is_ok());
        queue.close();
        assert_eq!(queue.push("d", vec![1]), Err((NoRoom::Closed, vec![1])));
        let taken = queue.take(Duration::ZERO).unwrap_or_default();
        assert_eq!(
            taken.iter().map(|one| one.kind).collect::<Vec<_>>(),
            ["b", "c"]
        );
        assert!(queue.take(Duration::ZERO).is_none() && queue.pause(Duration::MAX));
    }
}
