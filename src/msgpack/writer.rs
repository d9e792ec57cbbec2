//! JSON to msgpack: values are written as they are read, lists and maps with their lengths put in behind.

use std::fmt;

use bytes::Bytes;
use rmp::encode as pack;
use serde::{
    Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

/// The first key of Socket.IO's placeholder of a binary value, and its value.
const PLACEHOLDER: &[u8] = b"\xac_placeholder\xc3";
/// The other key, before the number of the binary value.
const NUMBER: &[u8] = b"\xa3num";

/// Writes JSON as msgpack, with the binary values in the places of their placeholders.
///
/// # Errors
/// The text is not JSON, is nested deeper than 127, or has a number or a text that msgpack can't hold: one beyond all floats, or
/// half a surrogate pair.
pub(crate) fn write_json(
    json: &str,
    attachments: &[Bytes],
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    Writer { out, attachments }.deserialize(&mut reader)?;
    reader.end()
}

/// Writes the next value. Writing into memory does not fail.
struct Writer<'o> {
    out: &'o mut Vec<u8>,
    attachments: &'o [Bytes],
}

impl Writer<'_> {
    fn again(&mut self) -> Writer<'_> {
        Writer {
            out: self.out,
            attachments: self.attachments,
        }
    }

    /// Puts the head of a list or a map in the place that was kept for it.
    fn close(&mut self, at: usize, head: &[u8]) {
        drop(self.out.splice(at..=at, head.iter().copied()));
    }

    /// The binary value for which the map behind this place stands, if it is a placeholder.
    fn attachment(&self, at: usize) -> Option<Bytes> {
        let map = self.out.get(at + 1..)?;
        let behind = |rest: &[u8]| {
            let mut rest = rest.strip_prefix(NUMBER)?;
            let number: usize = rmp::decode::read_int(&mut rest).ok()?;
            Some((number, rest.to_vec()))
        };
        let (number, rest) = match map.strip_prefix(PLACEHOLDER) {
            Some(rest) => behind(rest)?,
            None => {
                let (number, rest) = behind(map)?;
                (number, rest.strip_prefix(PLACEHOLDER)?.to_vec())
            }
        };
        self.attachments
            .get(number)
            .filter(|_| rest.is_empty())
            .cloned()
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        pack::write_nil(self.out).ok();
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        pack::write_bool(self.out, value).ok();
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        pack::write_uint(self.out, number).ok();
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        pack::write_sint(self.out, number).ok();
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        pack::write_f64(self.out, number).ok();
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        pack::write_str(self.out, text).ok();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let at = self.out.len();
        self.out.push(0);
        let mut len = 0;
        while list.next_element_seed(self.again())?.is_some() {
            len += 1;
        }
        let mut head = Vec::with_capacity(5);
        pack::write_array_len(&mut head, len).ok();
        self.close(at, &head);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let at = self.out.len();
        self.out.push(0);
        let mut len = 0;
        while map.next_key_seed(self.again())?.is_some() {
            map.next_value_seed(self.again())?;
            len += 1;
        }
        if len == 2
            && let Some(attachment) = self.attachment(at)
        {
            self.out.truncate(at);
            pack::write_bin(self.out, &attachment).ok();
            return Ok(());
        }
        let mut head = Vec::with_capacity(5);
        pack::write_map_len(&mut head, len).ok();
        self.close(at, &head);
        Ok(())
    }
}
