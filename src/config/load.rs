//! Reads the settings: defaults, then the file, then the environment.

use std::path::Path;

use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

use super::{
    ApiKeyConfig, Config, environment,
    numbers::OUT_OF_BOUNDS,
    place::{Places, line},
    words,
};
use crate::config::RuleConfig;

/// The reason why the settings can't be used, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: {message}")]
pub struct ConfigError {
    /// File and line, or the environment variable.
    pub place: String,
    /// The fault, and the right form.
    pub message: String,
}

impl Config {
    /// Reads a file, if one is given, and the environment's `STOA_SECTION__KEY` on top of it.
    ///
    /// # Errors
    /// The file can't be read; a key is unknown, of the wrong kind, or out of range.
    pub fn load(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let (mut table, mut places) = match path {
            Some(path) => read(path)?,
            None => (Table::new(), Places::default()),
        };
        let defaults = Table::try_from(Self::default()).unwrap_or_default();
        for (section, key, place) in places.keys() {
            check_key(&defaults, section, key).map_err(|message| error(place, message))?;
        }
        for (variable, value) in env {
            let Some((section, key)) = environment::section_and_key(&variable) else {
                match environment::slip(&defaults, &variable, &value) {
                    Some(message) => return Err(error(&variable, message)),
                    None => continue,
                }
            };
            check_key(&defaults, &section, &key).map_err(|message| error(&variable, message))?;
            let given = table
                .entry(section.clone())
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(given) = given {
                let known = defaults[&section].get(&key);
                let value = environment_value(&value, matches!(known, Some(Value::String(_))));
                let value = match (known, value) {
                    (Some(Value::Array(_)), Value::String(text)) => list_of(&text),
                    (_, value) => value,
                };
                given.insert(key.clone(), value);
            }
            places.by_environment(&section, &key, &variable);
        }
        let mut config = from_table(&table, &places)?;
        for (index, rule) in config.transform.rules.iter_mut().enumerate() {
            rule.place = places.of_entry("transform", "rules", index);
        }
        match config.invalid() {
            None => Ok(config),
            Some(wrong) => {
                let place = match wrong.entry {
                    Some(index) => places.of_entry(wrong.section, wrong.key, index),
                    None => places.of_key(wrong.section, wrong.key).to_owned(),
                };
                let message = format!("[{}] {} {}", wrong.section, wrong.key, wrong.message);
                Err(error(place, message))
            }
        }
    }
}

fn error(place: impl Into<String>, message: impl Into<String>) -> ConfigError {
    ConfigError {
        place: place.into(),
        message: message.into(),
    }
}

fn read(path: &Path) -> Result<(Table, Places), ConfigError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => error(&file, "there is no such file"),
        _ => error(&file, format!("can't be read: {e}")),
    })?;
    let defaults = Table::try_from(Config::default()).unwrap_or_default();
    let broken = |e: &toml::de::Error| {
        let message = one_line(e.message());
        let Some(span) = e.span() else {
            return error(&file, message);
        };
        let place = format!("{file}:{}", line(&text, span.start));
        let message = match words::earlier(&text, span.start) {
            Some((line, written)) if message.contains("duplicate key") => format!(
                "this adds to a list that is there already: take out `{written}` in line {line}"
            ),
            _ => slip(&text, span.start, &defaults).unwrap_or(message),
        };
        error(place, message)
    };
    let places = Places::of(&file, &text).map_err(|e| broken(&e))?;
    if let Some((place, key)) = places.outside() {
        let message = format!(
            "{key} stands outside a section; sections are {}",
            sections(&defaults)
        );
        return Err(error(place, message));
    }
    let table = toml::from_str(&text).map_err(|e| broken(&e))?;
    Ok((table, places))
}

/// The mistake at the place where the reader stopped, if it is one that the reader's own message doesn't explain.
fn slip(text: &str, at: usize, defaults: &Table) -> Option<String> {
    let is_text = |section: &str, key: &str| {
        matches!(
            defaults.get(section).and_then(|s| s.get(key)),
            Some(Value::String(_))
        )
    };
    if let Some(key) = words::unquoted(text, at, is_text) {
        return Some(format!("text must stand in quotes: {key} = \"…\""));
    }
    let header = text.lines().nth(line(text, at) - 1)?.trim();
    let (section, key) = header
        .strip_prefix('[')?
        .split(']')
        .next()?
        .split_once('.')?;
    is_list_of_tables(section.trim(), key.trim()).then(|| one_of_many(section.trim(), key.trim()))
}

