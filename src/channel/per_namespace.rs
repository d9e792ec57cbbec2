//! One value for each namespace, for tables that every client has: those of the server's own namespaces lie side by side,
//! those of an application's are added when they are first needed.

use super::Namespace;

/// One value for each namespace.
#[derive(Debug, Clone, Default)]
pub struct PerNamespace<T> {
    own: [T; Namespace::OWN.len()],
    /// Boxed, since most clients are on no namespace of an application.
    declared: Option<Box<Declared<T>>>,
}

/// The values of the namespaces of applications.
#[derive(Debug, Clone)]
struct Declared<T>(Vec<(Namespace, T)>);

/// The place of one of the server's own namespaces.
fn own(namespace: Namespace) -> Option<usize> {
    Some(match namespace {
        Namespace::Root => 0,
        Namespace::Conversations => 1,
        Namespace::Admin => 2,
        Namespace::App(_) => return None,
    })
}

impl<T> PerNamespace<T> {
    /// The value of a namespace; none for one that was never needed.
    pub fn get(&self, namespace: Namespace) -> Option<&T> {
        match own(namespace) {
            Some(at) => self.own.get(at),
            None => {
                let mut known = self.declared.as_ref()?.0.iter();
                known.find(|(n, _)| *n == namespace).map(|(_, value)| value)
            }
        }
    }

    /// The value of a namespace, to be changed; none for one that was never needed.
    pub fn find(&mut self, namespace: Namespace) -> Option<&mut T> {
        match own(namespace) {
            Some(at) => self.own.get_mut(at),
            None => {
                let mut known = self.declared.as_mut()?.0.iter_mut();
                known.find(|(n, _)| *n == namespace).map(|(_, value)| value)
            }
        }
    }

    /// All values, with their namespaces.
    pub fn iter(&self) -> impl Iterator<Item = (Namespace, &T)> {
        let declared = self.declared.iter().flat_map(|list| &list.0);
        let own = Namespace::OWN.into_iter().zip(&self.own);
        own.chain(declared.map(|(namespace, value)| (*namespace, value)))
    }

    /// All values, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Namespace, &mut T)> {
        let declared = self.declared.iter_mut().flat_map(|list| &mut list.0);
        let own = Namespace::OWN.into_iter().zip(&mut self.own);
        own.chain(declared.map(|(namespace, value)| (*namespace, value)))
    }
}

impl<T: Default> PerNamespace<T> {
    /// The value of a namespace, which is made when it is first needed.
    pub fn of(&mut self, namespace: Namespace) -> &mut T {
        match own(namespace) {
            Some(at) => &mut self.own[at],
            None => {
                let list = self
                    .declared
                    .get_or_insert_with(|| Box::new(Declared(Vec::new())));
                let at = list.0.iter().position(|(n, _)| *n == namespace);
                let at = at.unwrap_or_else(|| {
                    list.0.push((namespace, T::default()));
                    list.0.len() - 1
                });
                &mut list.0[at].1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_namespace_has_a_value_of_its_own() {
        let chat = Namespace::declare("/per.namespace").expect("a path");
        let mut counts = PerNamespace::<u32>::default();
        assert_eq!(counts.get(chat), None);
        *counts.of(Namespace::Admin) += 1;
        *counts.of(chat) += 2;
        *counts.of(chat) += 2;
        *counts.find(Namespace::Root).expect("own") += 5;
        let all: Vec<_> = counts.iter().map(|(n, count)| (n.path(), *count)).collect();
        let expected = [
            ("/", 5),
            ("/conversations", 0),
            ("/admin", 1),
            ("/per.namespace", 4),
        ];
        assert_eq!(all, expected);
    }
}
