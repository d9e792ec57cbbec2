//! Two updates become one: nothing of the earlier one is lost but what the later one says anew.

use serde_json::Value;

use super::Merge;
use crate::event::Object;

/// Where a message's text may be.
const TEXT: [&str; 3] = ["content", "delta", "text"];

/// `later` into `earlier`.
pub fn merge(mut earlier: Object, later: &Object, how: Merge) -> Object {
    match how {
        Merge::Replace => return later.clone(),
        Merge::Fields => unite(&mut earlier, later),
        Merge::Changes => {
            let changes = earlier.remove("changes");
            unite(&mut earlier, later);
            if let (Some(Value::Object(mut before)), Some(Value::Object(after))) = (changes, later.get("changes")) {
                unite(&mut before, after);
                earlier.insert("changes".into(), Value::Object(before));
            }
        }
        Merge::Text => join_text(&mut earlier, later),
    }
    earlier
}

/// Whether `later` has every key of `earlier`, so that uniting them would give `later` itself.
pub fn later_covers(earlier: &Object, later: &Object) -> bool {
    earlier.keys().all(|key| later.contains_key(key)) && !later.contains_key("changes")
}

fn unite(into: &mut Object, later: &Object) {
    for (key, value) in later {
        into.insert(key.clone(), value.clone());
    }
}

fn join_text(earlier: &mut Object, later: &Object) {
    let mut joined = Object::new();
    for key in TEXT {
        if let (Some(Value::String(before)), Some(Value::String(after))) = (earlier.get(key), later.get(key)) {
            joined.insert(key.into(), format!("{before}{after}").into());
        }
    }
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (earlier.get("message"), later.get("message")) {
        let mut message = before.clone();
        join_text(&mut message, after);
        joined.insert("message".into(), Value::Object(message));
    }
    unite(earlier, later);
    earlier.extend(joined);
}
