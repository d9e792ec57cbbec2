//! The names of the rooms of things: `{kind}:{id}`, `{kind}:{project}/{id}`, `agent:{id}:actions`.
//!
//! An id may hold any character; a name holds unusual ones percent-encoded. The same room may be spelt in many ways
//! (`task:a`, `task:%61`), and has one name: [`canonical`] finds it where a client names a room, and [`write()`] writes
//! it where an event does. A `%` that begins no escape stands for itself.

use std::{borrow::Cow, fmt};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::event::ThingKind;

/// Characters of an id that has a room.
pub(super) const MAX_ID: usize = 128;
/// Bytes of an id. A name is kept with each member, and may be three times as long as the id.
pub(super) const MAX_BYTES: usize = 256;

/// The end of the name of a room for an agent's actions.
const ACTIONS: &str = ":actions";
/// The same at the end of an agent's id.
const ESCAPED_ACTIONS: &str = "%3Aactions";

/// The characters of an id that a name holds percent-encoded; an id keeps all others.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b':')
    .remove(b'-');
/// The same for users: identity providers put these into subjects.
const PLAIN_FOR_USERS: &AsciiSet = &PLAIN.remove(b'@').remove(b'|').remove(b'+').remove(b'=');

/// A room's name, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoomName<'r> {
    /// The kind of the thing that the room is about.
    pub(super) kind: ThingKind,
    /// The thing's project, where the room is of the thing of one project.
    pub(super) project: Option<Cow<'r, str>>,
    /// The thing.
    pub(super) id: Cow<'r, str>,
    /// Whether the room is the one for the agent's actions.
    pub(super) actions: bool,
}

/// The reason why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misnamed {
    /// The text begins with no kind of thing.
    NoKind,
    /// The text holds no id, or one that has no room.
    NoId,
}

impl<'r> RoomName<'r> {
    /// Reads a name, however it is spelt.
    pub(super) fn read(room: &'r str) -> Result<Self, Misnamed> {
        let (kind, rest) = room.split_once(':').ok_or(Misnamed::NoKind)?;
        let kind = ThingKind::from_name(kind).ok_or(Misnamed::NoKind)?;
        let action = rest
            .strip_suffix(ACTIONS)
            .filter(|_| kind == ThingKind::Agent);
        let thing = action.unwrap_or(rest);
        let (project, id) = match thing.split_once('/').filter(|_| has_project(kind)) {
            Some((project, id)) => (Some(read_id(kind, project)?), id),
            None => (None, thing),
        };
        Ok(Self {
            kind,
            project,
            id: read_id(kind, id)?,
            actions: action.is_some(),
        })
    }
}

impl fmt::Display for RoomName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut name = String::new();
        write(&mut name, self.kind, self.project.as_deref(), &self.id);
        f.write_str(&name)?;
        f.write_str(if self.actions { ACTIONS } else { "" })
    }
}

/// Whether things of this kind are of a project: projects and users are not.
pub fn has_project(kind: ThingKind) -> bool {
    !matches!(kind, ThingKind::Project | ThingKind::User)
}

fn read_id(kind: ThingKind, text: &str) -> Result<Cow<'_, str>, Misnamed> {
    let plain = |byte| byte == b'%' || is_plain(kind, byte);
    if !text.bytes().all(plain) {
        return Err(Misnamed::NoId);
    }
    let id = percent_decode_str(text).decode_utf8();
    let id = id.map_err(|_| Misnamed::NoId)?;
    let fits = (1..=MAX_BYTES).contains(&id.len())
        && id.chars().count() <= MAX_ID
        && !id.chars().any(char::is_control);
    fits.then_some(id).ok_or(Misnamed::NoId)
}

fn is_plain(kind: ThingKind, byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'.' | b':' | b'-')
        || (kind == ThingKind::User && matches!(byte, b'@' | b'|' | b'+' | b'='))
}

/// Whether this names the room of a thing.
pub fn is_of_a_thing(room: &str) -> bool {
    RoomName::read(room).is_ok()
}

/// Whether this names the room of a thing in any project, where clients of several projects meet.
pub fn is_of_any_project(room: &str) -> bool {
    RoomName::read(room).is_ok_and(|name| has_project(name.kind) && name.project.is_none())
}

/// Whether this names the room for an agent's actions, however it is spelt.
pub fn is_of_actions(room: &str) -> bool {
    RoomName::read(room).is_ok_and(|name| name.actions)
}

/// The one name of a room, however it is spelt. A text that names no thing's room stays as it is.
pub fn canonical(room: &str) -> Cow<'_, str> {
    if !room.contains('%') {
        return room.into();
    }
    RoomName::read(room).map_or(room.into(), |name| name.to_string().into())
}

/// The name that a part of a query string means. The query was decoded once before, so an id stands there as it is,
/// unless it was encoded twice.
pub fn from_query(room: &str) -> String {
    let Some((kind, id)) = room.split_once(':') else {
        return room.to_owned();
    };
    let Some(kind) = ThingKind::from_name(kind) else {
        return room.to_owned();
    };
    let mut name = format!("{kind}:");
    for piece in id.split_inclusive(['%', '/']) {
        let end = piece.len() - usize::from(piece.ends_with(['%', '/']));
        let (plain, separator) = piece.split_at(end);
        name.extend(utf8_percent_encode(plain, escaped(kind)));
        name.push_str(separator);
    }
    canonical(&name).into_owned()
}

