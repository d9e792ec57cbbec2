//! Writes to many sockets in one task.
//!
//! A task of each connection that wakes for each update costs as much as the write. So the lanes that the hub has queued
//! something for are put into a list, and one task writes to their sockets, one after the other. There is a list for each
//! thread, and a lane stays in one of them: with more threads they write at the same time. The hub itself writes nothing, so it is
//! never held up by a socket.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::runtime::Handle;

use super::{batch::Batch, lane::ExpressLane, send_list::SendList};
use crate::observe::Sockets;

/// Sockets that are written to in a row. Then other tasks have the thread, the hub among them.
const SEND_RUN: usize = 16;

/// Whether a lane has more to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It is to be written to again, after all others.
    Yes,
    /// It has nothing, or its writer has it.
    No,
}

/// The lists of one server.
#[derive(Debug)]
pub(in crate::doors::socketio) struct Senders {
    lists: Box<[Arc<SendList<ExpressLane>>]>,
    /// The number of lanes so far, by which they are spread over the lists.
    lanes: AtomicUsize,
}

impl Senders {
    /// A list for each thread of the runtime.
    pub(in crate::doors::socketio) fn new(sockets: &Sockets) -> Self {
        let threads = Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
        Self {
            lists: (0..threads).map(|_| SendList::new(sockets)).collect(),
            lanes: AtomicUsize::new(0),
        }
    }

    /// The list of the next lane.
    pub(super) fn list(&self) -> Arc<SendList<ExpressLane>> {
        let nth = self.lanes.fetch_add(1, Ordering::Relaxed);
        self.lists[nth % self.lists.len()].clone()
    }
}

/// Puts a lane that has something to be written into its list.
pub(super) fn send_soon(list: &Arc<SendList<ExpressLane>>, lane: Arc<ExpressLane>) {
    if list.add(lane) {
        let serving = Serving {
            list: list.clone(),
            is_over: false,
        };
        // Without a runtime the task is dropped, and the writers are woken.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(serve(serving));
        }
    }
}

/// A list that is gone through. If its task ends before it is through, the writers of its lanes go on.
struct Serving {
    list: Arc<SendList<ExpressLane>>,
    /// Whether the task has come to the end of the list.
    is_over: bool,
}

impl Drop for Serving {
    fn drop(&mut self) {
        if !self.is_over {
            let mut waiting = self.list.lock();
            waiting.is_served = false;
            waiting.lanes.drain(..).for_each(|lane| lane.flush());
        }
    }
}

/// Writes to the sockets of a list until there is nothing left to write.
async fn serve(mut serving: Serving) {
    let list = serving.list.clone();
    let mut batch = Batch::new(None);
    let mut lanes = Vec::new();
    loop {
        {
            let mut waiting = list.lock();
            if waiting.lanes.is_empty() {
                waiting.is_served = false;
                serving.is_over = true;
                return;
            }
            std::mem::swap(&mut lanes, &mut waiting.lanes);
        }
        let mut rest = lanes.drain(..);
        while rest.len() > 0 {
            let mut tally = list.sockets.tally();
            for lane in rest.by_ref().take(SEND_RUN) {
                if lane.send_now(&mut batch, &mut tally) == Again::Yes {
                    list.lock().lanes.push(lane);
                }
            }
            drop(tally);
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests;
