//! The counters that the guides name are those that the server has, and the other way round.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use kit::{Client, get, post, server, until_folded};
use serde_json::{Value, json};

/// The texts of a folder's files, and of those in its folders, that end like this.
fn texts(folder: &Path, ending: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            texts(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push((path.display().to_string(), text(&path)));
        }
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a text")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The beginning of a text, as far as a name goes.
fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The names that the code registers, without the endings that say what they count.
fn registered() -> BTreeSet<String> {
    let mut source = Vec::new();
    texts(&root().join("src"), ".rs", &mut source);
    let names = source
        .iter()
        .flat_map(|(_, text)| text.split(".register(").skip(1))
        .filter_map(|call| call.trim_start().strip_prefix('"').map(name))
        .map(str::to_owned);
    let names: BTreeSet<String> = names.collect();
    assert!(names.len() > 40, "{names:?}");
    names
}

/// The names in the table of the protocol's guide, each with its labels.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let guide = text(&root().join("docs/protocol.md"));
    let (_, section) = guide.split_once("\n## Metrics\n").expect("a section");
    let section = section.split("\n## ").next().expect("its text");
    let mut rows = BTreeMap::new();
    for line in section.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (cell, _) = line.split_once(" | ").expect("a cell");
        for code in cell.split('`').step_by(2) {
            let name = name(code);
            let labels = code[name.len()..]
                .trim_matches(['{', '}'])
                .split(", ")
                .filter(|label| !label.is_empty());
            let labels = labels.map(str::to_owned).collect();
            let twice = rows.insert(name.to_owned(), labels);
            assert!(twice.is_none(), "{name} has two rows");
        }
    }
    rows
}

fn base(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}

#[test]
fn each_counter_that_a_guide_names_is_there() {
    let mut guides = Vec::new();
    texts(&root().join("docs"), ".md", &mut guides);
    for file in ["README.md", "CHANGELOG.md", "config.toml"] {
        guides.push((file.into(), text(&root().join(file))));
    }
    let registered = registered();
    let mut named = 0;
    for (file, text) in &guides {
        // A token's prefix, not a counter's.
        for found in text
            .split("stoa_")
            .skip(1)
            .map(name)
            .filter(|n| !["", "token"].contains(n))
        {
            assert!(
                registered.contains(base(found)),
                "{file} names stoa_{found}, and there is no such counter"
            );
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn each_counter_has_a_row_in_the_guide_and_each_row_a_counter() {
    let documented = documented();
    let rows: BTreeSet<String> = documented.keys().map(|row| base(row).to_owned()).collect();
    assert_eq!(rows.len(), documented.len(), "{documented:?}");
    let registered = registered();
    let no_row: Vec<_> = registered.difference(&rows).collect();
    assert!(no_row.is_empty(), "not in docs/protocol.md: {no_row:?}");
    let no_counter: Vec<_> = rows.difference(&registered).collect();
    assert!(no_counter.is_empty(), "not in src: {no_counter:?}");
}

/// A server that has done some of everything tells nothing that has no row, and tells it with the row's labels.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_tells_is_what_the_guide_says() {
    let server = server().await;
    let address = server.address();
    let client = Client::connect(address, json!(null)).await;
    post(address, &json!({ "type": 7 })).await;
    let event = json!({ "type": "task.progress", "data": { "task_id": "t", "progress": "50" } });
    let (_, receipt) = post(address, &event).await;
    until_folded(address, &receipt["cursor"]).await;
    get(address, "/api/v1/state").await;
    get(address, "/api/v1/nowhere").await;
    drop(client);
    let (documented, registered) = (documented(), registered());
    let told = kit::metrics(address).await;
    let mut kinds = BTreeMap::new();
    for line in told.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a name and a kind");
        let name = name.strip_prefix("stoa_").expect("the prefix");
        assert!(registered.contains(base(name)), "{name} by another way");
        assert!(documented.contains_key(name), "{name} has no row");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        kinds.insert(name, kind);
    }
    assert!(kinds.len() > 30, "{kinds:?}");
    let mut labelled = BTreeSet::new();
    for line in told.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let name = name.strip_prefix("stoa_").expect("the prefix");
        let name = ["_bucket", "_sum", "_count"]
            .into_iter()
            .find_map(|part| name.strip_suffix(part))
            .unwrap_or(name);
        let labels = labels
            .split("\",")
            .filter_map(|label| label.split_once('='));
        let labels = labels
            .map(|(label, _)| label)
            .filter(|label| *label != "le");
        let labels: BTreeSet<String> = labels.map(str::to_owned).collect();
        assert_eq!(Some(&labels), documented.get(name), "{line}");
        if !labels.is_empty() {
            labelled.insert(name);
        }
    }
    assert!(labelled.len() > 8, "{labelled:?}");
    server.shutdown().await;
}

