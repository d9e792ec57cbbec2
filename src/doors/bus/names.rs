//! Names of rooms and clients, as emitters write them: none, one, or a list; a number stands for its digits.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::refusal::Refusal;
use crate::msgpack::{self, Head};

/// Reads names, no more than `most`. Absent ones are none.
pub(super) fn read(json: Option<&RawValue>, most: usize) -> Result<Vec<String>, Refusal> {
    let mut names = Vec::new();
    let Some(json) = json else { return Ok(names) };
    let mut is_over = false;
    let reader = Reader {
        names: &mut names,
        most,
        is_over: &mut is_over,
        in_list: false,
    };
    let found = serde_json::Deserializer::from_str(json.get()).deserialize_any(reader);
    match found {
        Ok(()) => Ok(names),
        Err(_) if is_over => Err(Refusal::TooManyRooms(most)),
        Err(error) => Err(Refusal::malformed(error.to_string())),
    }
}

/// Reads the same from msgpack; nil is none.
pub(super) fn unpack(
    reader: &mut msgpack::Reader<'_>,
    most: usize,
) -> Result<Vec<String>, Refusal> {
    let name = |head: Head<'_>| {
        let name = head.name();
        name.ok_or_else(|| Refusal::malformed("a room is neither a text nor a number"))
    };
    Ok(match reader.head()? {
        Head::List(len) if usize::try_from(len).unwrap_or(usize::MAX) > most => {
            return Err(Refusal::TooManyRooms(most));
        }
        Head::List(len) => {
            let names = (0..len).map(|_| name(reader.head()?));
            names.collect::<Result<_, _>>()?
        }
        Head::Nil | Head::Text([]) => Vec::new(),
        head => vec![name(head)?],
    })
}

/// Reads a name or a list of them into `names`. A list holds no further list.
struct Reader<'n> {
    names: &'n mut Vec<String>,
    most: usize,
    /// Set when there are more.
    is_over: &'n mut bool,
    in_list: bool,
}

impl Reader<'_> {
    fn add<E: Error>(self, name: String) -> Result<(), E> {
        *self.is_over = self.names.len() >= self.most;
        if *self.is_over {
            return Err(E::custom("too many rooms"));
        }
        self.names.push(name);
        Ok(())
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name of a room, or a list of such names")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        // An empty name outside a list is how old emitters say "everyone".
        match self.in_list || !name.is_empty() {
            true => self.add(name.to_owned()),
            false => Ok(()),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.add(number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.add(number.to_string())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.in_list {
            return Err(Error::custom("a list within a list of rooms"));
        }
        loop {
            let seed = Reader {
                names: self.names,
                most: self.most,
                is_over: self.is_over,
                in_list: true,
            };
            if list.next_element_seed(seed)?.is_none() {
                return Ok(());
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}
