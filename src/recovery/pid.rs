//! The secret by which a client comes back to its session.

use std::fmt;

/// A session's secret: 128 random bits. It is never printed by `{:?}`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(u128);

/// Digits of its text.
const DIGITS: usize = 32;

impl Pid {
    /// A new one; none if the system gives no random bytes.
    pub fn mint() -> Option<Self> {
        let mut bytes = [0; 16];
        aws_lc_rs::rand::fill(&mut bytes).ok()?;
        Some(Self(u128::from_be_bytes(bytes)))
    }

    /// The secret that a text names; none if it is not one of ours.
    pub fn read(text: &str) -> Option<Self> {
        number(text).map(Self)
    }

    /// Its text, for the client alone.
    pub fn text(self) -> String {
        digits(self.0)
    }

    /// The name under which a journal keeps its session.
    pub(super) fn name(self) -> String {
        self.key().text()
    }

    /// The name under which its session is held.
    pub(super) fn key(self) -> Key {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.0.to_be_bytes());
        let first = hash.as_ref().first_chunk::<16>();
        Key(first.map_or(0, |bytes| u128::from_be_bytes(*bytes)))
    }
}

/// A secret's hash: a reader of the table, or of a copy of the file that keeps it, can recover no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(u128);

impl Key {
    /// Its text, as a file keeps it.
    pub(super) fn text(self) -> String {
        digits(self.0)
    }

    /// The key that a file names.
    pub(super) fn read(text: &str) -> Option<Self> {
        number(text).map(Self)
    }
}

fn digits(number: u128) -> String {
    format!("{number:032x}")
}

fn number(text: &str) -> Option<u128> {
    let is_ours = text.len() == DIGITS
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let number = u128::from_str_radix(text, 16).ok();
    number.filter(|_| is_ours)
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_texts_are_read() {
        let pid = Pid::mint().unwrap();
        assert_eq!(Pid::read(&pid.text()), Some(pid));
        for other in [
            "",
            "x",
            "+0000000000000000000000000000001",
            &pid.text()[1..],
            &"A".repeat(32),
        ] {
            assert_eq!(Pid::read(other), None, "{other}");
        }
        assert_eq!(format!("{pid:?}"), "Pid");
    }
}
