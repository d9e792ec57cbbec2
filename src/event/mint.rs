//! New ids, in the order of their making. The `uuid` crate's own way panics while the clock stands before 1970.

use std::sync::Mutex;

use uuid::{ContextV7, Timestamp as Time, Uuid};

use crate::timestamp::Timestamp;

/// Orders the ids of one millisecond.
static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// A new id.
pub fn mint_id() -> Uuid {
    let micros = u64::try_from(Timestamp::now().as_micros()).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
    Uuid::new_v7(Time::from_unix(&CONTEXT, micros / 1_000_000, nanos))
}
