//! The namespaces that applications declare.
//!
//! A namespace is copied with every message and compared on every delivery, so it is a number. The names lie in a table
//! that only grows: a name is written once, when the configuration that declares it is read, and is read without a lock.

use std::sync::OnceLock;

/// The most namespaces that one configuration may declare.
pub const MAX_DECLARED: usize = 32;

/// The most characters of a path behind its `/`.
const MAX_NAME: usize = 64;

/// The names that this process has declared, in their order.
static NAMES: [OnceLock<Box<str>>; u8::MAX as usize] =
    [const { OnceLock::new() }; u8::MAX as usize];

/// A namespace that a configuration declares: its place in the table of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppNamespace(u8);

impl AppNamespace {
    /// The namespace at this path, if it was declared.
    pub(super) fn at(path: &str) -> Option<Self> {
        let mut known = NAMES.iter().map_while(OnceLock::get);
        let at = known.position(|name| **name == *path)?;
        u8::try_from(at).ok().map(Self)
    }

    /// Declares the namespace at this path, or finds it.
    pub(super) fn declare(path: &str) -> Option<Self> {
        if !Self::is_path(path) {
            return None;
        }
        // The first free place is taken, unless another thread takes it with another name meanwhile.
        let at = NAMES
            .iter()
            .position(|name| **name.get_or_init(|| path.into()) == *path)?;
        u8::try_from(at).ok().map(Self)
    }

    /// Whether a text can be the path of a namespace.
    pub fn is_path(path: &str) -> bool {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'-');
        path.strip_prefix('/')
            .is_some_and(|name| (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(plain))
    }

    /// The path on the wire.
    pub(super) fn path(self) -> &'static str {
        let name = NAMES.get(usize::from(self.0)).and_then(OnceLock::get);
        name.map_or("", |name| name)
    }
}

#[cfg(test)]
mod tests {
    use crate::channel::Namespace;

    #[test]
    fn a_declared_name_is_one_namespace_however_often_it_is_declared() {
        let chat = Namespace::declare("/declared.chat").expect("a path");
        assert_eq!(Namespace::declare("/declared.chat"), Some(chat));
        assert_eq!(Namespace::at("/declared.chat"), Some(chat));
        assert_eq!(chat.path(), "/declared.chat");
        let jobs = Namespace::declare("/declared/jobs-2").expect("a path");
        assert_ne!(chat, jobs);
        assert_eq!(Namespace::at("/declared.other"), None);
        for path in [
            "",
            "/",
            "/admin",
            "/conversations",
            "chat",
            "/a b",
            "/a,b",
            "/a?b",
        ] {
            assert_eq!(Namespace::declare(path), None, "{path}");
        }
        assert_eq!(Namespace::declare(&format!("/{}", "x".repeat(65))), None);
    }

    #[test]
    fn a_key_names_its_namespace_and_its_room() {
        let chat = Namespace::declare("/declared.rooms").expect("a path");
        let key = chat.room_key("lobby");
        assert_ne!(key, "lobby");
        assert_eq!(Namespace::of_key(&key), (Some(chat), "lobby"));
        assert_eq!(Namespace::Root.room_key("lobby"), "lobby");
        assert_eq!(Namespace::of_key("task:1"), (None, "task:1"));
    }
}
