//! Patterns of names: `*` stands for any text, `?` for one character, everything else for itself.
//!
//! Patterns come from clients and tokens, so their cost is bounded: at most [`MAX_WILDCARDS`] wildcards, and a name is
//! read once, whatever the pattern. The places in the pattern that a name may have reached are the bits of one number,
//! which takes a few steps for each character. There are no regular expressions, no backtracking, and nothing is kept
//! beyond the pattern's text. Facts about a name that many patterns need are found once (`name.rs`).

mod name;

use std::collections::BTreeSet;

use name::{Name, Pairs};
use thiserror::Error;

/// Wildcards that one pattern may have; `**` is one.
const MAX_WILDCARDS: usize = 8;

/// Characters between the first and the last wildcard of a pattern: each is a bit.
const MAX_BETWEEN: usize = 127;

/// A pattern that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadPattern {
    /// More wildcards than [`MAX_WILDCARDS`].
    #[error(
        "has more than {MAX_WILDCARDS} wildcards; name what you mean more exactly, or give several patterns"
    )]
    TooManyWildcards,
    /// A character that is special in other programs' patterns.
    #[error(
        "has one of [ ] {{ }} \\, which are no wildcards here: patterns are made of * (any text) and ? (one character)"
    )]
    NoWildcard,
    /// More characters than fit between two wildcards.
    #[error(
        "has more than {MAX_BETWEEN} characters between its first and its last wildcard; shorten it"
    )]
    TooLong,
}

/// A pattern that can be used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    /// The pattern as written, with repeated stars joined.
    text: Box<str>,
    /// The bytes before the first wildcard; all of them if there is none.
    before: usize,
    /// The bytes behind the last wildcard.
    behind: usize,
    /// The first and last bytes of these, by which most names are ruled out without a look at the text.
    ends: [End; 2],
    /// The least number of bytes of a name that matches.
    least: usize,
    /// The pairs of characters that such a name must have.
    needs: Pairs,
}

/// A few bytes at one end of a text as a number, and which bits of it count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct End {
    bytes: u64,
    mask: u64,
}

impl End {
    const LEN: usize = 8;

    /// The last bytes of a text, the very last one lowest.
    fn last(text: &str) -> Self {
        Self::of(text.bytes().rev())
    }

    /// The first bytes of a text, the very first one lowest.
    fn first(text: &str) -> Self {
        Self::of(text.bytes())
    }

    fn of(bytes: impl Iterator<Item = u8>) -> Self {
        let none = Self { bytes: 0, mask: 0 };
        let shifts = (0..u64::BITS).step_by(8);
        let bytes = bytes.take(Self::LEN).zip(shifts);
        bytes.fold(none, |end, (byte, shift)| Self {
            bytes: end.bytes | u64::from(byte) << shift,
            mask: end.mask | 0xff << shift,
        })
    }

    /// Whether a name with this end can match a pattern with that one.
    fn may_have(self, pattern: Self) -> bool {
        (self.bytes ^ pattern.bytes) & pattern.mask == 0
    }
}

/// The ends of a name, found once for all patterns.
fn ends(name: &str) -> [End; 2] {
    [End::first(name), End::last(name)]
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Matching it would cost too much.
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        let mut plain = String::with_capacity(text.len());
        for c in text.chars() {
            if c != '*' || !plain.ends_with('*') {
                plain.push(c);
            }
        }
        if plain.matches(is_wildcard).count() > MAX_WILDCARDS {
            return Err(BadPattern::TooManyWildcards);
        }
        let (before, behind) = match (plain.find(is_wildcard), plain.rfind(is_wildcard)) {
            (Some(first), Some(last)) => (first, plain.len() - last - 1),
            _ => (plain.len(), 0),
        };
        let first = End::first(plain.get(..before).unwrap_or_default());
        let last = End::last(plain.get(plain.len() - behind..).unwrap_or_default());
        let literals = plain.split(is_wildcard).map(Pairs::of);
        let pattern = Self {
            before,
            behind,
            ends: [first, last],
            least: plain.bytes().filter(|byte| *byte != b'*').count(),
            needs: literals.fold(Pairs::default(), Pairs::with),
            text: plain.into(),
        };
        match pattern.between().chars().count() > MAX_BETWEEN {
            true => Err(BadPattern::TooLong),
            false => Ok(pattern),
        }
    }

    /// Reads a pattern that a person wrote for names of events or rooms. Such names have no brackets, so a pattern with
    /// one is meant for another program and would never match.
    ///
    /// # Errors
    /// The same, and brackets.
    pub fn written(text: &str) -> Result<Self, BadPattern> {
        if text.contains(['[', ']', '{', '}', '\\']) {
            return Err(BadPattern::NoWildcard);
        }
        Self::new(text)
    }

    /// The pattern as written, with repeated stars joined.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern matches one name only.
    pub fn is_plain(&self) -> bool {
        self.before == self.text.len()
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.may_fit(ends(name)) && self.fits(name)
    }

    /// Whether a name with these ends can match: most can't.
    fn may_fit(&self, [first, last]: [End; 2]) -> bool {
        first.may_have(self.ends[0]) && last.may_have(self.ends[1])
    }

    /// Whether a name matches that other patterns look at, too.
    fn fits_name(&self, name: &Name<'_>, text: &str) -> bool {
        if self.is_plain() || !name.has(self.least, self.needs) {
            return self.is_plain() && text == &*self.text;
        }
        if &*self.text == "*" {
            return true;
        }
        if !self.has_ends(text) {
            return false;
        }
        let fits = name.fits(self.before, self.between(), self.behind);
        fits.unwrap_or_else(|| self.fits(text))
    }

    /// Whether a name begins and ends as the pattern does.
    fn has_ends(&self, name: &str) -> bool {
        let before = self.text.get(..self.before).unwrap_or_default();
        let behind = self.text.get(self.text.len() - self.behind..);
        name.starts_with(before) && name.ends_with(behind.unwrap_or_default())
    }

    fn fits(&self, name: &str) -> bool {
        if self.is_plain() {
            return name == &*self.text;
        }
        let between = name
            .strip_prefix(self.text.get(..self.before).unwrap_or_default())
            .and_then(|rest| rest.strip_suffix(self.text.get(self.text.len() - self.behind..)?));
        between.is_some_and(|name| fits(self.between(), name))
    }

    /// The part of the pattern from the first wildcard to the last.
    fn between(&self) -> &str {
        self.text
            .get(self.before..self.text.len() - self.behind)
            .unwrap_or_default()
    }
}

