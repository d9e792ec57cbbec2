//! The refusal of a client with data: the engine's CONNECT_ERROR has only a message.
//!
//! The whole body is given to the engine as the message, behind a mark; here it takes the packet's place.

use serde_json::Value;

use super::{
    message::Message,
    packets::{Form, messages, write},
};

/// The beginning of a message that is a whole body. It begins with NUL, as no application's own message does.
pub const REFUSAL: &str = "\u{0}stoa.refusal ";
/// The same as it stands in the packet.
const WRITTEN: &str = "{\"message\":\"\\u0000stoa.refusal ";

/// The packet with the body that is its message; none for any other packet.
pub(super) fn mended(packet: &[u8]) -> Option<String> {
    let packet = std::str::from_utf8(packet).ok()?;
    if !packet.starts_with("44") {
        return None;
    }
    let at = packet.find(WRITTEN)?;
    let mut message: Value = serde_json::from_str(&packet[at..]).ok()?;
    let body = message["message"].take();
    let body = body.as_str()?.strip_prefix(REFUSAL)?;
    Some(format!("{}{body}", &packet[..at]))
}

/// The answer to a poll with all such packets put right; none if there are none.
pub(super) fn mended_poll(form: Form, body: &[u8]) -> Option<Vec<u8>> {
    memchr::memmem::find(body, WRITTEN.as_bytes())?;
    let mut all = messages(form, body)?;
    for message in &mut all {
        if let Message::Text(text) = message
            && let Some(mended) = mended(text)
        {
            *text = mended.into_bytes();
        }
    }
    Some(write(form, &all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_takes_the_place_of_the_message() {
        let body = serde_json::json!({ "message": "no \"guests\"", "data": { "why": [1] } });
        let message = serde_json::json!({ "message": format!("{REFUSAL}{body}") });
        for place in ["44", "44/chat,"] {
            let packet = format!("{place}{message}");
            assert_eq!(mended(packet.as_bytes()), Some(format!("{place}{body}")));
            let poll = format!("2\u{1e}{packet}\u{1e}40");
            let expected = format!("2\u{1e}{place}{body}\u{1e}40");
            let mended = mended_poll(Form::Separated, poll.as_bytes());
            assert_eq!(mended.as_deref(), Some(expected.as_bytes()));
        }
        assert_eq!(mended(br#"44{"message":"no"}"#), None);
        assert_eq!(mended_poll(Form::Separated, b"2"), None);
    }
}
