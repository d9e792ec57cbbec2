//! A bounded map in which nobody's entries push out another's. When it is full, the account that has most loses its
//! oldest entry; of equal accounts, the one whose last entry is oldest.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

/// A key: a hash without known collisions, so that an entry has the same size for names of any length.
pub(super) type Key = u128;

/// About how many bytes of memory an account holds beside its name: its entries in both maps, and the beginning of its
/// order.
const ACCOUNT_BYTES: usize = 220;

#[derive(Debug)]
pub(super) struct FairMap<V> {
    entries: HashMap<Key, Slot<V>>,
    /// The entries of each account, in the order in which they came.
    accounts: HashMap<Arc<str>, Account>,
    /// The order of eviction.
    sizes: BTreeSet<Size>,
    /// The number of entries that ever came.
    came: u64,
    max: usize,
    /// Bytes of memory that the accounts hold.
    accounts_hold: usize,
}

/// The entries of one account.
#[derive(Debug, Default)]
struct Account {
    order: VecDeque<Key>,
    /// The number of its last entry.
    last: u64,
}

/// The number of an account's entries, and the number of its last one.
type Size = (usize, Reverse<u64>, Arc<str>);

impl Account {
    fn size(&self, name: &Arc<str>) -> Size {
        (self.order.len(), Reverse(self.last), name.clone())
    }
}

#[derive(Debug)]
struct Slot<V> {
    value: V,
    /// Whether it was used since it was last considered for eviction: then it is kept once more.
    used: bool,
}

/// Entries that may be kept once more before one is evicted in any case: a bound on the work of one insertion.
const MAX_EVICTION_TURNS: usize = 32;

impl<V> FairMap<V> {
    pub(super) fn new(max: usize) -> Self {
        Self {
            entries: HashMap::new(),
            accounts: HashMap::new(),
            sizes: BTreeSet::new(),
            came: 0,
            max: max.max(1),
            accounts_hold: 0,
        }
    }

    /// Bytes of memory that the accounts hold: an entry may be all that an account has.
    pub(super) fn accounts_hold(&self) -> usize {
        self.accounts_hold
    }

    pub(super) fn get(&self, key: Key) -> Option<&V> {
        self.entries.get(&key).map(|slot| &slot.value)
    }

    /// The value, to be changed; it counts as used.
    pub(super) fn touch(&mut self, key: Key) -> Option<&mut V> {
        self.entries.get_mut(&key).map(|slot| {
            slot.used = true;
            &mut slot.value
        })
    }

    /// Adds an entry that is not there yet. Returns the entry that was evicted for it.
    pub(super) fn insert(&mut self, key: Key, account: &Arc<str>, value: V) -> Option<V> {
        let evicted = (self.entries.len() >= self.max)
            .then(|| self.evict())
            .flatten();
        let name = self.account(account);
        let account = self.accounts.entry(name.clone()).or_default();
        match account.order.is_empty() {
            true => self.accounts_hold += ACCOUNT_BYTES + name.len(),
            false => drop(self.sizes.remove(&account.size(&name))),
        }
        self.came += 1;
        account.last = self.came;
        account.order.push_back(key);
        self.sizes.insert(account.size(&name));
        let slot = Slot { value, used: false };
        self.entries.insert(key, slot);
        evicted
    }

    /// The one copy of an account's name.
    pub(super) fn account(&self, name: &Arc<str>) -> Arc<str> {
        let known = self.accounts.get_key_value(name);
        known.map_or(name, |(known, _)| known).clone()
    }

    /// Whether an account has entries.
    pub(super) fn has_account(&self, name: &str) -> bool {
        self.accounts.contains_key(name)
    }

    /// Evicts the oldest entry of the account that has most.
    pub(super) fn evict(&mut self) -> Option<V> {
        let size = self.sizes.pop_last()?;
        let name = &size.2;
        let account = self.accounts.get_mut(name)?;
        let order = &mut account.order;
        for _ in 0..MAX_EVICTION_TURNS {
            let key = order.front()?;
            match self.entries.get_mut(key) {
                Some(slot) if slot.used => {
                    slot.used = false;
                    order.rotate_left(1);
                }
                _ => break,
            }
        }
        let key = order.pop_front()?;
        if order.is_empty() {
            self.accounts.remove(name);
            self.accounts_hold -= ACCOUNT_BYTES + name.len();
        } else {
            self.sizes.insert(account.size(name));
        }
        self.entries.remove(&key).map(|slot| slot.value)
    }

    /// All entries with their accounts, each account's in its order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Arc<str>, &V)> {
        self.accounts.iter().flat_map(move |(name, account)| {
            account.order.iter().filter_map(move |key| {
                let slot = self.entries.get(key)?;
                Some((*key, name, &slot.value))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_that_has_most_loses_its_oldest_and_no_other_loses_anything() {
        let (small, large): (Arc<str>, Arc<str>) = ("small".into(), "large".into());
        let mut map = FairMap::new(10);
        for key in 0..4 {
            map.insert(key, &small, key);
        }
        for key in 100..200 {
            map.insert(key, &large, key);
        }
        assert_eq!(map.entries.len(), 10);
        assert!((0..4).all(|key| map.get(key) == Some(&key)));
        assert!((194..200).all(|key| map.get(key) == Some(&key)));
        assert_eq!(map.iter().count(), 10);
        assert_eq!(map.accounts_hold(), 2 * ACCOUNT_BYTES + 10);
        while map.evict().is_some() {}
        assert_eq!(map.accounts_hold(), 0);
    }

    #[test]
    fn of_accounts_that_have_as_many_the_one_goes_that_came_longest_ago() {
        let mut map = FairMap::new(3);
        for (key, name) in ["z", "a", "m"].into_iter().enumerate() {
            map.insert(key as u128, &name.into(), name);
        }
        let gone =
            ["b", "y", "c"].map(|name| map.insert(name.as_bytes()[0].into(), &name.into(), name));
        assert_eq!(gone, [Some("z"), Some("a"), Some("m")]);
    }

    #[test]
    fn what_is_used_stays_longer() {
        let all: Arc<str> = "all".into();
        let mut map = FairMap::new(3);
        for key in 0..3 {
            map.insert(key, &all, key);
        }
        map.touch(0);
        assert_eq!(map.insert(3, &all, 3), Some(1), "0 was used");
    }

    #[test]
    fn evicting_is_bounded_also_when_everything_is_used() {
        let all: Arc<str> = "all".into();
        let mut map = FairMap::new(1_000);
        for key in 0..1_000 {
            map.insert(key, &all, key);
            map.touch(key);
        }
        assert_eq!(
            map.insert(5_000, &all, 5_000),
            Some(MAX_EVICTION_TURNS as u128)
        );
    }
}
