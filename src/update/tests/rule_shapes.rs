//! Rules that carry an application's own names and shapes.

use serde_json::{Value, json};

use super::{of, plan};
use crate::{
    config::RuleConfig,
    event::Event,
    update::{
        Destination, Envelope, Planned, Rule, Table, Timing, TransformOptions, UpdateShape, render,
    },
};

fn rule(text: &str) -> RuleConfig {
    toml::from_str(text).expect("a rule")
}

fn with(rules: &[&str]) -> Table {
    let rules = rules.iter().map(|text| Rule::compile(&rule(text)));
    Table::new(TransformOptions {
        rules: rules.collect::<Result<_, _>>().expect("rules"),
        ..TransformOptions::default()
    })
}

/// The one update of an event under one rule.
fn one(text: &str, event: &Event) -> (Planned, Value) {
    let mut planned = plan(&with(&[text]), event);
    assert_eq!(planned.len(), 1, "{text}");
    planned.remove(0)
}

#[test]
fn an_event_names_its_update() {
    for (emit, kind, data, name) in [
        ("{type}", "build_done", json!({}), "build_done"),
        ("{type}", "user:joined", json!({}), "user:joined"),
        ("on {change_type}", "build.done", json!({}), "on done"),
        (
            "{data.room}/typing",
            "typing",
            json!({ "room": "a b" }),
            "a b/typing",
        ),
        ("n{data.n}", "typing", json!({ "n": 5 }), "n5"),
        ("user joined", "typing", json!({}), "user joined"),
    ] {
        let text = format!("match = \"*\"\nemit = \"{emit}\"");
        let (planned, update) = one(&text, &of(kind, data));
        assert_eq!(planned.kind.name(), name);
        assert_eq!(planned.kind.folded(), crate::event::folded(name));
        assert_eq!(update["type"], name);
    }
}

/// Nothing is lost because an event's value is no name: it goes out under the table's last row, where the rule says.
#[test]
fn an_update_whose_event_gives_no_name_is_generic() {
    let rule = "match = \"*\"\nemit = \"{data.name}\"\nrooms = [\"task:{data.id}\"]\nenvelope = false\npriority = \"high\"";
    let long = "x".repeat(129);
    for name in [
        json!("disconnect"),
        json!("connect"),
        json!(""),
        Value::Null,
        json!("a\nb"),
        json!("\u{1b}[2J"),
        json!(long),
    ] {
        let event = of("x.y", json!({ "name": name, "id": "t1" }));
        let (planned, update) = one(rule, &event);
        assert_eq!(update["type"], "generic_update", "{name}");
        assert_eq!(update["source_type"], "x.y");
        assert_eq!(
            (&update["id"], &update["cursor"]),
            (&json!("e1"), &json!("c"))
        );
        assert_eq!(
            (planned.destination, update["priority"].as_str()),
            (
                Destination::Rooms(["task:t1".to_owned()].into()),
                Some("high")
            )
        );
    }
    let (planned, _) = one(rule, &of("x.y", json!({ "name": "x".repeat(128) })));
    assert_eq!(planned.kind.name().len(), 128);
}

#[test]
fn data_is_spread_at_the_top() {
    let event = of(
        "build.done",
        json!({ "build": 7, "ok": true, "id": "own", "run": { "by": "ann", "build": 8 } }),
    );
    let (_, update) = one("match = \"*\"\nemit = \"b\"\nspread = \"{data}\"", &event);
    assert_eq!(
        (&update["build"], &update["ok"], &update["run"]["by"]),
        (&json!(7), &json!(true), &json!("ann"))
    );
    assert_eq!(update["id"], "e1", "the event's own stays");
    assert_eq!(update.get("data"), None);
    let text = "match = \"*\"\nemit = \"b\"\nspread = \"{data.run}\"\nfields = { build = \"{data.build}\", kind = \"{change_type}\" }";
    let (_, update) = one(text, &event);
    assert_eq!(
        (&update["by"], &update["build"], &update["kind"]),
        (&json!("ann"), &json!(7), &json!("done"))
    );
    // A value that is no object has no fields.
    let (_, update) = one(
        "match = \"*\"\nemit = \"b\"\nspread = \"{data.ok}\"",
        &event,
    );
    assert_eq!(update["id"], "e1");
}

