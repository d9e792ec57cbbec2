//! Msgpack to JSON: a message costs about as many bytes as its text has.
//!
//! Values become what Socket.IO's own servers would make of them: binary ones placeholders and attachments, dates ISO 8601,
//! NaN and infinities `null`.

use bytes::Bytes;
use rmp::{
    Marker,
    decode::{Bytes as Input, RmpRead, read_marker},
};

use super::fault::Fault;
use crate::timestamp::Timestamp;

/// The seconds since 1970 of the times that have four digits for their year.
const YEARS_1_TO_9999: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;

/// Makes the beginning of a value of its kind and its bytes.
type MakeHead<'a> = fn(i8, &'a [u8]) -> Head<'a>;

/// The beginning of a value: all of it, but for lists and maps, whose parts follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Head<'a> {
    Nil,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a [u8]),
    Binary(&'a [u8]),
    List(u32),
    Map(u32),
    /// A type of its own, with its number.
    Extension(i8, &'a [u8]),
}

impl Head<'_> {
    /// The name that it is: a text, or a number's digits.
    pub(crate) fn name(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            Self::Signed(number) => Some(number.to_string()),
            Self::Unsigned(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

/// Limits on what is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Nesting of lists and maps.
    pub(crate) max_depth: usize,
    /// Binary values.
    pub(crate) max_attachments: usize,
    /// Bytes of the JSON that it becomes.
    pub(crate) max_json: usize,
}

/// Reads the values of a message, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    limits: Limits,
}

/// JSON that is being written, with the binary values that were met.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) json: Vec<u8>,
    pub(crate) attachments: Vec<Bytes>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8], limits: Limits) -> Self {
        Self { rest: body, limits }
    }

    /// Reads the beginning of the next value.
    pub(crate) fn head(&mut self) -> Result<Head<'a>, Fault> {
        let mut input = Input::new(self.rest);
        let marker = read_marker(&mut input).map_err(|_| cut())?;
        macro_rules! number {
            ($read:ident) => {
                input.$read().map_err(|_| cut())?
            };
        }
        let mut kind = 0;
        let mut extension = |len: usize, input: &mut Input<'a>| -> Result<usize, Fault> {
            kind = input.read_data_i8().map_err(|_| cut())?;
            Ok(len)
        };
        let (len, of): (usize, MakeHead<'a>) = match marker {
            Marker::FixStr(len) => (len.into(), text),
            Marker::Str8 => (number!(read_data_u8).into(), text),
            Marker::Str16 => (number!(read_data_u16).into(), text),
            Marker::Str32 => (size(number!(read_data_u32)), text),
            Marker::Bin8 => (number!(read_data_u8).into(), binary),
            Marker::Bin16 => (number!(read_data_u16).into(), binary),
            Marker::Bin32 => (size(number!(read_data_u32)), binary),
            Marker::FixExt1 => (extension(1, &mut input)?, Head::Extension),
            Marker::FixExt2 => (extension(2, &mut input)?, Head::Extension),
            Marker::FixExt4 => (extension(4, &mut input)?, Head::Extension),
            Marker::FixExt8 => (extension(8, &mut input)?, Head::Extension),
            Marker::FixExt16 => (extension(16, &mut input)?, Head::Extension),
            Marker::Ext8 => {
                let len = number!(read_data_u8).into();
                (extension(len, &mut input)?, long)
            }
            Marker::Ext16 => {
                let len = number!(read_data_u16).into();
                (extension(len, &mut input)?, long)
            }
            Marker::Ext32 => {
                let len = size(number!(read_data_u32));
                (extension(len, &mut input)?, long)
            }
            marker => {
                let head = match marker {
                    Marker::Null => Head::Nil,
                    Marker::True => Head::Bool(true),
                    Marker::False => Head::Bool(false),
                    Marker::FixPos(number) => Head::Unsigned(number.into()),
                    Marker::FixNeg(number) => Head::Signed(number.into()),
                    Marker::U8 => Head::Unsigned(number!(read_data_u8).into()),
                    Marker::U16 => Head::Unsigned(number!(read_data_u16).into()),
                    Marker::U32 => Head::Unsigned(number!(read_data_u32).into()),
                    Marker::U64 => Head::Unsigned(number!(read_data_u64)),
                    Marker::I8 => Head::Signed(number!(read_data_i8).into()),
                    Marker::I16 => Head::Signed(number!(read_data_i16).into()),
                    Marker::I32 => Head::Signed(number!(read_data_i32).into()),
                    Marker::I64 => Head::Signed(number!(read_data_i64)),
                    Marker::F32 => Head::Float(number!(read_data_f32).into()),
                    Marker::F64 => Head::Float(number!(read_data_f64)),
                    Marker::FixArray(len) => Head::List(len.into()),
                    Marker::Array16 => Head::List(number!(read_data_u16).into()),
                    Marker::Array32 => Head::List(number!(read_data_u32)),
                    Marker::FixMap(len) => Head::Map(len.into()),
                    Marker::Map16 => Head::Map(number!(read_data_u16).into()),
                    Marker::Map32 => Head::Map(number!(read_data_u32)),
                    _ => return Err(Fault::malformed("a byte that begins no msgpack value")),
                };
                self.rest = input.remaining_slice();
                return Ok(head);
            }
        };
        let (value, rest) = input
            .remaining_slice()
            .split_at_checked(len)
            .ok_or_else(cut)?;
        self.rest = rest;
        Ok(of(kind, value))
    }

    /// Passes over the next value.
    pub(crate) fn skip(&mut self) -> Result<(), Fault> {
        // Each value takes a byte at least, so the count of those to come has nothing to do with the memory they take.
        let mut left = 1_u64;
        while left > 0 {
            left -= 1;
            match self.head()? {
                Head::List(len) => left += u64::from(len),
                Head::Map(len) => left += 2 * u64::from(len),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads the next value, a text.
    pub(crate) fn text(&mut self) -> Result<&'a str, Fault> {
        match self.head()? {
            Head::Text(text) => {
                std::str::from_utf8(text).map_err(|_| Fault::malformed("a name is not UTF-8"))
            }
            _ => Err(Fault::malformed("a text was expected")),
        }
    }

    /// Writes the next value as JSON; `depth` lists and maps are around it.
    pub(crate) fn value(&mut self, out: &mut Written, depth: usize) -> Result<(), Fault> {
        if out.json.len() > self.limits.max_json {
            return Err(Fault::TooLarge(self.limits.max_json));
        }
        let head = self.head()?;
        if matches!(head, Head::List(_) | Head::Map(_)) && depth >= self.limits.max_depth {
            return Err(Fault::TooDeep(self.limits.max_depth));
        }
        match head {
            Head::Nil => out.json.extend_from_slice(b"null"),
            Head::Bool(value) => out.number(&value),
            Head::Signed(number) => out.number(&number),
            Head::Unsigned(number) => out.number(&number),
            // As JSON has no other word for them, NaN and infinities are null.
            Head::Float(number) => out.number(&number),
            Head::Text(text) => out.text(&String::from_utf8_lossy(text)),
            Head::Binary(bytes) => {
                if out.attachments.len() >= self.limits.max_attachments {
                    return Err(Fault::TooManyAttachments(self.limits.max_attachments));
                }
                out.binary(bytes);
            }
            Head::Extension(kind, bytes) => match date(kind, bytes)? {
                Some(date) => out.text(&date),
                None => out.json.extend_from_slice(b"null"),
            },
            Head::List(len) => {
                out.json.push(b'[');
                for at in 0..len {
                    out.comma(at);
                    self.value(out, depth + 1)?;
                }
                out.json.push(b']');
            }
            Head::Map(len) => {
                out.json.push(b'{');
                for at in 0..len {
                    out.comma(at);
                    let head = self.head()?;
                    let key = head
                        .name()
                        .ok_or_else(|| Fault::malformed("the key of a map is not a text"))?;
                    out.text(&key);
                    out.json.push(b':');
                    self.value(out, depth + 1)?;
                }
                out.json.push(b'}');
            }
        }
        Ok(())
    }

    /// Checks that the message ends here.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        let is_over = self.rest.is_empty();
        is_over
            .then_some(())
            .ok_or_else(|| Fault::malformed("bytes behind the end of the message"))
    }
}

