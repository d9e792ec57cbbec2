//! What is said of a key whose value can't be.

/// A key whose value can't be.
#[derive(Debug)]
pub(super) struct Invalid {
    /// Where it stands, so that its line is found.
    pub(super) section: &'static str,
    /// Which key.
    pub(super) key: &'static str,
    /// What is wrong with the value and what is allowed, to follow the key's name.
    pub(super) message: String,
    /// Which of the key's tables it is, if the key is a list of them: each has a line of its own.
    pub(super) entry: Option<usize>,
}

impl Invalid {
    pub(super) fn new(section: &'static str, key: &'static str, message: String) -> Self {
        Self {
            section,
            key,
            message,
            entry: None,
        }
    }

    pub(super) fn entry(mut self, index: usize) -> Self {
        self.entry = Some(index);
        self
    }
}
