//! `docs/events.md` is true: each of its lines is published, and gives the update and the facts that the page names.

use kit::{Client, get, post, server, until_folded};
use serde_json::{Value, json};

const PAGE: &str = include_str!("../docs/events.md");

/// One entry of the page.
#[derive(Debug)]
struct Entry {
    title: &'static str,
    event: Value,
    updates: Vec<&'static str>,
    /// The facts of the state: the path, and the value there.
    facts: Vec<(String, Value)>,
}

/// The parts of a line that stand in backticks.
fn quoted(line: &'static str) -> Vec<&'static str> {
    line.split('`').skip(1).step_by(2).collect()
}

fn entries() -> Vec<Entry> {
    let sections = PAGE.split("\n## ").skip(1);
    sections
        .map(|section| {
            let line = |start: &str| {
                let found = section.lines().find(|line| line.starts_with(start));
                found.unwrap_or_else(|| panic!("no line {start:?} in {section}"))
            };
            let (_, event) = line("curl ").split_once(" -d '").expect("an event");
            let event = event.strip_suffix('\'').expect("its end");
            let facts = quoted(line("- state: ")).into_iter().map(|fact| {
                let (place, value) = fact.split_once(" = ").expect("a fact");
                let pointer = format!("/{}", place.replace('.', "/"));
                (pointer, serde_json::from_str(value).expect(value))
            });
            Entry {
                title: section.lines().next().expect("a title"),
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