#[test]
fn without_the_envelope_nothing_is_added_in_any_shape() {
    let data = json!({ "id": "own", "type": "mine", "timestamp": 5, "items": [1, { "a": null }], "text": "hello", "n": null });
    let event = of("shop.sold", data.clone());
    let whole = |rest: &str, gives: Value| {
        let text = format!("match = \"*\"\nemit = \"{{type}}\"\n{rest}");
        let (planned, _) = one(&text, &event);
        for shape in [UpdateShape::Full, UpdateShape::Lean] {
            let envelope = Envelope {
                cursor: "c",
                coalesced: 3,
                data: None,
                since: Some(event.timestamp),
            };
            let json = render(&planned, &event, &envelope, shape);
            let update: Value = serde_json::from_str(&json).expect("JSON");
            assert_eq!(update, gives, "{rest}");
        }
    };
    whole("envelope = false", data.clone());
    whole("envelope = false\nspread = \"{data}\"", data.clone());
    whole(
        "envelope = false\nfields = { id = \"{data.id}\", type = \"{type}\", cursor = \"of {source}\" }",
        json!({ "id": "own", "type": "shop.sold", "cursor": "of tests" }),
    );
    let mut over = data.clone();
    over["id"] = json!("e1");
    whole(
        "envelope = false\nspread = \"{data}\"\nfields = { id = \"{id}\" }",
        over,
    );
    whole("payload = \"{data.items}\"", json!([1, { "a": null }]));
    whole("payload = \"{data.text}\"", json!("hello"));
    whole("payload = \"{data.text}, all\"", json!("hello, all"));
    whole("payload = \"{data.timestamp}\"\nenvelope = false", json!(5));
    whole("payload = \"{data}\"", data);
    whole("payload = \"{data.n}\"", Value::Null);
    whole("payload = \"{data.missing}\"", Value::Null);
}

/// Updates of one value that are of other names or for other rooms are other updates: nobody gets what is not theirs.
#[test]
fn updates_of_other_names_or_rooms_are_not_coalesced() {
    let key = |text: &str, data: Value| match one(text, &of("t.u", data)).0.timing {
        Timing::Coalesced { key, .. } => key,
        Timing::Immediate => panic!("coalesced"),
    };
    let by_name = "match = \"*\"\nemit = \"{data.name}\"\ncoalesce_by = \"{data.k}\"";
    let by_room = "match = \"*\"\nemit = \"x\"\ncoalesce_by = \"{data.k}\"\nrooms = [\"user:{data.name}\", \"observers\"]";
    for text in [by_name, by_room] {
        let data = |name: &str| json!({ "name": name, "k": 1 });
        assert_eq!(key(text, data("a")), key(text, data("a")));
        assert_ne!(key(text, data("a")), key(text, data("b")), "{text}");
    }
}

#[test]
fn a_shape_that_contradicts_itself_is_refused() {
    let good = "match = \"a.*\"\nemit = \"a\"\n";
    for (text, key, says) in [
        (
            "payload = \"{data}\"\nspread = \"{data}\"",
            "payload",
            "leave out fields and spread",
        ),
        (
            "payload = \"{data}\"\nfields = { x = \"y\" }",
            "payload",
            "leave out fields and spread",
        ),
        (
            "payload = \"{data}\"\nenvelope = true",
            "payload",
            "leave out envelope",
        ),
        ("payload = \"{nothing}\"", "payload", "no place"),
        (
            "payload = \"{data}\"\nanimation = \"pulse\"",
            "animation",
            "leave it out",
        ),
        (
            "envelope = false\nanimation = \"pulse\"",
            "animation",
            "leave it out",
        ),
        ("spread = \"data\"", "spread", "{data}"),
        ("spread = \"{type}\"", "spread", "{data}"),
        ("spread = \"{data} {data}\"", "spread", "{data}"),
        (
            "fields = { id = \"{data.id}\" }",
            "fields",
            "envelope = false",
        ),
    ] {
        let error = Rule::compile(&rule(&format!("{good}{text}"))).expect_err(text);
        assert!(error.key == key && error.message.contains(says), "{error}");
    }
    for (matches, emit, key, says) in [
        ("a.*", "{data}", "emit", "one of its fields"),
        ("a.*", "{data.x", "emit", "without"),
        ("a.*", "{what}", "emit", "no place"),
        ("a.*", "a\\nb", "emit", "line breaks"),
        ("a b", "x", "match", "fits no event"),
        ("caf\u{e9}.*", "x", "match", "fits no event"),
        ("a/*", "x", "match", "fits no event"),
    ] {
        let text = format!("match = \"{matches}\"\nemit = \"{emit}\"");
        let error = Rule::compile(&rule(&text)).expect_err(&text);
        assert!(error.key == key && error.message.contains(says), "{error}");
    }
}
