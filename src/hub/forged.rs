//! Cursors that a client forges from the known form: numbers of any size in the right places.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::catchup::{coalesce::end_of, making::MAX_SEGMENT_EVENTS};
use crate::delivery::{
    Cursor,
    missed::{first_missed, missed, reach},
};

fn forged() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        0..300_u64,
        Just(u64::MAX / 2),
        Just(u64::MAX / 2 + 1),
        Just(u64::MAX - 1),
        Just(u64::MAX),
        any::<u64>(),
    ];
    let numbers = prop::collection::vec(number.clone(), 0..8);
    let parts = (
        number,
        numbers.clone(),
        numbers,
        2..4_u8,
        any::<[bool; 2]>(),
    );
    parts.prop_map(|(seq, unsent, within, kind, [has_unsent, has_within])| {
        let runs = |numbers: &[u64]| {
            let mut bytes = vec![kind];
            numbers.iter().for_each(|n| varint(&mut bytes, *n));
            bytes
        };
        let mut text = format!("1.{}", base36(seq));
        if has_unsent || has_within {
            let unsent = if has_unsent {
                runs(&unsent)
            } else {
                Vec::new()
            };
            text += &format!(".{}", URL_SAFE_NO_PAD.encode(unsent));
        }
        if has_within {
            let mut bytes = vec![0; 4];
            let (name, rest) = within.split_at(within.len().min(2));
            name.iter().for_each(|n| varint(&mut bytes, *n));
            bytes.extend([1, 0]);
            if !rest.is_empty() {
                bytes.extend(runs(rest));
            }
            text += &format!(".{}", URL_SAFE_NO_PAD.encode(bytes));
        }
        text
    })
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 || digits.is_empty() {
        let digit = u32::try_from(number % 36).ok();
        digits.extend(digit.and_then(|digit| char::from_digit(digit, 36)));
        number /= 36;
    }
    digits.iter().rev().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    /// Sums with a client's numbers overflow nowhere: an overflow ended a server that was built with overflow checks.
    #[test]
    fn what_is_reckoned_with_a_forged_cursor_stays_a_number(text in forged()) {
        if let Ok(cursor) = text.parse::<Cursor>() {
            prop_assert!(cursor.to_string().parse::<Cursor>().is_ok());
            let end = end_of(&cursor);
            let span = missed(&cursor, &end, MAX_SEGMENT_EVENTS + 1);
            prop_assert!(span.iter().map(|(_, len)| len).sum::<u64>() <= MAX_SEGMENT_EVENTS + 1);
            first_missed(&cursor);
            reach(&cursor, &end, cursor.seq);
            let _ = cursor.with_everything_up_to(cursor.seq + 1);
        }
    }
}
