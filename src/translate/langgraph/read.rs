//! Reads one event after the other.

use super::{
    shapes::{is_event, is_of_protocol},
    state::LangGraph,
};
use crate::{
    error::Error,
    event::Object,
    translate::{fields::needed, output::Output},
};

impl LangGraph {
    /// Tells what a message says.
    pub(in crate::translate) fn read(
        &mut self,
        message: Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        if is_of_protocol(&message) {
            return self.read_protocol(message, out);
        }
        if is_event(&message) {
            return self.read_event(message, out);
        }
        let kind = needed(
            &message,
            if message.contains_key("event") {
                "event"
            } else {
                "type"
            },
        )?;
        let name = kind.to_owned();
        out.keep_unknown(&name, message, None);
        Ok(())
    }

    /// The stream is over: the protocol within a process has no word for the end of the root graph.
    pub(in crate::translate) fn end(&mut self, out: &mut Output<'_>) {
        self.end_of_protocol(out);
    }
}