fn escaped(kind: ThingKind) -> &'static AsciiSet {
    match kind {
        ThingKind::User => PLAIN_FOR_USERS,
        _ => PLAIN,
    }
}

/// Writes the name of the room of a thing: in any project, or in this one.
pub fn write(name: &mut String, kind: ThingKind, project: Option<&str>, id: &str) {
    name.push_str(kind.as_str());
    name.push(':');
    if let Some(project) = project {
        write_id(name, kind, project);
        name.push('/');
    }
    write_id(name, kind, id);
}

/// Writes an id as it stands in a name of this kind.
pub fn write_id(name: &mut String, kind: ThingKind, id: &str) {
    let (id, end) = match id
        .strip_suffix(ACTIONS)
        .filter(|_| kind == ThingKind::Agent)
    {
        Some(id) => (id, ESCAPED_ACTIONS),
        None => (id, ""),
    };
    name.extend(utf8_percent_encode(id, escaped(kind)));
    name.push_str(end);
}

/// The name of the room for an agent's actions.
pub fn of_actions(project: Option<&str>, agent: &str) -> String {
    let mut name = String::new();
    write(&mut name, ThingKind::Agent, project, agent);
    name.push_str(ACTIONS);
    name
}

/// The escape of a character that is special in a pattern; such a character in an id is not.
fn escape_of(c: char) -> Option<&'static str> {
    Some(match c {
        '%' => "%25",
        '*' => "%2A",
        '/' => "%2F",
        '?' => "%3F",
        _ => return None,
    })
}

fn push_bare(name: &mut String, id: &str) {
    if !id.contains(['%', '*', '/', '?']) {
        return name.push_str(id);
    }
    for c in id.chars() {
        match escape_of(c) {
            Some(escape) => name.push_str(escape),
            None => name.push(c),
        }
    }
}

/// The form of a name that patterns of rooms are matched with: ids are decoded, so that `?` stands for one character of
/// the id.
pub(super) fn bare(kind: ThingKind, project: Option<&str>, id: &str) -> String {
    let mut name = String::with_capacity(64);
    name.push_str(kind.as_str());
    name.push(':');
    if let Some(project) = project {
        push_bare(&mut name, project);
        name.push('/');
    }
    push_bare(&mut name, id);
    name
}

