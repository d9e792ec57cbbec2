//! A name that many patterns are matched with: facts about it are found once for all of them.
//!
//! Patterns of strangers may each differ from a name only at the end, and there may be thousands. So a pattern knows
//! which pairs of characters it needs and how long a name has to be, which rules nearly all patterns out. The others
//! are matched with the places of the name as the bits of a number: a few steps for each character of the pattern, up
//! to the first that leads nowhere.

/// Characters of a name that can be matched so. The names of events are no longer.
const LONGEST: usize = 128;

/// The pairs of adjacent characters in a text: a set of their hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pairs(u128);

impl Pairs {
    /// The pairs of a text.
    pub(super) fn of(text: &str) -> Self {
        let pairs = text.as_bytes().windows(2);
        Self(pairs.fold(0, |set, pair| set | 1 << hash(pair)))
    }

    /// These pairs and others.
    pub(super) fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether all of these pairs are among others.
    fn are_in(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }
}

fn hash(pair: &[u8]) -> u32 {
    let [first, second] = *pair else { return 0 };
    (u32::from(first) << 8 | u32::from(second)).wrapping_mul(0x9e37_79b1) >> 25
}

/// A name, and where its characters are.
#[derive(Debug)]
pub(super) struct Name<'n> {
    text: &'n str,
    pairs: Pairs,
    /// For each character of ASCII the places where it stands; none for names that have others or are longer.
    places: Option<[u128; 128]>,
}

impl<'n> Name<'n> {
    pub(super) fn new(text: &'n str) -> Self {
        let readable = text.len() <= LONGEST && text.is_ascii();
        let places = readable.then(|| {
            let mut places = [0_u128; 128];
            for (at, byte) in text.bytes().enumerate() {
                if let Some(of) = places.get_mut(usize::from(byte)) {
                    *of |= 1 << at;
                }
            }
            places
        });
        Self {
            text,
            pairs: Pairs::of(text),
            places,
        }
    }

    /// Whether the name is at least so long and has these pairs.
    pub(super) fn has(&self, least: usize, pairs: Pairs) -> bool {
        self.text.len() >= least && pairs.are_in(self.pairs)
    }

    /// Whether the part between its first and last bytes matches a pattern; `None` when it can't be matched so.
    pub(super) fn fits(&self, before: usize, pattern: &str, behind: usize) -> Option<bool> {
        let places = self.places.as_ref()?;
        let len = self.text.len();
        let end = len.checked_sub(behind).filter(|end| before <= *end);
        let Some(end) = end else {
            return Some(false);
        };
        // Bit n says that the pattern so far matches the name up to its n-th character. The end of a name of the
        // greatest length has no bit.
        let bit = |at: usize| if at < LONGEST { 1_u128 << at } else { 0 };
        let all = bit(len).wrapping_sub(1);
        let (mut here, mut at_end) = (bit(before), before == LONGEST);
        for c in pattern.bytes() {
            if c == b'*' {
                // A star leads from the first place on to all later ones.
                at_end |= here != 0 && len == LONGEST;
                let first = here & here.wrapping_neg();
                here = if here == 0 {
                    0
                } else {
                    !first.wrapping_sub(1) & (all | bit(len))
                };
                continue;
            }
            let led = match c {
                b'?' => all,
                c => places.get(usize::from(c)).copied().unwrap_or(0),
            };
            let stepped = here & led;
            at_end = stepped >> (LONGEST - 1) != 0;
            here = stepped << 1;
            if here == 0 && !at_end {
                return Some(false);
            }
        }
        Some(if end == LONGEST {
            at_end
        } else {
            here & bit(end) != 0
        })
    }
}
