//! Coalescing loses no field and no letter.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    event::Object,
    update::{
        Coalescing,
        coalesce::{changes_role, coalesce, later_covers},
    },
};

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

fn small_object() -> impl Strategy<Value = Object> {
    proptest::collection::btree_map("[a-d]", 0_i64..5, 0..4).prop_map(|map| object(json!(map)))
}

proptest! {
    #[test]
    fn every_field_of_both_is_there_and_the_later_value_wins(earlier in small_object(), later in small_object()) {
        let coalesced = coalesce(earlier.clone(), &later, Coalescing::Fields);
        for (key, value) in &later {
            prop_assert_eq!(coalesced.get(key), Some(value));
        }
        for (key, value) in earlier.iter().filter(|(key, _)| !later.contains_key(*key)) {
            prop_assert_eq!(coalesced.get(key), Some(value));
        }
        prop_assert!(coalesced.keys().all(|key| earlier.contains_key(key) || later.contains_key(key)));
        if later_covers(&earlier, &later) {
            prop_assert_eq!(coalesced, later);
        }
    }

    #[test]
    fn changes_are_united_like_fields(earlier in small_object(), later in small_object()) {
        let of = |changes: &Object| object(json!({ "target_id": "n", "changes": changes }));
        let coalesced = coalesce(of(&earlier), &of(&later), Coalescing::Changes);
        let expected = coalesce(earlier, &later, Coalescing::Fields);
        prop_assert_eq!(&coalesced["changes"], &json!(expected));
    }

    #[test]
    fn text_is_joined_in_order_wherever_it_stands(parts in proptest::collection::vec(("\\PC{0,6}", 0..6_usize), 1..8)) {
        let delta = |(text, place): &(String, usize)| object(match place {
            0 => json!({ "message": { "id": "m", "content": text } }),
            1 => json!({ "message_id": "m", "delta": text }),
            2 => json!({ "message_id": "m", "text": text }),
            3 => json!({ "message": { "id": "m", "delta": text } }),
            _ => json!({ "message_id": "m", "content": text }),
        });
        let coalesced = parts[1..].iter().fold(delta(&parts[0]), |before, part| coalesce(before, &delta(part), Coalescing::Text));
        let event = super::event(json!({ "type": "agent.message.appended", "data": coalesced }));
        let (_, update) = &super::plan(&super::table(), &event)[0];
        let whole: String = parts.iter().map(|(text, _)| text.as_str()).collect();
        prop_assert_eq!(&update["data"]["content"], &json!(whole));
    }

    #[test]
    fn the_newest_refresh_says_it_all(earlier in small_object(), later in small_object()) {
        prop_assert_eq!(coalesce(earlier, &later, Coalescing::Replace), later);
    }
}

#[test]
fn a_delta_without_a_role_goes_on_with_the_one_before() {
    let of = |role: Value| object(json!({ "message_id": "m", "role": role, "content": "a" }));
    let inner =
        |role: &str| object(json!({ "message": { "id": "m", "role": role, "content": "a" } }));
    let none = object(json!({ "message_id": "m", "content": "a" }));
    for (earlier, later, changes) in [
        (of(json!("user")), of(json!("user")), false),
        (of(json!("user")), of(json!("assistant")), true),
        (inner("user"), of(json!("user")), false),
        (inner("user"), inner("assistant"), true),
        (of(json!("user")), none.clone(), false),
        (of(json!("user")), of(json!(null)), false),
        (of(json!("user")), of(json!("")), false),
        // Nobody knows here whose text it went on with.
        (none.clone(), of(json!("user")), true),
        (none.clone(), none.clone(), false),
    ] {
        assert_eq!(
            changes_role(&earlier, &later),
            changes,
            "{earlier:?} {later:?}"
        );
    }
}
