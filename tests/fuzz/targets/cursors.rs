//! Cursors that clients send: whatever is read can be written, and is then read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stoa::delivery::Cursor;

fuzz_target!(|data: &[u8]| {
    let Some(cursor) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| text.parse::<Cursor>().ok())
    else {
        return;
    };
    assert_eq!(cursor.to_string().parse().as_ref(), Ok(&cursor));
    assert_eq!(
        cursor.clone().readable(),
        cursor,
        "what was read can be read"
    );
    for seq in [0, 1, cursor.seq / 2, cursor.seq, u64::MAX / 2] {
        let moved = cursor.with_everything_up_to(seq);
        assert!(moved.seq >= seq && moved.unsent.iter().all(|run| run.start > seq));
        assert_eq!(moved.to_string().parse().as_ref(), Ok(&moved));
    }
});
