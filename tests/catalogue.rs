//! `docs/events.md` is true: each of its lines is published, and gives the update and the facts that the page names.

use kit::{Client, get, post, server, until_folded};
use serde_json::{Value, json};

const PAGE: &str = include_str!("../docs/events.md");

/// One entry of the page.
#[derive(Debug)]
struct Entry {
    title: &'static str,
    /// The names of its data.
    names: Vec<&'static str>,
    event: Value,
    updates: Vec<&'static str>,
    /// The facts of the state: the path, and the value there.
    facts: Vec<(String, Value)>,
}

/// The parts of a line that stand in backticks.
fn quoted(line: &'static str) -> Vec<&'static str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// The names that stand in backticks, without what brackets say of them.
fn names(line: &'static str) -> Vec<&'static str> {
    let mut depth = 0;
    let mut names = Vec::new();
    for (nth, part) in line.split('`').enumerate() {
        match nth % 2 {
            1 if depth == 0 => names.push(part),
            1 => {}
            _ => {
                depth += part.matches('(').count();
                depth -= part.matches(')').count();
            }
        }
    }
    names
}

/// The anchor of a heading.
fn anchor(title: &str) -> String {
    let fits = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    let kept: String = title.chars().filter(fits).collect();
    kept.to_lowercase().replace(' ', "-")
}

#[test]
fn the_table_at_the_top_agrees_with_its_sections() {
    let (top, _) = PAGE.split_once("\n## ").expect("sections");
    let rows: Vec<_> = top.lines().filter(|line| line.starts_with("| [")).collect();
    let entries = entries();
    assert_eq!(rows.len(), entries.len());
    let mut before = Vec::new();
    for (row, entry) in rows.into_iter().zip(entries) {
        let cells: Vec<&str> = row.trim_matches(['|', ' ']).split(" | ").collect();
        let [name, data, updates] = cells[..] else {
            panic!("not three cells: {row}");
        };
        assert_eq!(
            name,
            format!("[{0}](#{1})", entry.title, anchor(entry.title))
        );
        if data != "the same" {
            before = names(data);
        }
        assert_eq!(before, entry.names, "{row}");
        assert_eq!(quoted(updates), entry.updates, "{row}");
    }
}

fn entries() -> Vec<Entry> {
    let sections = PAGE.split("\n## ").skip(1);
    sections
        .map(|section| {
            let line = |start: &str| {
                let found: Vec<_> = section.lines().filter(|l| l.starts_with(start)).collect();
                let [line] = found[..] else {
                    panic!("not one line {start:?} in {section}: {found:?}");
                };
                line
            };
            let (_, event) = line("curl ").split_once(" -d '").expect("an event");
            let event = event.strip_suffix('\'').expect("its end");
            let facts = quoted(line("- state: ")).into_iter().map(|fact| {
                let (place, value) = fact.split_once(" = ").expect("a fact");
                let pointer = format!("/{}", place.replace('.', "/"));
                (pointer, serde_json::from_str(value).expect(value))
            });
            assert!(!line("- page: ").is_empty());
            Entry {
                title: section.lines().next().expect("a title"),
                names: names(line("- data: ")),
                event: serde_json::from_str(event).expect(event),
                updates: quoted(line("- update: ")),
                facts: facts.collect(),
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_the_page_does_what_it_says() {
    let server = server().await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    let entries = entries();
    assert!(entries.len() > 20, "{}", entries.len());
    for entry in entries {
        let (status, answer) = post(address, &entry.event).await;
        assert_eq!(status, 202, "{entry:?}: {answer}");
        for name in &entry.updates {
            // A line of a log names itself by another key.
            let named = entry.event.get("type").or(entry.event.get("event"));
            let of_it = |update: &Value| update.get("source_type") == named;
            client.event_where(name, of_it).await;
        }
        until_folded(address, &answer["cursor"]).await;
        let (_, state) = get(address, "/api/v1/state").await;
        for (place, value) in &entry.facts {
            assert_eq!(
                state.pointer(place),
                Some(value),
                "{}: {place} in {state}",
                entry.title
            );
        }
    }
    server.shutdown().await;
}
