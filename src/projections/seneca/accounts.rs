//! Accounts of projects, from which things are evicted one by one: the project that has most loses one.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::limits::ENTRY;

/// The project of an event; events that name none have an account of their own.
pub(super) type Project = Option<Arc<str>>;

/// The projects with entries.
#[derive(Debug)]
pub(super) struct Accounts<T> {
    of: HashMap<Project, Account<T>>,
    /// The order of eviction: the one that has most; of equal ones the one whose last entry is oldest.
    sizes: BTreeSet<(usize, Reverse<u64>, Project)>,
    /// A number for each entry.
    came: u64,
    /// About how many bytes the accounts hold beside their entries.
    pub(super) bytes: usize,
}

#[derive(Debug, Default)]
struct Account<T> {
    /// The weight of its entries.
    weight: usize,
    /// The number of its entries.
    things: usize,
    /// The number of its last entry.
    last: u64,
    of: T,
}

impl<T> Default for Accounts<T> {
    fn default() -> Self {
        Self {
            of: HashMap::new(),
            sizes: BTreeSet::new(),
            came: 0,
            bytes: 0,
        }
    }
}

impl<T: Default> Accounts<T> {
    /// Adds an entry to a project; returns the project's value.
    pub(super) fn add(&mut self, project: &Project, weight: usize) -> &mut T {
        self.came += 1;
        match self.of.get(project) {
            Some(account) => drop(self.sizes.remove(&size(project, account))),
            None => self.bytes += held(project),
        }
        let account = self.of.entry(project.clone()).or_default();
        account.weight += weight;
        account.things += 1;
        account.last = self.came;
        self.sizes.insert(size(project, account));
        &mut account.of
    }

    /// Takes an entry from a project.
    pub(super) fn take(&mut self, project: &Project, weight: usize) {
        let Some(account) = self.of.get_mut(project) else {
            return;
        };
        self.sizes.remove(&size(project, account));
        account.weight -= weight.min(account.weight);
        account.things -= 1;
        if account.things > 0 {
            self.sizes.insert(size(project, account));
        } else {
            self.of.remove(project);
            self.bytes -= held(project);
        }
    }

    pub(super) fn get_mut(&mut self, project: &Project) -> Option<&mut T> {
        self.of.get_mut(project).map(|account| &mut account.of)
    }

    /// The project that has most.
    pub(super) fn most(&self) -> Option<&Project> {
        self.sizes.last().map(|(.., project)| project)
    }
}

fn size<T>(project: &Project, account: &Account<T>) -> (usize, Reverse<u64>, Project) {
    (account.weight, Reverse(account.last), project.clone())
}

fn held(project: &Project) -> usize {
    2 * ENTRY + project.as_ref().map_or(0, |project| project.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_has_most_is_found_and_nothing_is_left_of_what_went() {
        let (a, b): (Project, Project) = (Some("a".into()), None);
        let mut accounts: Accounts<()> = Accounts::default();
        accounts.add(&a, 1);
        accounts.add(&b, 1);
        assert_eq!(accounts.most(), Some(&a), "it came longest ago");
        accounts.add(&b, 3);
        assert_eq!(accounts.most(), Some(&b));
        accounts.take(&b, 3);
        accounts.take(&b, 1);
        assert_eq!(accounts.most(), Some(&a));
        accounts.take(&a, 1);
        assert_eq!((accounts.most(), accounts.bytes), (None, 0));
    }
}
