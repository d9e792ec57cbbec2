//! A walk through the text of arguments, without a copy of them: their number, their nesting, and the placeholders among
//! them.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The findings of a walk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Values at the first level.
    pub(super) arguments: usize,
    /// The deepest nesting: 1 for a list or an object that holds neither.
    pub(super) depth: usize,
    /// One more than the largest number of a placeholder.
    pub(super) attachments: u64,
    /// Whether a placeholder has a number that none can have.
    pub(super) is_misnumbered: bool,
    /// The numbers of the placeholders.
    numbers: Vec<u64>,
}

impl Found {
    /// Whether two placeholders have one number.
    pub(super) fn is_repeated(&mut self) -> bool {
        self.numbers.sort_unstable();
        self.numbers.windows(2).any(|two| two.first() == two.last())
    }
}

/// Walks through a list of arguments.
pub(super) fn walk(list: &str) -> Result<Found, serde_json::Error> {
    let mut found = Found::default();
    let mut json = serde_json::Deserializer::from_str(list);
    Arguments(&mut found).deserialize(&mut json)?;
    json.end()?;
    Ok(found)
}

/// The list itself, which adds no nesting.
struct Arguments<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for Arguments<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Arguments<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self(found) = self;
        while items
            .next_element_seed(Value { found, depth: 0 })?
            .is_some()
        {
            found.arguments += 1;
        }
        Ok(())
    }
}

/// A value within `depth` others.
struct Value<'f> {
    found: &'f mut Found,
    depth: usize,
}

/// The meaning of a value as the field of a placeholder.
enum Meaning {
    True,
    Number(u64),
    Other,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Meaning;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Meaning, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Meaning;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Meaning, E> {
        Ok(if value { Meaning::True } else { Meaning::Other })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Meaning, E> {
        Ok(Meaning::Number(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Meaning, E> {
        Ok(Meaning::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Meaning, E> {
        Ok(Meaning::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Meaning, E> {
        Ok(Meaning::Other)
    }

    fn visit_unit<E>(self) -> Result<Meaning, E> {
        Ok(Meaning::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Meaning, A::Error> {
        let Self { found, depth } = self;
        let depth = depth + 1;
        found.depth = found.depth.max(depth);
        while items.next_element_seed(Value { found, depth })?.is_some() {}
        Ok(Meaning::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Meaning, A::Error> {
        let Self { found, depth } = self;
        let depth = depth + 1;
        found.depth = found.depth.max(depth);
        let (mut stands_for_bytes, mut number) = (false, None);
        while let Some(key) = fields.next_key::<Key>()? {
            let value = fields.next_value_seed(Value { found, depth })?;
            match (key, value) {
                (Key::Placeholder, value) => stands_for_bytes = matches!(value, Meaning::True),
                (Key::Number, Meaning::Number(value)) => number = Some(value),
                (Key::Number, _) => number = None,
                (Key::Other, _) => {}
            }
        }
        if stands_for_bytes {
            match number {
                Some(number) => {
                    found.numbers.push(number);
                    found.attachments = found.attachments.max(number.saturating_add(1));
                }
                None => found.is_misnumbered = true,
            }
        }
        Ok(Meaning::Other)
    }
}

/// A key of an object.
enum Key {
    Placeholder,
    Number,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "_placeholder" => Key::Placeholder,
            "num" => Key::Number,
            _ => Key::Other,
        })
    }
}
