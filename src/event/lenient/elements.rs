//! Finds the beginnings and ends of values, without reading them.

use super::marks::without_marks;

/// The elements of a list as they are written, at most `max` of them, and the number of further ones. `None` for what
/// is no list from its first bracket to its last.
pub fn elements(text: &[u8], max: usize) -> Option<(Vec<&[u8]>, usize)> {
    let (text, _) = without_marks(text);
    let text = text.trim_ascii();
    let inside = text.strip_prefix(b"[")?;
    let (mut parts, mut more) = (Vec::new(), 0);
    let (mut begin, mut depth) = (0, 0_usize);
    let mut places = Structure::new(inside);
    while let Some((at, byte)) = places.next() {
        let ends = match byte {
            b'{' | b'[' => {
                depth += 1;
                continue;
            }
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                continue;
            }
            b',' if depth > 0 => continue,
            b',' => false,
            b']' => true,
            _ => return None,
        };
        let part = inside.get(begin..at)?.trim_ascii();
        // An empty list has no element.
        if !(ends && parts.is_empty() && more == 0 && part.is_empty()) {
            if parts.len() < max {
                parts.push(part);
            } else {
                more += 1;
            }
        }
        begin = at + 1;
        if ends {
            return (begin == inside.len()).then_some((parts, more));
        }
    }
    None
}

/// About how many values a text holds, in all its objects and lists together: never fewer than there are. Each value
/// costs far more memory than its text, so they are counted before the text is read.
pub fn count_values(text: &[u8]) -> usize {
    let mut values = 1;
    let mut places = Structure::new(text);
    while let Some((_, byte)) = places.next() {
        values += usize::from(matches!(byte, b'{' | b'[' | b','));
    }
    values
}

/// The brackets and commas of a text that stand in no string.
struct Structure<'t> {
    text: &'t [u8],
    /// The end of the part that was looked at.
    at: usize,
}

impl<'t> Structure<'t> {
    fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0 }
    }

    fn next(&mut self) -> Option<(usize, u8)> {
        loop {
            let at = self.at;
            let byte = *self.text.get(at)?;
            self.at += 1;
            match byte {
                b'"' => self.skip_string(),
                b'{' | b'}' | b'[' | b']' | b',' => return Some((at, byte)),
                _ => {}
            }
        }
    }

    /// Goes on to the byte after the quote that ends a string, or to the end.
    fn skip_string(&mut self) {
        while let Some(offset) =
            memchr::memchr2(b'"', b'\\', self.text.get(self.at..).unwrap_or(&[]))
        {
            self.at += offset;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return;
            }
            self.at = (self.at + 2).min(self.text.len());
        }
        self.at = self.text.len();
    }
}
