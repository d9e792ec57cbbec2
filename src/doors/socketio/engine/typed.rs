//! Attachments in a poll of Engine.IO 3: the engine writes them as Engine.IO 4 does, without their packet's type.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    message::Message,
    packets::{Form, messages, packets, write},
};

/// The beginning of an attachment; all other packets begin with a digit.
const ATTACHMENT: u8 = b'b';
/// The type of a packet that is a message.
const MESSAGE: u8 = 4;

/// The answer to a poll with the type of each attachment; none if it needs none.
pub(super) fn typed_poll(form: Form, body: &[u8]) -> Option<Vec<u8>> {
    let is_attachment = |packet: &[u8]| packet.first() == Some(&ATTACHMENT);
    if form == Form::Separated || !packets(form, body).any(is_attachment) {
        return None;
    }
    let typed = |message| match message {
        Message::Text(text) if is_attachment(&text) => Some(Message::Binary(typed(&text)?)),
        other => Some(other),
    };
    let all: Option<Vec<_>> = messages(form, body)?.into_iter().map(typed).collect();
    Some(write(form, &all?))
}

/// The bytes of an attachment behind its type.
fn typed(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![MESSAGE];
    STANDARD.decode_vec(text.get(1..)?, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attachment_has_its_type_in_both_forms() {
        let event = r#"451-["é",{"_placeholder":true,"num":0}]"#;
        let engines = [
            Message::text(event),
            Message::text("bAP8="),
            Message::text("2"),
        ];
        let attached = Message::Binary(vec![4, 0, 255]);
        let expected = [engines[0].clone(), attached, engines[2].clone()];
        for form in [Form::Counted, Form::Binary] {
            let typed = typed_poll(form, &write(form, &engines));
            assert_eq!(typed, Some(write(form, &expected)), "{form:?}");
            assert_eq!(typed_poll(form, &write(form, &engines[..1])), None);
        }
        let counted = String::from_utf8(write(Form::Counted, &expected)).unwrap();
        assert_eq!(
            counted,
            format!("{}:{event}6:b4AP8=1:2", event.chars().count())
        );
        assert_eq!(typed_poll(Form::Separated, b"451-[]\x1ebAP8="), None);
    }
}
