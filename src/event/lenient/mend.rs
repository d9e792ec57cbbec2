//! Mends text that is nearly JSON into strict JSON.

use data_encoding::HEXLOWER_PERMISSIVE;

use super::marks::without_marks;

/// The number of values of a text that were mended, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mended {
    /// `NaN`, infinities, and numbers beyond a double: now `null`.
    pub numbers: usize,
    /// Halves of surrogate pairs: now U+FFFD.
    pub surrogates: usize,
    /// Runs of bytes that were no UTF-8: now U+FFFD.
    pub bytes: usize,
    /// Byte order marks, passed over.
    pub marks: usize,
}

impl Mended {
    /// Whether any value was mended.
    pub fn any(self) -> bool {
        self != Self::default()
    }

    /// Adds the numbers of another text.
    pub fn add(&mut self, other: Self) {
        self.numbers += other.numbers;
        self.surrogates += other.surrogates;
        self.bytes += other.bytes;
        self.marks += other.marks;
    }

    /// The number of mended values of each kind, by the counter's names.
    pub fn each(self) -> impl Iterator<Item = (&'static str, usize)> {
        [
            ("number", self.numbers),
            ("surrogate", self.surrogates),
            ("utf8", self.bytes),
            ("byte_order_mark", self.marks),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
    }
}

/// The text with all values mended that have one evident meaning; `None` when there are none. A reader finds out
/// whether the result is JSON.
pub fn mend(text: &[u8]) -> Option<(String, Mended)> {
    let (text, marks) = without_marks(text);
    let mut mended = Mended {
        marks,
        ..Mended::default()
    };
    let mut readable = String::new();
    let text = match str::from_utf8(text) {
        Ok(text) => text,
        Err(_) => {
            for chunk in text.utf8_chunks() {
                readable.push_str(chunk.valid());
                if !chunk.invalid().is_empty() {
                    readable.push(char::REPLACEMENT_CHARACTER);
                    mended.bytes += 1;
                }
            }
            &readable
        }
    };
    let text = Scan::new(text).run(&mut mended);
    mended.any().then_some((text, mended))
}

/// One pass over a text.
struct Scan<'t> {
    text: &'t str,
    /// The end of the part that was read.
    at: usize,
    /// The end of the part that was copied: text that needs no change is copied in runs.
    copied: usize,
    out: String,
}

impl<'t> Scan<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            copied: 0,
            out: String::with_capacity(text.len() + 16),
        }
    }

    fn run(mut self, mended: &mut Mended) -> String {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b'"' => self.string(mended),
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'+' => self.word(mended),
                _ => self.at += 1,
            }
        }
        self.out
            .push_str(self.text.get(self.copied..).unwrap_or_default());
        self.out
    }

    /// Reads a string, from its quote to the one that ends it.
    fn string(&mut self, mended: &mut Mended) {
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(offset) = memchr::memchr2(b'"', b'\\', bytes.get(self.at..).unwrap_or(&[])) {
            self.at += offset;
            if bytes[self.at] == b'"' {
                self.at += 1;
                return;
            }
            match self.escaped(self.at) {
                Some(0xD800..=0xDBFF)
                    if matches!(self.escaped(self.at + 6), Some(0xDC00..=0xDFFF)) =>
                {
                    self.at += 12;
                }
                Some(0xD800..=0xDFFF) => {
                    mended.surrogates += 1;
                    self.replace(self.at + 6, "\\ufffd");
                }
                Some(_) => self.at += 6,
                None => self.at = (self.at + 2).min(bytes.len()),
            }
        }
        self.at = bytes.len();
    }

    /// The code unit that `\uXXXX` at a place stands for.
    fn escaped(&self, at: usize) -> Option<u16> {
        let digits = self.text.as_bytes().get(at..at + 6)?.strip_prefix(b"\\u")?;
        let mut unit = [0; 2];
        HEXLOWER_PERMISSIVE.decode_mut(digits, &mut unit).ok()?;
        Some(u16::from_be_bytes(unit))
    }

    /// Reads a number, or a name such as `true`.
    fn word(&mut self, mended: &mut Mended) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        let length = rest.bytes().take_while(|b| is_part(*b)).count();
        let word = rest.get(..length).unwrap_or_default();
        if is_no_number(word) || is_too_large(word) {
            mended.numbers += 1;
            self.replace(self.at + length, "null");
        } else {
            self.at += length;
        }
    }

    /// Writes `by` in place of the text from here to `end`.
    fn replace(&mut self, end: usize, by: &str) {
        self.out
            .push_str(self.text.get(self.copied..self.at).unwrap_or_default());
        self.out.push_str(by);
        self.at = end;
        self.copied = end;
    }
}

/// Whether a word is not-a-number or an infinity, as Python, JavaScript and C write them.
fn is_no_number(word: &str) -> bool {
    let name = word.strip_prefix(['-', '+']).unwrap_or(word);
    matches!(
        name,
        "NaN" | "nan" | "NAN" | "Infinity" | "infinity" | "Inf" | "inf" | "INF"
    )
}

/// Whether a word is a number of JSON beyond a double.
fn is_too_large(word: &str) -> bool {
    let begins = word
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_digit() || b == b'-');
    begins
        && word.parse::<f64>().is_ok_and(f64::is_infinite)
        && serde_json::from_str::<serde::de::IgnoredAny>(word).is_ok()
}
