//! Writes one JSON object, key by key.

use serde::Serialize;
use serde_json::Value;

use crate::event::Object;

/// The keys that every update has; no body writes them again.
pub(crate) const COMMON: [&str; 9] = [
    "type",
    "timestamp",
    "id",
    "cursor",
    "source_type",
    "priority",
    "animation",
    "hint",
    "coalesced",
];

/// Writes one JSON object, key by key.
#[derive(Debug)]
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Default for Writer {
    fn default() -> Self {
        let mut out = Vec::with_capacity(512);
        out.push(b'{');
        Self { out }
    }
}

impl Writer {
    fn key(&mut self, key: &str) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.value(key);
        self.out.push(b':');
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) {
        let start = self.out.len();
        // Only a map with keys that are no strings could fail; the object stays whole even then.
        if serde_json::to_writer(&mut self.out, value).is_err() {
            self.out.truncate(start);
            self.out.extend_from_slice(b"null");
        }
    }

    /// Writes a field.
    pub(super) fn field(&mut self, key: &str, value: &(impl Serialize + ?Sized)) {
        self.key(key);
        self.value(value);
    }

    /// Writes a field that is an object.
    pub(super) fn object(&mut self, key: &str, write: impl FnOnce(&mut Self)) {
        self.key(key);
        self.out.push(b'{');
        write(self);
        self.out.push(b'}');
    }

    /// Writes a field unless the object has it that is spread after it.
    pub(super) fn unless_in(
        &mut self,
        spread: &Object,
        key: &str,
        value: &(impl Serialize + ?Sized),
    ) {
        if !spread.contains_key(key) {
            self.field(key, value);
        }
    }

    /// Writes all fields of an object, except those of `but`.
    pub(super) fn spread(&mut self, object: &Object, but: &[&str]) {
        for (key, value) in object {
            if !but.contains(&key.as_str()) {
                self.field(key, value);
            }
        }
    }

    /// Writes the first value that is there, else `null`.
    pub(super) fn first(&mut self, key: &str, values: &[Option<&Value>]) {
        let value = values.iter().flatten().find(|v| !v.is_null());
        self.field(key, &value);
    }

    /// The finished object.
    pub(super) fn finish(mut self) -> String {
        self.out.push(b'}');
        String::from_utf8(self.out).unwrap_or_default()
    }
}