fn is_wildcard(c: char) -> bool {
    matches!(c, '*' | '?')
}

/// Whether a whole name matches a pattern of at most [`MAX_BETWEEN`] characters. Bit n says that the name so far
/// matches the pattern before its n-th character, stars not counted.
fn fits(pattern: &str, name: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    // The places that each character leads to, and the places that any character leaves as they are.
    let (mut ascii, mut any, mut stays) = ([0_u128; 128], 0_u128, 0_u128);
    let mut place = 1_u128;
    for c in pattern.chars() {
        if c == '*' {
            stays |= place;
            continue;
        }
        place <<= 1;
        if c == '?' {
            any |= place;
        } else if let Some(places) = ascii.get_mut(c as usize) {
            *places |= place;
        }
    }
    let mut here = 1_u128;
    for c in name.chars() {
        let led = match ascii.get(c as usize) {
            Some(places) => *places,
            None => places_of(c, pattern),
        };
        here = (here << 1) & (led | any) | here & stays;
        if here == 0 {
            return false;
        }
    }
    here & place != 0
}

/// The places that a character beyond ASCII leads to: the table has none of these.
fn places_of(wanted: char, pattern: &str) -> u128 {
    let mut place = 1_u128;
    let mut found = 0;
    for c in pattern.chars().filter(|c| *c != '*') {
        place <<= 1;
        if c == wanted {
            found |= place;
        }
    }
    found
}

/// Several patterns; a name matches if it matches one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Patterns {
    /// Patterns without a wildcard: found without looking at the others.
    plain: BTreeSet<Box<str>>,
    wild: Vec<Pattern>,
}

impl Patterns {
    /// Reads patterns. The error names the first that can't be used.
    ///
    /// # Errors
    /// One of them can't be used.
    pub fn new<'p>(
        texts: impl IntoIterator<Item = &'p str>,
    ) -> Result<Self, (&'p str, BadPattern)> {
        let patterns = texts
            .into_iter()
            .map(|text| Pattern::new(text).map_err(|bad| (text, bad)));
        patterns.collect()
    }

    /// Whether there are none: then no name matches.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.wild.is_empty()
    }

    /// The number of patterns that have to be tried one by one.
    pub fn wild(&self) -> usize {
        self.wild.len()
    }

    /// The patterns without a wildcard.
    pub fn plain(&self) -> impl Iterator<Item = &str> {
        self.plain.iter().map(|text| &**text)
    }

    /// Whether a name matches one of them.
    pub fn matches(&self, name: &str) -> bool {
        if self.plain.contains(name) {
            return true;
        }
        let ends = ends(name);
        let mut looked_at = None;
        let mut wild = self.wild.iter();
        wild.any(|pattern| {
            // Most names fail at the ends of all patterns, so these are not looked at more closely.
            pattern.may_fit(ends)
                && pattern.fits_name(looked_at.get_or_insert_with(|| Name::new(name)), name)
        })
    }
}

impl FromIterator<Pattern> for Patterns {
    fn from_iter<I: IntoIterator<Item = Pattern>>(all: I) -> Self {
        let mut patterns = Self::default();
        for pattern in all {
            match pattern.is_plain() {
                true => drop(patterns.plain.insert(pattern.text)),
                false => patterns.wild.push(pattern),
            }
        }
        patterns.wild.sort_unstable();
        patterns.wild.dedup();
        patterns
    }
}

#[cfg(test)]
mod tests;
