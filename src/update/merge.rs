use super::Merge;
use crate::event::Object;
pub fn merge(mut earlier: Object, later: &Object, how: Merge) -> Object {
    for (k, v) in later {
        if how == Merge::Text && k == "content" {
            let t = format!(
                "{}{}",
                earlier["content"].as_str().unwrap_or(""),
                v.as_str().unwrap_or("")
            );
            earlier.insert(k.clone(), t.into());
        } else {
            earlier.insert(k.clone(), v.clone());
        }
    }
    earlier
}
pub fn later_covers(e: &Object, l: &Object) -> bool {
    e.keys().all(|k| l.contains_key(k))
}
