//! Counts of the members, kept as they come and go: a question about them costs the same for any number of members.

use std::{collections::HashMap, sync::Arc};

use crate::channel::{Namespace, PerNamespace};

/// The number of members, by namespace and by user.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// Members on each namespace.
    on: PerNamespace<usize>,
    /// Members that take lean updates.
    lean: usize,
    /// Members of each user; users without a member have no entry.
    users: HashMap<Arc<str>, usize>,
}

impl Census {
    /// A member has come.
    pub(super) fn come(&mut self, namespace: Namespace, user: Option<&Arc<str>>) {
        *self.on.of(namespace) += 1;
        self.gain(user);
    }

    /// A member has gone.
    pub(super) fn go(&mut self, namespace: Namespace, user: Option<&Arc<str>>) {
        *self.on.of(namespace) -= 1;
        self.lose(user);
    }

    /// A member has become another user's.
    pub(super) fn change(&mut self, from: Option<&Arc<str>>, to: Option<&Arc<str>>) {
        self.gain(to);
        self.lose(from);
    }

    /// A member that takes lean updates has come.
    pub(super) fn lean_comes(&mut self) {
        self.lean += 1;
    }

    /// A member that takes lean updates has gone.
    pub(super) fn lean_goes(&mut self) {
        self.lean -= 1;
    }

    /// The number of members that take lean updates.
    pub(super) fn lean(&self) -> usize {
        self.lean
    }

    /// The number of members on each namespace.
    pub(super) fn on(&self) -> impl Iterator<Item = (Namespace, usize)> {
        self.on.iter().map(|(namespace, on)| (namespace, *on))
    }

    /// The number of different users that have a member.
    pub(super) fn users(&self) -> usize {
        self.users.len()
    }

    fn gain(&mut self, user: Option<&Arc<str>>) {
        if let Some(user) = user {
            *self.users.entry(user.clone()).or_default() += 1;
        }
    }

    fn lose(&mut self, user: Option<&Arc<str>>) {
        let Some(user) = user else { return };
        if let Some(members) = self.users.get_mut(user) {
            *members -= 1;
            if *members == 0 {
                self.users.remove(user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_counts_are_those_of_the_members(
            steps in prop::collection::vec((0_usize..3, prop::option::of(0_u8..3), 0_u8..3), 0..60),
        ) {
            let mut census = Census::default();
            let mut members: Vec<(Namespace, Option<Arc<str>>)> = Vec::new();
            for (at, user, what) in steps {
                let user: Option<Arc<str>> = user.map(|n| n.to_string().into());
                match (what, members.len()) {
                    (1, 1..) => {
                        let (namespace, user) = members.swap_remove(at % members.len());
                        census.go(namespace, user.as_ref());
                    }
                    (2, 1..) => {
                        let at = at % members.len();
                        census.change(members[at].1.as_ref(), user.as_ref());
                        members[at].1 = user;
                    }
                    _ => {
                        census.come(Namespace::OWN[at], user.as_ref());
                        members.push((Namespace::OWN[at], user));
                    }
                }
                let users: std::collections::HashSet<_> =
                    members.iter().filter_map(|(_, user)| user.clone()).collect();
                prop_assert_eq!(census.users(), users.len());
                for (namespace, count) in census.on() {
                    let on = members.iter().filter(|(n, _)| *n == namespace).count();
                    prop_assert_eq!(count, on);
                }
            }
        }
    }
}
