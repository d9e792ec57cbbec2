//! The place of each key in a file, for error messages.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// The line of each `section.key`, and of each table of those keys that are lists of tables.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The name of the file.
    file: String,
    keys: BTreeMap<(String, String), String>,
    /// A key outside all sections, with its place.
    outside: Option<(String, String)>,
    /// The first line of each table of a list, in order: a list of rules can be long, and the key's line is its first.
    entries: BTreeMap<(String, String), Vec<usize>>,
}

impl Places {
    /// Reads the places of everything in `text`.
    ///
    /// # Errors
    /// The text is no TOML.
    pub(super) fn of(file: &str, text: &str) -> Result<Self, toml::de::Error> {
        let mut places = Self {
            file: file.to_owned(),
            ..Self::default()
        };
        let root = DeTable::parse(text)?;
        for (section, value) in root.get_ref() {
            let DeValue::Table(table) = value.get_ref() else {
                let place = format!("{file}:{}", line(text, section.span().start));
                places.outside = Some((place, section.get_ref().to_string()));
                continue;
            };
            places.set(section.get_ref(), "", line(text, section.span().start));
            for (key, value) in table {
                places.set(
                    section.get_ref(),
                    key.get_ref(),
                    line(text, key.span().start),
                );
                if let DeValue::Array(entries) = value.get_ref() {
                    let at = (section.get_ref().to_string(), key.get_ref().to_string());
                    let lines = entries.iter().map(|entry| line(text, entry.span().start));
                    places.entries.insert(at, lines.collect());
                }
            }
        }
        Ok(places)
    }

    fn set(&mut self, section: &str, key: &str, line: usize) {
        let place = format!("{}:{line}", self.file);
        self.keys
            .insert((section.to_owned(), key.to_owned()), place);
    }

    /// Notes that the environment gave a key.
    pub(super) fn by_environment(&mut self, section: &str, key: &str, variable: &str) {
        let at = (section.to_owned(), key.to_owned());
        self.entries.remove(&at);
        self.keys.insert(at, variable.to_owned());
    }

    /// The place of a key that belongs to no section, and its name.
    pub(super) fn outside(&self) -> Option<(&str, &str)> {
        let (place, key) = self.outside.as_ref()?;
        Some((place, key))
    }

    /// All keys that are there; an empty key stands for the section itself.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.keys
            .iter()
            .map(|((section, key), place)| (section.as_str(), key.as_str(), place.as_str()))
    }

    /// The place at which a key was given.
    pub(super) fn of_key(&self, section: &str, key: &str) -> &str {
        let at = |key: &str| self.keys.get(&(section.to_owned(), key.to_owned()));
        // An absent key is missing in its section.
        at(key)
            .or_else(|| at(""))
            .map_or("defaults", String::as_str)
    }

    /// The line at which one table of a list begins, by its index.
    pub(super) fn of_entry(&self, section: &str, key: &str, index: usize) -> String {
        let lines = self.entries.get(&(section.to_owned(), key.to_owned()));
        match lines.and_then(|lines| lines.get(index)) {
            Some(line) => format!("{}:{line}", self.file),
            None => self.of_key(section, key).to_owned(),
        }
    }
}

/// The line, from 1, of a byte of the text.
pub(super) fn line(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|b| *b == b'\n').count() + 1
}
