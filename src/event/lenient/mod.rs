//! Reads text that is nearly JSON, as honest producers write it.
//!
//! Python writes `NaN` and `Infinity`, JavaScript and Python write halves of surrogate pairs, Windows begins files with
//! a byte order mark, and a log line may hold bytes that are no UTF-8. One such value must cost neither the event nor
//! its neighbours. Strict JSON is read by `serde_json` alone; only where that fails is the text mended and read again:
//!
//! | written | read as |
//! |---|---|
//! | `NaN`, `Infinity`, `-Infinity`, `1e999` | `null` |
//! | half a surrogate pair in a string | U+FFFD |
//! | bytes that are no UTF-8 | U+FFFD |
//! | a byte order mark before it | nothing |
//!
//! Numbers in the place of ids keep all of their digits (see `digits`), which `serde_json` would not keep.
//!
//! Everything else that is not JSON stays an error. Each step is one pass over the text, and mending makes it at most three
//! times as long.

mod digits;
mod elements;
mod fault;
mod marks;
mod mend;
#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use elements::{count_values, elements};
pub use fault::fault;
pub use mend::{Mended, mend};

use crate::error::Error;
use marks::without_marks;

/// One value, or a list of them.
#[derive(Debug)]
pub enum Body {
    /// Anything but a list.
    One(Value),
    /// The elements of a list, read one by one and in order; an element that is no JSON is an error.
    Many(Vec<Result<Value, Error>>),
}

/// Reads strict JSON, with all digits of its ids.
///
/// # Errors
/// The error says where the text is no JSON, or not of this type.
pub fn strict<T: DeserializeOwned>(text: &[u8]) -> Result<T, serde_json::Error> {
    let spelt = digits::spell_out(text);
    let read = spelt.map(|text| serde_json::from_slice(&text));
    match read {
        Some(Ok(value)) => Ok(value),
        // The error names the place in the text as it was sent.
        Some(Err(_)) | None => serde_json::from_slice(text),
    }
}

/// Reads one value.
///
/// # Errors
/// `too_deep` beyond the reader's own depth of 128, `bad_request` for what is no JSON.
pub fn read(text: &[u8]) -> Result<(Value, Mended), Error> {
    let error = match strict(text) {
        Ok(value) => return Ok((value, Mended::default())),
        Err(error) => error,
    };
    let spelt = digits::spell_out(text);
    let Some((mended_text, mended)) = mend(spelt.as_deref().unwrap_or(text)) else {
        return Err(not_json(text, &error));
    };
    match serde_json::from_str(&mended_text) {
        Ok(value) => Ok((value, mended)),
        Err(error) => Err(not_json(mended_text.as_bytes(), &error)),
    }
}

/// Reads one value, or a list whose elements stand for themselves: an element that can't be read is an error in its
/// place.
///
/// # Errors
/// As [`read`], for what is no list or one that has no end.
pub fn read_body(text: &[u8]) -> Result<(Body, Mended), Error> {
    if let Ok(value) = strict(text) {
        return Ok((body(value), Mended::default()));
    }
    let Some((parts, _)) = elements(text, usize::MAX) else {
        return read(text).map(|(value, mended)| (body(value), mended));
    };
    let mut mended = Mended {
        marks: without_marks(text).1,
        ..Mended::default()
    };
    let items = parts.into_iter().map(|part| {
        let (value, put_right) = read(part)?;
        mended.add(put_right);
        Ok(value)
    });
    let items = items.collect();
    Ok((Body::Many(items), mended))
}

fn body(value: Value) -> Body {
    match value {
        Value::Array(items) => Body::Many(items.into_iter().map(Ok).collect()),
        value => Body::One(value),
    }
}

fn not_json(text: &[u8], error: &serde_json::Error) -> Error {
    // serde_json has no other way to tell that it stopped at its own depth.
    if error.to_string().contains("recursion limit") {
        Error::new("too_deep", "the event is nested too deeply")
    } else {
        Error::new("bad_request", fault(text, error))
    }
}
