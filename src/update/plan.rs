//! Plans of agents, as their events tell them: items that are to be done, before anybody has a task.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use serde_json::Value;

use crate::event::{Event, Object, id_of};

/// The most items of a plan that any configuration takes.
pub(crate) const MOST_ITEMS: usize = 256;
/// The most items of a plan, unless it is configured. Pages go by this number, too.
const USUAL_ITEMS: usize = 100;
/// The key of the items.
const ITEMS: &str = "items";
/// Bytes of an item's id: it becomes that of a task.
const MAX_ITEM_ID: usize = 128;

/// An item of a plan.
#[derive(Debug, PartialEq)]
pub(crate) struct Item<'a> {
    /// The id of its task.
    pub(crate) id: Cow<'a, str>,
    pub(crate) title: Option<&'a str>,
    /// The status of its task, in the server's own words.
    pub(crate) status: &'static str,
}

/// The id of the plan; its run, else its agent stands for one that has none, and a project has one plan without any.
pub(crate) fn plan_id(event: &Event) -> Cow<'_, str> {
    let said = ["plan_id", "planId"].iter().find_map(|key| {
        let value = event.data.get(*key)?;
        text(value)
    });
    let other = event.run_id().or(event.agent_id()).unwrap_or("plan");
    said.unwrap_or(Cow::Borrowed(other))
}

/// The items of a plan that can be tasks, each id once, and the number of those that can't: beyond `most`, or without a
/// usable id.
pub(crate) fn plan_items(data: &Object, most: usize) -> (Vec<Item<'_>>, u64) {
    let said = data.get(ITEMS).and_then(Value::as_array);
    let said = said.map_or(&[][..], Vec::as_slice);
    let mut known = HashSet::new();
    let mut items = Vec::with_capacity(said.len().min(most));
    let mut left_out = said.len().saturating_sub(most) as u64;
    for value in said.iter().take(most) {
        match item(value) {
            Some(item) if known.insert(item.id.clone()) => items.push(item),
            // The first of two items with one id counts.
            Some(_) => {}
            None => left_out += 1,
        }
    }
    (items, left_out)
}

/// Whether the later form of a plan may come in the place of the earlier one: it has all of its items with their titles, and
/// the others have titles too, because they may be items that an older form had.
pub(crate) fn keeps_items(earlier: &Object, later: &Object) -> bool {
    if !earlier.contains_key(ITEMS) {
        return true;
    }
    let items = |data| plan_items(data, USUAL_ITEMS).0.into_iter();
    let before: HashMap<_, _> = items(earlier).map(|item| (item.id, item.title)).collect();
    let mut kept = 0;
    let titled = items(later).all(|item| {
        let title = before.get(&item.id);
        kept += usize::from(title.is_some());
        item.title.is_some() || title == Some(&None)
    });
    titled && kept == before.len() && later.contains_key(ITEMS)
}

fn item(value: &Value) -> Option<Item<'_>> {
    let read = |key: &str| value.get(key).and_then(text);
    let title = ["title", "name", "content", "text"];
    let title = title.iter().find_map(|key| value.get(*key)?.as_str());
    let title = title.or(value.as_str()).filter(|title| !title.is_empty());
    let id = read("id").or(read("task_id")).or(title.map(Cow::from))?;
    let fits = id.len() <= MAX_ITEM_ID && !id.chars().any(char::is_control);
    let status = value.get("status").and_then(Value::as_str);
    fits.then(|| Item {
        id,
        title,
        status: status_of(status.unwrap_or_default()),
    })
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(id) if !id.is_empty() => Some(id.into()),
        Value::Number(id) => Some(id_of(id).into()),
        _ => None,
    }
}

/// The status of a task by the word that an agent has for an item.
fn status_of(word: &str) -> &'static str {
    match word.to_ascii_lowercase().as_str() {
        "in_progress" | "in-progress" | "running" | "active" | "working" | "started" => {
            "in_progress"
        }
        "done" | "completed" | "complete" | "finished" => "done",
        "blocked" => "blocked",
        "failed" | "error" => "failed",
        "cancelled" | "canceled" | "skipped" => "cancelled",
        _ => "todo",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An item: its id, its title, its status.
    type Item = (String, Option<String>, &'static str);

    fn items(items: Value, most: usize) -> (Vec<Item>, u64) {
        let mut data = Object::new();
        data.insert("items".into(), items);
        let (items, left_out) = plan_items(&data, most);
        let items = items.into_iter().map(|item| {
            let title = item.title.map(str::to_owned);
            (item.id.into_owned(), title, item.status)
        });
        (items.collect(), left_out)
    }

    #[test]
    fn items_are_read_as_agents_write_them() {
        let (read, left_out) = items(
            json!([
                { "id": "a", "title": "Find it", "status": "pending" },
                { "id": 2, "content": "Write it", "status": "In_Progress" },
                "Read it",
                { "title": "Print it", "status": "completed" },
                { "id": "a", "title": "Again" },
                { "status": "todo" }, 7, null, { "id": "x".repeat(129) }, { "id": "a\nb" },
            ]),
            100,
        );
        let of = |id: &str, title: &str, status| (id.to_owned(), Some(title.to_owned()), status);
        assert_eq!(
            read,
            [
                of("a", "Find it", "todo"),
                of("2", "Write it", "in_progress"),
                of("Read it", "Read it", "todo"),
                of("Print it", "Print it", "done"),
            ]
        );
        assert_eq!(left_out, 5);
        assert_eq!(items(json!({ "a": 1 }), 100), (Vec::new(), 0));
    }

    #[test]
    fn a_form_of_a_plan_comes_in_the_place_of_one_whose_items_it_has() {
        let of = |data: &Value| data.as_object().cloned().unwrap();
        let (a, b) = (json!({ "id": "a", "title": "A" }), json!({ "id": "b" }));
        let named = json!({ "id": "b", "title": "B" });
        for (earlier, later, keeps) in [
            (
                json!({ "items": [a] }),
                json!({ "items": [named, a] }),
                true,
            ),
            (json!({ "items": [a, b] }), json!({ "items": [a] }), false),
            (json!({ "items": [named] }), json!({ "items": [b] }), false),
            (json!({ "items": [b] }), json!({ "items": [named] }), true),
            (json!({ "items": [b] }), json!({ "items": [b] }), true),
            (
                json!({ "items": [a] }),
                json!({ "items": [a, named] }),
                true,
            ),
            (json!({ "items": [a] }), json!({ "items": [a, b] }), false),
            (json!({ "items": [a] }), json!({ "note": "x" }), false),
            (json!({ "items": null }), json!({ "items": null }), true),
            (json!({ "note": "x" }), json!({ "items": [] }), true),
            (json!({ "note": "x" }), json!({ "note": "y" }), true),
        ] {
            let keeping = keeps_items(&of(&earlier), &of(&later));
            assert_eq!(keeping, keeps, "{earlier} {later}");
        }
    }

    #[test]
    fn a_plan_has_no_more_items_than_it_may() {
        let many: Vec<Value> = (0..20).map(|n| json!({ "id": n })).collect();
        let (read, left_out) = items(many.into(), 3);
        assert_eq!((read.len(), left_out), (3, 17));
    }
}
