//! The arithmetic of cursors, and the forms of an update.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;
use smallvec::SmallVec;

use super::*;
use crate::{
    channel::Listening,
    config::Recipients,
    event::{ParseContext, parse},
    journal::Epoch,
    timestamp::Timestamp,
    update::{Envelope, Table, TransformOptions, UpdateShape},
};

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
        // The place where a segment begins, to an end with exceptions and to one without.
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
    fn what_was_forged_is_refused_or_can_be_written_and_reckoned_with(
        steps in prop::collection::vec((1_u64..40, 1_u64..5, 1_u32..4), 1..30), third in any::<bool>(),
        at in 0_usize..200, byte in prop_oneof![0_u8..4, any::<u8>()], skip in 0_u64..900,
    ) {
        let mut unsent = SmallVec::new();
        let mut end = 0;
        for (gap, len, mask) in steps {
            unsent.push(Run { start: end + gap, len, unsent: mask });
            end += gap + len;
        }
        let within = SegmentPosition { to: end + 9, unsent: unsent.clone(), sent: (end, 2), topics: 1, grouping: 7 };
        let cursor = Cursor { epoch: Epoch(7), seq: end, unsent, within: Some(Box::new(within)) };
        let text = cursor.to_string();
        let mut parts: Vec<_> = text.split('.').map(str::to_owned).collect();
        let part = &mut parts[if third { 2 } else { 3 }];
        let mut bytes = URL_SAFE_NO_PAD.decode(&part).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        *part = URL_SAFE_NO_PAD.encode(bytes);
        if let Ok(cursor) = parts.join(".").parse::<Cursor>() {
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor.clone()));
            let within = cursor.within.clone().unwrap();
            prop_assert!(within.to >= cursor.seq && within.to <= codec::MAX_SEQ && within.sent.0 <= within.to);
            for (unsent, last) in [(&cursor.unsent, cursor.seq), (&within.unsent, within.to)] {
                prop_assert!(unsent.iter().all(|run| run.len > 0 && run.unsent > 0 && run.start + run.len - 1 <= last));
            }
            let moved = Cursor { within: None, ..cursor }.with_everything_up_to(skip);
            prop_assert!(moved.unsent.iter().all(|run| run.start > skip));
        }
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

/// However many observers take a form of an update, it is written once, with the cursor and the rest that queues go by.
#[test]
fn each_form_is_written_once_and_shared() {
    let intake = ParseContext {
        now: Timestamp::now(),
        producer: "test",
        max_depth: 32,
    };
    let data = json!({ "decision": "<b>Go</b>", "rationale": "It is time" });
    let event = parse(json!({ "type": "decision.made", "data": data }), &intake).unwrap();
    let table = Table::new(TransformOptions::default());
    let planned = table.plan(&event, Listening::NONE).remove(0);
    let envelope = Envelope {
        cursor: "e.1",
        coalesced: 1,
        data: None,
        since: None,
    };
    let of = |shape| Outgoing::of_plan(&planned, &event, &envelope, shape, Recipients::Pages);
    let both = of(UpdateShape::Full).with_lean(&planned, &event, &envelope, Recipients::Pages);
    let mut texts = Vec::new();
    for shape in [UpdateShape::Full, UpdateShape::Lean] {
        for harmless in [false, true] {
            let form = || both.form(Form { shape, harmless });
            assert!(std::ptr::eq(form(), form()));
            let message = || form().shape(Shape::Text, || form().json.clone().into());
            assert!(Arc::ptr_eq(message(), message()));
            assert_eq!(message().tag.cursor(), Some("e.1"));
            assert_eq!(form().event_type(), Some("decision.made"));
            texts.push(form().json.clone());
        }
    }
    let [full, full_harmless, lean, lean_harmless] = &texts[..] else {
        panic!("four forms: {texts:?}");
    };
    assert!(lean.len() * 2 < full.len() && lean_harmless.len() * 2 < full_harmless.len());
    assert!(full.contains("<b>") && !full_harmless.contains("<b>"));
    assert!(lean.contains("<b>") && !lean_harmless.contains("<b>"));
    // The full shape is not written where nobody takes it.
    let only = of(UpdateShape::Lean);
    let form = Form {
        shape: UpdateShape::Lean,
        harmless: false,
    };
    assert!(std::ptr::eq(only.form(form), &only));
    assert_eq!(&only.json, lean);
}
