//! Events of the server that ask the client for an answer.
//!
//! The engine can do this too, but it remembers each question that is never answered until the session ends, and treats
//! an answer that it can't read as none. Here a question is remembered as long as somebody waits for its answer, and an
//! unreadable answer counts.

use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{
    super::{frame::Frame, packet::Packet, screen::Listener},
    express::ExpressLane,
    open::{Answered, Open, Said},
};
use crate::{channel::Namespace, doors::backend::Arguments};

/// A question that was sent. It is forgotten when this is dropped.
#[derive(Debug)]
pub struct Asked {
    /// The lane of the client that is asked.
    lane: Arc<ExpressLane>,
    /// The id of the question.
    id: i64,
    /// Brings the answer.
    answer: oneshot::Receiver<Said>,
}

impl Asked {
    /// Waits for the answer, or the fault in it; `None` when the client left.
    pub async fn answer(&mut self) -> Option<Result<Answered, String>> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.lane.open().waiting.remove(&self.id);
    }
}

impl ExpressLane {
    /// Sends an event that asks for an answer.
    pub fn ask(self: &Arc<Self>, namespace: Namespace, event: &str, payload: &str) -> Asked {
        let frame = |id| Frame::asking(namespace, id, event, payload);
        self.ask_by(namespace, frame)
    }

    /// The same with any number of arguments, and bytes among them.
    pub(in crate::doors::socketio) fn ask_with(
        self: &Arc<Self>,
        namespace: Namespace,
        event: &str,
        arguments: &Arguments,
    ) -> Asked {
        let first = self.speaks_first_protocol();
        let frame = |id| Frame::asking_with(namespace, id, event, arguments, first);
        self.ask_by(namespace, frame)
    }

    fn ask_by(self: &Arc<Self>, namespace: Namespace, frame: impl FnOnce(i64) -> Frame) -> Asked {
        let (sender, answer) = oneshot::channel();
        let id = {
            let mut open = self.open();
            open.last += 1;
            let id = open.last;
            open.waiting.insert(id, (namespace, sender));
            id
        };
        self.send(&frame(id));
        self.flush();
        Asked {
            lane: self.clone(),
            id,
            answer,
        }
    }

    fn say(&self, packet: &Packet<'_>, said: impl FnOnce() -> Said) {
        let Some(id) = packet.ack else { return };
        let mut open = self.open();
        let is_asked =
            |(namespace, _): &(Namespace, _)| Namespace::at(packet.namespace) == Some(*namespace);
        if open.waiting.get(&id).is_some_and(is_asked)
            && let Some((_, sender)) = open.waiting.remove(&id)
        {
            sender.send(said()).ok();
        }
    }

    pub(super) fn open(&self) -> MutexGuard<'_, Open> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for ExpressLane {
    fn is_on(&self, namespace: Namespace) -> bool {
        self.is_on(namespace)
    }

    fn first_on(&self) -> Option<Namespace> {
        self.first_on()
    }

    fn is_joined(&self) -> bool {
        self.is_joined()
    }

    fn speaks_msgpack(&self) -> bool {
        self.speaks_msgpack()
    }

    fn speak_msgpack(&self) {
        self.speak_msgpack();
    }

    /// Passes the client's answer on, if somebody still waits for it.
    fn answered(&self, packet: &Packet<'_>, attachments: Vec<Vec<u8>>) {
        self.say(packet, || {
            Ok(Answered {
                json: packet.body.to_owned(),
                attachments,
            })
        });
    }

    /// Passes on that the client's answer was incomplete.
    fn answered_badly(&self, packet: &Packet<'_>, why: &str) {
        self.say(packet, || Err(why.to_owned()));
    }
}
