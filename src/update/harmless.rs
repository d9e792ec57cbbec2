//! Makes text harmless that a page may put into HTML, without changing how it reads.
//!
//! Some pages build HTML from the texts that they are sent. There a browser takes a few characters for more than text,
//! but only in certain company: `<` before a letter, `&` before a name, `=` behind the name of an attribute that can
//! run or load something, `:` behind `javascript`. Between the two goes a word joiner (U+2060): it has no width, so
//! people read the same, and the browser reads text. A text that goes through twice stays as it is after the first
//! time.
//!
//! It works on the finished JSON: there these characters stand only inside of strings, so no field and no key can be
//! forgotten. Text without them costs the search for them, and nothing is copied.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::event::Object;

/// A character without width that begins nothing in HTML.
const JOINER: &str = "\u{2060}";

/// Attributes that can run or load something, beside those that begin with `on`.
const ATTRIBUTES: [&str; 13] = [
    "action",
    "background",
    "data",
    "formaction",
    "href",
    "ping",
    "poster",
    "src",
    "srcdoc",
    "srcset",
    "style",
    "values",
    "xlink:href",
];
/// The references that HTML also reads without their semicolon, as far as they stand for a character that matters.
const WITHOUT_SEMICOLON: [&[u8]; 4] = [b"lt", b"gt", b"amp", b"quot"];
/// Schemes of addresses that run what they hold.
const SCHEMES: [&[u8]; 2] = [b"javascript", b"vbscript"];
/// The ends of these schemes. There are many colons in JSON, but few after these words.
static ENDS: LazyLock<[Finder<'static>; 4]> =
    LazyLock::new(|| ["t:", "T:", "\\n:", "\\r:"].map(Finder::new));
/// The longest name of a character reference; a longer one is text.
const MAX_REFERENCE: usize = 40;

/// The same JSON with all its texts made harmless.
pub fn harmless(json: String) -> String {
    made_harmless(&json).unwrap_or(json)
}

/// The same JSON with all its texts made harmless; none where they are already.
pub(crate) fn made_harmless(json: &str) -> Option<String> {
    let places = places(json.as_bytes());
    if places.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(json.len() + places.len() * JOINER.len());
    let mut done = 0;
    for place in places {
        // All places are beside an ASCII character.
        out.push_str(json.get(done..place).unwrap_or_default());
        out.push_str(JOINER);
        done = place;
    }
    out.push_str(json.get(done..).unwrap_or_default());
    Some(out)
}

/// The same for a body that is still an object.
pub(crate) fn harmless_object(body: Object) -> Object {
    // Maps with text keys and JSON values: writing and reading them can't fail.
    let json = serde_json::to_string(&body).unwrap_or_default();
    if places(json.as_bytes()).is_empty() {
        return body;
    }
    serde_json::from_str(&harmless(json)).unwrap_or_default()
}

/// The places for joiners, in order. An empty list takes no memory.
fn places(json: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    for at in memchr::memchr3_iter(b'<', b'&', b'=', json) {
        let (before, after) = (&json[..at], &json[at + 1..]);
        match json[at] {
            b'<' if opens(after) => places.push(at + 1),
            b'&' if refers(after) => places.push(at + 1),
            b'=' if assigns(before) => places.push(at),
            _ => {}
        }
    }
    let marked = places.len();
    for ends in ENDS.iter() {
        let colons = ends.find_iter(json).map(|at| at + ends.needle().len() - 1);
        places.extend(colons.filter(|at| runs(&json[..*at])));
    }
    if places.len() > marked {
        places.sort_unstable();
    }
    places
}

/// Whether a `<` before this begins a tag, a comment or the like. At the end of a text it may, with the text that a
/// page writes after it.
fn opens(after: &[u8]) -> bool {
    after
        .first()
        .is_none_or(|b| b.is_ascii_alphabetic() || matches!(b, b'/' | b'!' | b'?' | b'"'))
}

/// Whether a `&` before this begins a character reference, or may with what follows the end of the text.
fn refers(after: &[u8]) -> bool {
    let name = after
        .iter()
        .take(MAX_REFERENCE)
        .take_while(|b| b.is_ascii_alphanumeric())
        .count();
    let known = |known: &&[u8]| {
        after
            .get(..known.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(known))
    };
    match after.get(name) {
        Some(b'#') if name == 0 => true,
        Some(b';') => name > 0,
        Some(b'"') | None => true,
        Some(_) => WITHOUT_SEMICOLON.iter().any(known),
    }
}

/// Whether a `=` behind this gives a value to an attribute that can run or load something. If the text begins with
/// the name, or with the `=`, the text before it may have more of the name: a message comes in parts.
fn assigns(before: &[u8]) -> bool {
    let mut before = before;
    while let Some(rest) = strip_space(before) {
        before = rest;
    }
    let is_name = |b: &&u8| b.is_ascii_alphabetic() || matches!(b, b':' | b'-');
    let length = before.iter().rev().take_while(is_name).count();
    let (ahead, mut name) = before.split_at(before.len() - length);
    match ahead.last() {
        // The quote with which the text begins, or one within it.
        Some(b'"') if ahead.len() < 2 || ahead[ahead.len() - 2] != b'\\' => return true,
        Some(b'"' | b'\'' | b'`' | b'/' | b' ') => {}
        // A line break or the like: its letter is not part of the name.
        Some(b'\\') if !name.is_empty() => name = &name[1..],
        _ => return false,
    }
    let on = name
        .get(..2)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"on"));
    on || ATTRIBUTES
        .iter()
        .any(|attribute| name.eq_ignore_ascii_case(attribute.as_bytes()))
}

/// Whether this ends in a scheme that runs the text after the colon. Browsers overlook line breaks and tabs within it.
fn runs(before: &[u8]) -> bool {
    SCHEMES.iter().any(|scheme| {
        let mut rest = before;
        scheme.iter().rev().all(|letter| {
            while let Some(shorter) = strip_break(rest) {
                rest = shorter;
            }
            let Some((last, shorter)) = rest.split_last() else {
                return false;
            };
            rest = shorter;
            last.eq_ignore_ascii_case(letter)
        })
    })
}

/// The text before a space, a line break or a tab, as JSON writes them.
fn strip_space(text: &[u8]) -> Option<&[u8]> {
    text.strip_suffix(b" ")
        .or_else(|| text.strip_suffix(b"\\f"))
        .or_else(|| strip_break(text))
}

fn strip_break(text: &[u8]) -> Option<&[u8]> {
    [b"\\n", b"\\t", b"\\r"]
        .iter()
        .find_map(|escape| text.strip_suffix(*escape))
}
