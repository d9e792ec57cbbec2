//! The size of a value: as JSON, without writing it anywhere, and in memory.

use std::io::{Result, Write};

use serde::Serialize;
use serde_json::Value;
use smallvec::SmallVec;

use super::{Event, Object};

/// Counts the bytes that are written to it.
#[derive(Debug, Default)]
struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The length of a value's text.
pub fn json_len(value: &impl Serialize) -> usize {
    let mut count = Count::default();
    serde_json::to_writer(&mut count, value).ok();
    count.0
}

/// A node of a map: room for eleven keys and values, however many there are.
const NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 16;
/// Nodes are at least about half full, once there is more than one.
const IN_NODE: usize = 6;
/// Bytes that an allocation costs beside the requested ones.
const ALLOCATION: usize = 16;

/// About how many bytes of memory a map holds beside itself.
pub fn held_by_object(object: &Object) -> usize {
    /// Values that an ordinary event has open at a time: these take no memory of their own.
    const USUALLY: usize = 24;
    let mut open: SmallVec<[&Value; USUALLY]> = SmallVec::new();
    let mut bytes = nodes(object);
    fn fields<'v>(
        object: &'v Object,
        open: &mut SmallVec<[&'v Value; USUALLY]>,
        bytes: &mut usize,
    ) {
        for (key, value) in object {
            *bytes += key.capacity() + ALLOCATION;
            match value {
                Value::String(text) => *bytes += text.capacity() + ALLOCATION,
                Value::Array(_) | Value::Object(_) => open.push(value),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
    }
    fields(object, &mut open, &mut bytes);
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => bytes += text.capacity() + ALLOCATION,
            Value::Array(items) => {
                bytes += items.capacity() * size_of::<Value>() + ALLOCATION;
                open.extend(items);
            }
            Value::Object(object) => {
                bytes += nodes(object);
                fields(object, &mut open, &mut bytes);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    bytes
}

fn nodes(object: &Object) -> usize {
    match object.len() {
        0 => 0,
        1..=11 => NODE + ALLOCATION,
        more => more.div_ceil(IN_NODE) * (NODE + ALLOCATION),
    }
}

impl Event {
    /// About how many bytes of memory it holds, itself included. A map with one key costs 640 bytes, so the length of
    /// the text says little.
    pub fn held(&self) -> usize {
        const REST: usize = 6 * 48;
        let emission = self.emission.as_ref().map_or(0, |emission| emission.held());
        let maps = held_by_object(&self.data) + held_by_object(&self.metadata);
        size_of::<Self>() + REST + maps + emission
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        match value {
            Value::Object(object) => object,
            other => panic!("{other} is no object"),
        }
    }

    #[test]
    fn small_maps_weigh_what_they_hold_and_not_what_they_say() {
        let maps = object(json!({ "l": vec![json!({ "": 0 }); 4_980] }));
        let held = held_by_object(&maps);
        assert!((3_000_000..4_500_000).contains(&held), "{held}");
        let text = object(json!({ "l": "x".repeat(35_000) }));
        let held = held_by_object(&text);
        assert!((35_000..37_000).contains(&held), "{held}");
        assert_eq!(held_by_object(&Object::new()), 0);
    }
}
