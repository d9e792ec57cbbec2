//! The error of a key whose value can't be used.

/// A key whose value can't be used.
#[derive(Debug)]
pub(super) struct Invalid {
    /// The key's path, so that its line is found.
    pub(super) section: &'static str,
    /// The key.
    pub(super) key: &'static str,
    /// The fault of the value and the values that are allowed, to follow the key's name.
    pub(super) message: String,
    /// The index of the table, if the key is a list of tables, each of which has a line of its own.
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
