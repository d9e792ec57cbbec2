//! Text that is nearly JSON is read or refused, and never read worse than a strict reader does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use stoa::event::{self, lenient};

fuzz_target!(|data: &[u8]| {
    let strict = lenient::strict::<Value>(data).ok();
    let read = lenient::read(data).ok();
    if let Some(strict) = &strict {
        let (value, mended) = read.as_ref().expect("JSON is read");
        assert_eq!(value, strict, "as it stands");
        assert!(!mended.any());
    }
    if let Some((text, _)) = lenient::mend(data) {
        assert!(text.len() <= 3 * data.len() + 4, "mending is bounded");
        assert_eq!(lenient::mend(text.as_bytes()), None, "once is enough");
    }
    if let (Some(Value::Array(items)), Some((parts, more))) = (&strict, lenient::elements(data, 8))
    {
        assert_eq!(parts.len() + more, items.len());
        for (part, item) in parts.iter().zip(items) {
            assert_eq!(lenient::strict::<Value>(part).ok().as_ref(), Some(item));
        }
    }
    lenient::read_body(data).ok();
    if let Some((mut value, _)) = read {
        assert!(lenient::count_values(data) >= 1);
        event::tidy(&mut value);
        assert_eq!(event::tidy(&mut value), event::Tidied::default());
    }
});
