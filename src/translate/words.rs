//! Texts and names that are taken over from others, within bounds.

use aws_lc_rs::digest;

use crate::config::Content;

/// Characters of a preview.
const PREVIEW: usize = 500;
/// Bytes of a text that is taken over whole: several of them fit into one event.
const WHOLE: usize = 16 * 1024;
/// Characters of a name, and its bytes: those of ids are bounded.
const NAME: usize = 200;
const NAME_BYTES: usize = 240;
/// Characters of a line that stands for a longer text.
const LINE: usize = 120;

/// The texts that are taken over.
#[derive(Debug, Clone, Copy)]
pub struct Words(pub Content);

impl Words {
    /// A text, as much of it as is taken over; none of an empty one.
    pub fn cut(self, text: &str) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        match self.0 {
            Content::None => None,
            Content::Preview => Some(beginning(text, PREVIEW)),
            Content::Full if text.len() <= WHOLE => Some(text.to_owned()),
            Content::Full => {
                let end = (0..=WHOLE).rev().find(|end| text.is_char_boundary(*end));
                Some(format!("{}…", &text[..end.unwrap_or(0)]))
            }
        }
    }

    /// The first line of a text, to stand for it.
    pub fn line(self, text: &str) -> Option<String> {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
        let cut = beginning(&one_line(line), LINE);
        (self.0 != Content::None).then_some(cut)
    }

    /// Whether any text is taken over.
    pub fn are_any(self) -> bool {
        self.0 != Content::None
    }
}

/// The beginning of a text; a mark shows that there is more.
fn beginning(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A name on one line, without what no name has.
pub fn one_line(name: &str) -> String {
    let mut line = String::new();
    for word in name.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let end = line
        .char_indices()
        .nth(NAME)
        .map_or(line.len(), |(at, _)| at);
    let fits = |end: &usize| *end <= NAME_BYTES && line.is_char_boundary(*end);
    let end = (0..=end).rev().find(fits).unwrap_or(0);
    line.truncate(end);
    line
}

/// A name as an id, as the package for Python makes it: one that loses letters gets a few that tell it from others.
pub fn slug(name: &str) -> String {
    let name = one_line(name);
    let mut made = String::with_capacity(name.len());
    let mut is_gap = false;
    for c in name.chars() {
        let fits = c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
        match (fits, is_gap) {
            (true, _) => made.push(c),
            (false, false) => made.push('-'),
            (false, true) => {}
        }
        is_gap = !fits;
    }
    let made = made.trim_matches('-');
    if name.is_ascii() && !made.is_empty() {
        return made.to_owned();
    }
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, name.as_bytes());
    let hash = data_encoding::HEXLOWER.encode(hash.as_ref());
    let marked = format!("{made}-{}", &hash[..6]);
    marked.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_as_the_setting_says() {
        let long = "ä".repeat(20_000);
        assert_eq!(Words(Content::None).cut("text"), None);
        assert_eq!(Words(Content::Preview).cut("text").as_deref(), Some("text"));
        let preview = Words(Content::Preview).cut(&long).unwrap_or_default();
        assert_eq!(preview.chars().count(), 501);
        let whole = Words(Content::Full).cut(&long).unwrap_or_default();
        assert!(whole.len() <= WHOLE + 3 && whole.ends_with('…'));
        assert_eq!(Words(Content::Full).cut(""), None);
        let line = Words(Content::Preview).line("\n  Plan a\tdinner \nfor four");
        assert_eq!(line.as_deref(), Some("Plan a dinner"));
        assert_eq!(Words(Content::None).line("Plan"), None);
    }

    /// The ids that `stoa.telling.events.slug` makes of the same names.
    #[test]
    fn a_name_becomes_the_id_that_the_package_makes() {
        for (name, id) in [
            ("crew:Market Researcher", "crew:Market-Researcher"),
            ("  a \n b  ", "a-b"),
            ("team:writer", "team:writer"),
            ("a- b", "a--b"),
            ("Köchin", "K-chin-e15d53"),
            ("日本", "44da6b"),
        ] {
            assert_eq!(slug(name), id);
        }
    }
}
