//! A packet of the engine and its attachments, which come from it frame by frame.

use super::write::announced;
use crate::net::frame::FINAL_BINARY;

/// A packet whose attachments are still to come out of the engine.
#[derive(Debug, Default)]
pub(in crate::doors::socketio::engine) struct Attached {
    /// The frames so far.
    frames: Vec<u8>,
    /// Attachments that are still to come.
    missing: usize,
}

impl Attached {
    /// Takes the next frame of the engine, with its payload; the frames that belong together, once the last of them is there.
    pub(in crate::doors::socketio::engine) fn join(
        &mut self,
        frame: &[u8],
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let is_attachment = frame.first() == Some(&FINAL_BINARY);
        if self.missing > 0 && !is_attachment {
            return Some(frame.to_vec());
        }
        if self.missing == 0 {
            let text = payload.strip_prefix(b"4").map(std::str::from_utf8);
            self.missing = match text {
                Some(Ok(text)) => announced(text).unwrap_or(0),
                _ => 0,
            };
        } else {
            self.missing -= 1;
        }
        self.frames.extend_from_slice(frame);
        (self.missing == 0).then(|| std::mem::take(&mut self.frames))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_waits_for_its_attachments() {
        let mut attached = Attached::default();
        assert_eq!(
            attached.join(b"\x81\x012", b"2"),
            Some(b"\x81\x012".to_vec())
        );
        assert_eq!(attached.join(b"\x81\x0852-[\"e\"]", b"452-[\"e\"]"), None);
        assert_eq!(attached.join(b"\x82\x00", b""), None);
        // A heartbeat may come in between.
        assert_eq!(
            attached.join(b"\x81\x012", b"2"),
            Some(b"\x81\x012".to_vec())
        );
        let all = attached.join(b"\x82\x01a", b"a");
        assert_eq!(all, Some(b"\x81\x0852-[\"e\"]\x82\x00\x82\x01a".to_vec()));
        assert_eq!(
            attached.join(b"\x81\x0241", b"41"),
            Some(b"\x81\x0241".to_vec())
        );
    }
}
