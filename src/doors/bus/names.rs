//! Names of rooms and clients, as emitters write them: none, one, or a list; a number stands for its digits.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};

/// A list of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut names = Vec::new();
        deserializer.deserialize_any(Reader {
            names: &mut names,
            in_list: false,
        })?;
        Ok(Self(names))
    }
}

/// Reads a name or a list of them into `names`. A list holds no further list.
struct Reader<'n> {
    names: &'n mut Vec<String>,
    in_list: bool,
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name of a room, or a list of such names")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        // An empty name outside a list is how old emitters say "everyone".
        if self.in_list || !name.is_empty() {
            self.names.push(name.to_owned());
        }
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.names.push(number.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.names.push(number.to_string());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.in_list {
            return Err(serde::de::Error::custom("a list within a list of rooms"));
        }
        while list.next_element_seed(Seed(self.names))?.is_some() {}
        Ok(())
    }
}

struct Seed<'n>(&'n mut Vec<String>);

impl<'de> serde::de::DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(Reader {
            names: self.0,
            in_list: true,
        })
    }
}
