//! The arithmetic of cursors.

use std::collections::BTreeMap;

use proptest::prelude::*;
use smallvec::SmallVec;

use super::*;
use crate::journal::Epoch;

proptest! {
    #[test]
    fn pending_is_what_a_plain_map_would_say(ops in prop::collection::vec((any::<bool>(), 0_u64..40, 1_u32..8), 1..120)) {
        let (mut pending, mut model, mut next) = (Pending::default(), BTreeMap::new(), 1_u64);
        for (push, back, mask) in ops {
            if push {
                pending.push(next, mask);
                model.insert(next, mask);
                next += 1;
            } else {
                let seq = next.saturating_sub(back);
                pending.clear(seq, mask);
                if let Some(unsent) = model.get_mut(&seq) {
                    *unsent &= !mask;
                    if *unsent == 0 { model.remove(&seq); }
                }
            }
            let flat: BTreeMap<_, _> = pending.up_to(u64::MAX - 1)
                .flat_map(|run| (run.start..run.start + run.len).map(move |seq| (seq, run.unsent)))
                .collect();
            prop_assert_eq!(&flat, &model);
            let runs: Vec<_> = pending.up_to(u64::MAX - 1).collect();
            for pair in runs.windows(2) {
                prop_assert!(pair[0].start + pair[0].len < pair[1].start || pair[0].unsent != pair[1].unsent);
            }
        }
    }

    #[test]
    fn cursors_survive_the_wire(epoch in any::<u32>(), steps in prop::collection::vec((1_u64..1_000_000, 1_u64..5_000, 1_u32..), 0..20)) {
        let mut unsent = SmallVec::new();
        let mut at = 0;
        for (gap, len, mask) in steps {
            unsent.push(Run { start: at + gap, len, unsent: mask });
            at += gap + len;
        }
        let mut cursor = Cursor { epoch: Epoch(epoch), seq: at + 5, unsent, within: None };
        prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor.clone()));
        // The same as the place where a segment begins, to an end with exceptions and to one without.
        let shifted = cursor.unsent.iter().map(|run| Run { start: run.start + 7, ..*run }).collect();
        for unsent in [shifted, SmallVec::new()] {
            cursor.within = Some(Box::new(SegmentPosition { to: at + 90, unsent, sent: (at + 40, 1 << 29), topics: 5, grouping: epoch ^ 0x55aa }));
            prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor.clone()));
            let clean = Cursor { unsent: SmallVec::new(), ..cursor.clone() };
            prop_assert_eq!(clean.to_string().parse::<Cursor>(), Ok(clean));
        }
    }

    #[test]
    fn cursors_with_many_small_gaps_do_too(first in 1_u64..1_000_000, steps in prop::collection::vec((1_u64..4, 1_u64..3, 1_u32..4), 1..200)) {
        let mut unsent = SmallVec::new();
        let mut at = first;
        for (gap, len, mask) in steps {
            unsent.push(Run { start: at + gap, len, unsent: mask });
            at += gap + len;
        }
        let cursor = Cursor { epoch: Epoch(7), seq: at, unsent, within: None };
        prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,60}") {
        let _ = text.parse::<Cursor>();
    }
}

#[test]
fn a_cursor_stays_short_while_windows_hold_every_other_event() {
    let unsent = (0..200)
        .map(|n| Run {
            start: 1_000_000 + 2 * n,
            len: 1,
            unsent: 2,
        })
        .collect();
    let cursor = Cursor {
        epoch: Epoch(u32::MAX),
        seq: 1_000_400,
        unsent,
        within: None,
    };
    assert!(cursor.to_string().len() < 100, "{cursor}");
}

#[test]
fn a_place_in_the_middle_of_a_segment_is_short_however_long_the_segment() {
    let within = SegmentPosition {
        to: 1_130_000,
        unsent: SmallVec::new(),
        sent: (1_129_950, 2),
        topics: 0,
        grouping: u32::MAX,
    };
    let cursor = Cursor {
        within: Some(Box::new(within)),
        ..Cursor::at(Epoch(u32::MAX), 1_000_000)
    };
    assert!(cursor.to_string().len() < 40, "{cursor}");
}