/// Whether each of a key's values is a table of its own.
fn is_list_of_tables(section: &str, key: &str) -> bool {
    matches!(
        (section, key),
        ("transform", "rules") | ("authentication", "api_keys")
    )
}

fn one_of_many(section: &str, key: &str) -> String {
    format!(
        "there may be several of these, so write [[{section}.{key}]] with two brackets on each side"
    )
}

/// A value as in TOML. A bare word is a string; where a string is expected, every bare text is one, since a secret may
/// be all digits.
fn environment_value(text: &str, is_text: bool) -> Value {
    let value = match toml::from_str::<Table>(&format!("value = {text}")) {
        Ok(mut table) if table.len() == 1 => table
            .remove("value")
            .unwrap_or_else(|| Value::String(text.to_owned())),
        _ => Value::String(text.to_owned()),
    };
    match value {
        Value::String(_) => value,
        _ if is_text => Value::String(text.to_owned()),
        _ => value,
    }
}

/// A list that the environment gives as plain text: its entries stand between commas.
fn list_of(text: &str) -> Value {
    let entries = text.split(',').map(str::trim);
    let named = entries.filter(|entry| !entry.is_empty());
    Value::Array(named.map(|entry| Value::String(entry.to_owned())).collect())
}

fn check_key(defaults: &Table, section: &str, key: &str) -> Result<(), String> {
    let Some(Value::Table(known)) = defaults.get(section) else {
        return Err(match nearest(section, defaults.keys()) {
            Some(right) => format!("there is no section [{section}]; did you mean [{right}]?"),
            None => format!(
                "there is no section [{section}]; sections are {}",
                sections(defaults)
            ),
        });
    };
    if key.is_empty() || known.contains_key(key) {
        return Ok(());
    }
    if let Some((elsewhere, _)) = defaults.iter().find(|(_, table)| table.get(key).is_some()) {
        return Err(format!(
            "[{section}] has no key {key}; it belongs to [{elsewhere}]"
        ));
    }
    Err(match nearest(key, known.keys()) {
        Some(right) => format!("[{section}] has no key {key}; did you mean {right}?"),
        None => format!(
            "[{section}] has no key {key}; its keys are {}",
            list(known.keys())
        ),
    })
}

fn sections(defaults: &Table) -> String {
    let names: Vec<String> = defaults.keys().map(|name| format!("[{name}]")).collect();
    names.join(", ")
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn nearest<'a>(wrong: &str, right: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    right
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// The settings of a table, read one key at a time, so that an error names its key.
fn from_table(table: &Table, places: &Places) -> Result<Config, ConfigError> {
    for (section, keys) in table {
        let Value::Table(keys) = keys else { continue };
        for (key, value) in keys {
            let alone = Table::from_iter([(
                section.clone(),
                Value::Table(Table::from_iter([(key.clone(), value.clone())])),
            )]);
            if let Err(e) = Config::deserialize(alone) {
                if value.is_table() && is_list_of_tables(section, key) {
                    let place = places.of_key(section, key);
                    return Err(error(place, one_of_many(section, key)));
                }
                if let Value::Array(entries) = value {
                    return Err(bad_entry(section, key, entries, places, e.message()));
                }
                let said = words::plain(e.message(), key);
                let colon = if said.starts_with(OUT_OF_BOUNDS) {
                    ""
                } else {
                    ":"
                };
                let message = format!("[{section}] {key}{colon} {said}");
                return Err(error(places.of_key(section, key), message));
            }
        }
    }
    Config::deserialize(table.clone()).map_err(|e| error("configuration", one_line(e.message())))
}

fn bad_entry(
    section: &str,
    key: &str,
    entries: &[Value],
    places: &Places,
    otherwise: &str,
) -> ConfigError {
    for (index, entry) in entries.iter().enumerate() {
        let entry = entry.clone();
        let wrong = match (section, key) {
            ("transform", "rules") => RuleConfig::deserialize(entry).err(),
            ("authentication", "api_keys") => ApiKeyConfig::deserialize(entry).err(),
            _ => None,
        };
        if let Some(e) = wrong {
            let message = format!("[[{section}.{key}]]: {}", words::plain(e.message(), key));
            return error(places.of_entry(section, key, index), message);
        }
    }
    let message = format!("[{section}] {key}: {}", words::plain(otherwise, key));
    error(places.of_key(section, key), message)
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}