impl Written {
    pub(crate) fn comma(&mut self, at: u32) {
        if at > 0 {
            self.json.push(b',');
        }
    }

    fn number(&mut self, number: &(impl serde::Serialize + ?Sized)) {
        // Writing into memory does not fail.
        serde_json::to_writer(&mut self.json, number).ok();
    }

    fn text(&mut self, text: &str) {
        self.number(text);
    }

    fn binary(&mut self, bytes: &[u8]) {
        let number = self.attachments.len();
        let placeholder = format!("{{\"_placeholder\":true,\"num\":{number}}}");
        self.json.extend_from_slice(placeholder.as_bytes());
        self.attachments.push(Bytes::copy_from_slice(bytes));
    }
}

fn text(_: i8, bytes: &[u8]) -> Head<'_> {
    Head::Text(bytes)
}

/// A value of a type of its own whose length is written out. Those of type 0 are JavaScript's `ArrayBuffer`.
fn long(kind: i8, bytes: &[u8]) -> Head<'_> {
    match kind {
        0 => Head::Binary(bytes),
        _ => Head::Extension(kind, bytes),
    }
}

fn binary(_: i8, bytes: &[u8]) -> Head<'_> {
    Head::Binary(bytes)
}

fn size(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

fn cut() -> Fault {
    Fault::malformed("the msgpack ends within a value")
}

/// The text of a date, or none for JavaScript's `undefined` and for a time that no date has.
///
/// The types are msgpack's own timestamp (-1), and those of older JavaScript packers (0): one byte for `undefined`, eight
/// for the milliseconds of a date.
fn date(kind: i8, bytes: &[u8]) -> Result<Option<String>, Fault> {
    let (seconds, nanos) = match (kind, bytes.len()) {
        (-1, 4) => (number(bytes), 0),
        (-1, 8) => {
            let both = u64::from_be_bytes(fixed(bytes));
            // The upper 30 bits are nanoseconds, the lower 34 seconds.
            let seconds = i64::try_from(both & ((1 << 34) - 1)).unwrap_or(i64::MAX);
            (seconds, u32::try_from(both >> 34).unwrap_or(u32::MAX))
        }
        (-1, 12) => {
            let seconds = i64::from_be_bytes(fixed(&bytes[4..]));
            (seconds, u32::from_be_bytes(fixed(&bytes[..4])))
        }
        (0, 1) => return Ok(None),
        (0, 8) => {
            let millis = i64::from_be_bytes(fixed(bytes));
            let nanos = millis.rem_euclid(1_000) * 1_000_000;
            (
                millis.div_euclid(1_000),
                u32::try_from(nanos).unwrap_or_default(),
            )
        }
        _ => {
            let why = format!("a value of the unknown msgpack type {kind}");
            return Err(Fault::Malformed(why));
        }
    };
    let is_date = YEARS_1_TO_9999.contains(&seconds) && nanos < 1_000_000_000;
    Ok(is_date.then(|| {
        let micros = seconds * 1_000_000 + i64::from(nanos / 1_000);
        Timestamp::from_micros(micros).to_string()
    }))
}

fn number(bytes: &[u8]) -> i64 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | i64::from(*byte))
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}

#[cfg(test)]
mod tests;