/// The same for a pattern: its escapes are decoded, except those of special characters. A pattern whose escapes are no
/// text stays as it is, and matches nothing.
pub(super) fn bare_pattern(pattern: &str) -> String {
    let kind = pattern.split(':').next().and_then(ThingKind::from_name);
    let no_project = kind.is_some_and(|kind| !has_project(kind));
    if !(pattern.contains('%') || no_project && pattern.contains('/')) {
        return pattern.to_owned();
    }
    let mut bare = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let escaped = rest.get(..3).filter(|_| first == '%');
        let byte = escaped.and_then(|escape| {
            let mut decoded = percent_decode_str(escape);
            decoded.next().filter(|_| decoded.next().is_none())
        });
        let taken = if byte.is_some() { 3 } else { first.len_utf8() };
        let (written, behind) = rest.split_at(taken);
        rest = behind;
        let special = match byte {
            Some(byte) => escape_of(char::from(byte)),
            None if first == '%' || (first == '/' && no_project) => escape_of(first),
            None => None,
        };
        match (special, byte) {
            (Some(escape), _) => bare.extend_from_slice(escape.as_bytes()),
            (None, Some(byte)) => bare.push(byte),
            (None, None) => bare.extend_from_slice(written.as_bytes()),
        }
    }
    String::from_utf8(bare).unwrap_or_else(|_| pattern.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pattern::Pattern;

    fn named(kind: ThingKind, project: Option<&str>, id: &str) -> String {
        let mut name = String::new();
        write(&mut name, kind, project, id);
        name
    }

    #[test]
    fn a_room_has_one_name_however_it_is_spelt() {
        for (spelt, name) in [
            ("task:t1", "task:t1"),
            ("task:%741", "task:t1"),
            ("task:Write%20docs", "task:Write%20docs"),
            ("task:%57rite%20doc%73", "task:Write%20docs"),
            ("task:caf%c3%a9", "task:caf%C3%A9"),
            ("task:a%7Cb", "task:a%7Cb"),
            ("run:org%2frepo", "run:org%2Frepo"),
            ("run:org/repo", "run:org/repo"),
            ("run:my%20org/a%2Fb", "run:my%20org/a%2Fb"),
            ("project:a%2Fb", "project:a%2Fb"),
            // A `%` that begins no escape stands for itself.
            ("task:50%", "task:50%25"),
            ("task:50%25", "task:50%25"),
            ("task:5%x", "task:5%25x"),
            ("task:%2", "task:%252"),
            ("task:100%2525", "task:100%2525"),
            ("user:ann%40example.org", "user:ann@example.org"),
            ("task:ann%40example.org", "task:ann%40example.org"),
            // An agent's id may end like a room of actions; its room is no such room.
            ("agent:x:actions", "agent:x:actions"),
            ("agent:x%3Aactions", "agent:x%3Aactions"),
            ("agent:x%3aaction%73", "agent:x%3Aactions"),
            ("agent:a%20b:actions", "agent:a%20b:actions"),
            ("task:x%3Aactions", "task:x:actions"),
            // No rooms of things.
            ("general", "general"),
            ("a%20b", "a%20b"),
            ("planet:%61", "planet:%61"),
            ("task:%FF", "task:%FF"),
            ("task:a b%20", "task:a b%20"),
        ] {
            assert_eq!(canonical(spelt), name, "{spelt}");
            assert_eq!(canonical(name), name, "{spelt}");
        }
    }

    #[test]
    fn ids_are_bounded_as_what_they_are_not_as_they_are_spelt() {
        let long = |id: &str| RoomName::read(&named(ThingKind::Task, None, id)).is_ok();
        assert!(long(&"x".repeat(MAX_ID)) && !long(&"x".repeat(MAX_ID + 1)));
        assert!(long(&" ".repeat(MAX_ID)) && !long(&" ".repeat(MAX_ID + 1)));
        assert!(long(&"é".repeat(128)) && !long(&"é".repeat(129)));
        assert!(long(&"😀".repeat(64)) && !long(&"😀".repeat(65)));
        for wrong in [
            "task:",
            "task:%00",
            "task:%0A",
            "task:%C2%85",
            "task:%FF",
            "task:/x",
            "agent::actions",
        ] {
            assert_eq!(RoomName::read(wrong), Err(Misnamed::NoId), "{wrong}");
        }
    }

    #[test]
    fn a_query_may_hold_the_id_as_it_is() {
        for (given, name) in [
            ("task:Write docs", "task:Write%20docs"),
            ("task:Write%20docs", "task:Write%20docs"),
            ("task:café", "task:caf%C3%A9"),
            ("agent:p 1/a b:actions", "agent:p%201/a%20b:actions"),
            ("run:org%2Frepo", "run:org%2Frepo"),
            ("task:50%", "task:50%25"),
            ("general", "general"),
            ("lobby of all", "lobby of all"),
        ] {
            assert_eq!(from_query(given), name, "{given}");
        }
    }

    #[test]
    fn patterns_of_tokens_mean_ids_as_they_are() {
        for (pattern, kind, project, id, fits) in [
            (
                "task:Write%20docs",
                ThingKind::Task,
                None,
                "Write docs",
                true,
            ),
            ("task:Write docs", ThingKind::Task, None, "Write docs", true),
            ("task:Write?docs", ThingKind::Task, None, "Write docs", true),
            ("task:caf?", ThingKind::Task, None, "café", true),
            ("task:*", ThingKind::Task, None, "a/b %", true),
            ("task:a%2A", ThingKind::Task, None, "a*", true),
            ("task:a%2A", ThingKind::Task, None, "abc", false),
            ("task:50%", ThingKind::Task, None, "50%", true),
            ("task:50%25", ThingKind::Task, None, "50%", true),
            ("task:50%2525", ThingKind::Task, None, "50%25", true),
            ("agent:p/*", ThingKind::Agent, Some("p"), "a", true),
            ("agent:p/*", ThingKind::Agent, None, "p/a", false),
            ("agent:p%2Fa", ThingKind::Agent, None, "p/a", true),
            ("agent:p%2Fa", ThingKind::Agent, Some("p"), "a", false),
            ("project:a/b", ThingKind::Project, None, "a/b", true),
            ("project:a%2Fb", ThingKind::Project, None, "a/b", true),
            ("task:%FF*", ThingKind::Task, None, "\u{fffd}", false),
        ] {
            let read = Pattern::new(&bare_pattern(pattern)).unwrap();
            let name = bare(kind, project, id);
            assert_eq!(read.matches(&name), fits, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn every_things_room_has_a_name_that_names_it(
            which in 0..ThingKind::ALL.len(),
            project in proptest::option::of("[a-z /%:é*]{1,9}"),
            id in "[a-zA-Z0-9 /%:|é*?😀@._-]{1,40}(:actions)?",
        ) {
            let kind = ThingKind::ALL[which];
            let project = project.filter(|_| has_project(kind));
            let name = named(kind, project.as_deref(), &id);
            let read = RoomName::read(&name).unwrap();
            prop_assert_eq!((read.kind, read.project.as_deref(), &*read.id, read.actions), (kind, project.as_deref(), &*id, false));
            prop_assert_eq!(canonical(&name), &*name);
            prop_assert_eq!(from_query(&name), &*name);
            // Its bare form, as a pattern, matches the room and nothing else.
            let own = Pattern::new(&bare_pattern(&name)).unwrap();
            prop_assert!(own.is_plain() && own.matches(&bare(kind, project.as_deref(), &id)));
        }
    }
}