/// The queries of the dashboard's panels.
fn queries() -> Vec<String> {
    let dashboard = text(&root().join("docs/grafana-dashboard.json"));
    let dashboard: Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let queries = targets.flatten().map(|target| &target["expr"]);
    queries
        .map(|query| query.as_str().expect("a query").to_owned())
        .collect()
}

/// Each metric of a query, with the labels that it is chosen by.
fn metrics_of(query: &str) -> Vec<(&str, Vec<&str>)> {
    let after = query.split("stoa_").skip(1);
    let metric = |rest| {
        let name = name(rest);
        let braces = rest[name.len()..].strip_prefix('{').expect("labels");
        let (labels, _) = braces.split_once('}').expect("their end");
        let labels = labels.split(',').map(|label| {
            let end = label.find(['=', '!']).expect("a value");
            &label[..end]
        });
        (name, labels.collect())
    };
    after.map(metric).collect()
}

/// The dashboard asks for nothing that the server does not tell: an empty panel would look like a quiet server.
#[tokio::test(flavor = "multi_thread")]
async fn each_query_of_the_dashboard_finds_its_series() {
    let server = server().await;
    let address = server.address();
    let (client, _) = Client::connect(address, json!(null)).await;
    let event = json!({ "type": "task.assigned", "data": { "task_id": "t", "agent_id": "a" } });
    post(address, &event).await;
    let told = kit::metrics(address).await;
    let documented = documented();
    let mut used = BTreeSet::new();
    for query in queries() {
        let by = query
            .split("by (")
            .nth(1)
            .map_or("", |by| &by[..by.find(')').unwrap()]);
        let by = by.split(", ").filter(|label| !["", "le"].contains(label));
        let by: Vec<&str> = by.collect();
        for bound in query.split("le=\"").skip(1) {
            let bound = bound.split('"').next().expect("a bound");
            assert!(
                told.contains(&format!("le=\"{bound}\"")),
                "no {bound}: {query}"
            );
        }
        for (name, labels) in metrics_of(&query) {
            let histogram = ["_bucket", "_count"]
                .into_iter()
                .find_map(|part| name.strip_suffix(part));
            let metric = histogram.unwrap_or(name);
            let known = documented.get(metric);
            let known = known.unwrap_or_else(|| panic!("there is no stoa_{metric}: {query}"));
            let own = labels.iter().chain(&by);
            for label in own.filter(|label| !["job", "instance", "le"].contains(label)) {
                assert!(
                    known.contains(*label),
                    "stoa_{metric} has no {label}: {query}"
                );
            }
            // Families without a child yet are not told.
            let line = format!("# TYPE stoa_{metric} ");
            let kind = told.lines().find_map(|l| l.strip_prefix(line.as_str()));
            if let Some(kind) = kind {
                assert_eq!(kind == "histogram", histogram.is_some(), "{query}");
                // A gauge has no rate, but for one that only grows.
                let is_rate = query.contains("rate(");
                let grows = kind != "gauge" || metric == "process_cpu_seconds";
                assert!(
                    is_rate == grows || query.contains("max("),
                    "{kind}: {query}"
                );
            }
            used.insert(metric.to_owned());
        }
    }
    assert!(used.len() > 60, "{used:?}");
    drop(client);
    server.shutdown().await;
}

#[test]
fn the_panels_of_the_dashboard_do_not_overlap() {
    let dashboard = text(&root().join("docs/grafana-dashboard.json"));
    let dashboard: Value = serde_json::from_str(&dashboard).expect("JSON");
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(
            ids.insert(panel["id"].as_u64()),
            "two panels have one id: {panel}"
        );
        let at = |side: &str| panel["gridPos"][side].as_u64().expect("a number");
        assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(cells.insert((x, y)), "{} covers another", panel["title"]);
            }
        }
    }
}
