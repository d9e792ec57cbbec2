//! Binary messages: attachments, or whole packets of a client with the msgpack parser.

use super::{
    super::{
        close_reason::CloseReason,
        msgpack::{PacketBounds, Unread, unpack},
        packet::Unreadable,
    },
    Listener, Passed, Screen, Speech,
};

impl Screen {
    /// A binary message: an attachment, or a whole packet of a client with the msgpack parser.
    pub(super) fn binary(
        &mut self,
        bytes: Vec<u8>,
        speech: Speech,
        lane: &dyn Listener,
    ) -> Result<Passed, CloseReason> {
        let is_known = lane.speaks_msgpack();
        let may_begin = !speech.is_first_protocol && self.pending.is_none() && !lane.is_joined();
        if !is_known && !may_begin {
            return self.attachment_in_turn(bytes, speech, lane);
        }
        let bounds = PacketBounds {
            attachments: usize::try_from(self.bounds.count).unwrap_or(usize::MAX),
            text: self.bounds.bytes,
        };
        let packet = match unpack(&bytes, bounds) {
            Ok(packet) if is_known || packet.is_connect => packet,
            Err(unread) if is_known => return Ok(self.unread(&unread, lane)),
            _ => return self.attachment_in_turn(bytes, speech, lane),
        };
        if packet.is_connect {
            lane.speak_msgpack();
            if !speech.is_polling {
                let left = self.connects_left.checked_sub(1);
                self.connects_left = left.ok_or(CloseReason::Connects)?;
            }
        }
        let mut passed = self.packet(&packet.text, lane);
        for bytes in packet.attachments {
            passed.extend(self.attachment(bytes, speech, lane));
        }
        Ok(passed)
    }

    fn unread(&self, unread: &Unread, lane: &dyn Listener) -> Passed {
        let unreadable = Unreadable {
            namespace: &unread.namespace,
            ack: unread.ack,
            kind: unread.kind,
            attachments: 0,
            why: unread.why.clone(),
        };
        self.answer(&unreadable, lane)
    }

    /// An attachment by WebSocket ends the session if the client has never joined a namespace.
    fn attachment_in_turn(
        &mut self,
        bytes: Vec<u8>,
        speech: Speech,
        lane: &dyn Listener,
    ) -> Result<Passed, CloseReason> {
        // The engine gets what follows a CONNECT before it has judged that; only the express sessions wait.
        let may_wait = speech.is_polling || speech.is_first_protocol;
        match may_wait || lane.is_joined() {
            true => Ok(self.attachment(bytes, speech, lane)),
            false => Err(CloseReason::BeforeConnect),
        }
    }
}
