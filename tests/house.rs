//! The floors of the house: no circle of imports between files, and no import from a lower floor to a higher one.
//!
//! The test reads the `use` lines and the inline paths of `src`, follows re-exports to the file that defines a name, and
//! looks at what imports what. Tests inside `src` are left out: they may look anywhere.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path as File,
};

/// The folders of `src`, from the ground up. A file imports from its own folder and from those before it.
const FLOORS: &[&str] = &[
    "channel",
    "fnv",
    "network",
    "pattern",
    "timestamp",
    "msgpack",
    "private_file",
    "backoff",
    "error",
    "decision",
    "engine",
    "event",
    "config",
    "observe",
    "breaker",
    "cluster",
    "ledger",
    "journal",
    "recovery",
    "access",
    "drain",
    "update",
    "pace",
    "delivery",
    "net",
    "backlog",
    "projections",
    "hub",
    "history",
    "intake",
    "alerts",
    "translate",
    "doors",
    "demo",
    "server",
    "cli",
];

/// The folders in which files still import each other in a circle, and why. A folder without a circle is to be struck
/// off.
const CIRCLES: &[(&str, &str)] = &[(
    "hub",
    "The loop is one state machine; its parts work on the loop's own state in turns.",
)];

type Module = Vec<String>;

/// One file of `src`.
#[derive(Default, Debug)]
struct Source {
    /// Paths that it uses, from the root of the crate or relative to it.
    uses: Vec<Vec<String>>,
    /// Names that it gives on, with the paths behind them.
    gives: BTreeMap<String, Vec<String>>,
}

#[test]
fn no_import_goes_upwards_and_none_in_a_circle() {
    let sources = sources();
    assert!(sources.len() > 200, "the sources were found");
    let imports = imports(&sources);
    let mut wrong = Vec::new();
    for (from, to) in &imports {
        for to in to {
            if let (Some(low), Some(high)) = (floor(from), floor(to))
                && low < high
            {
                wrong.push(format!("{} imports upwards from {}", show(from), show(to)));
            }
        }
    }
    let circles = circles(&imports);
    let is_within = |circle: &[Module], folder: &str| {
        let folder: Module = folder.split("::").map(str::to_owned).collect();
        circle.iter().all(|module| module.starts_with(&folder))
    };
    for circle in &circles {
        if !CIRCLES.iter().any(|(folder, _)| is_within(circle, folder)) {
            let names: Vec<String> = circle.iter().map(show).collect();
            wrong.push(format!("a circle of imports: {}", names.join(", ")));
        }
    }
    for (folder, _) in CIRCLES {
        if !circles.iter().any(|circle| is_within(circle, folder)) {
            wrong.push(format!("{folder} has no circle: strike it off the list"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} places:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A document that sends its reader to a file is wrong once the file is moved.
#[test]
fn every_file_that_the_documents_name_is_there() {
    let root = File::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "docs", "web-demo/src"] {
        list(&root.join(folder), root, &mut files);
    }
    let mut wrong = Vec::new();
    let mut named = 0;
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ext| ext != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // Every second piece stands between backticks.
        for name in text.split('`').skip(1).step_by(2) {
            let is_file = [".rs", ".mjs", ".py"].iter().any(|end| name.ends_with(end));
            let is_place = name.starts_with("src/") || name.starts_with("tests/");
            let is_plain = !name.contains(|c: char| c.is_whitespace() || "*<{…".contains(c));
            if !(is_file || is_place) || !is_plain || name.starts_with('.') {
                continue;
            }
            named += 1;
            let name = name.trim_end_matches('/');
            let ending = format!("/{name}");
            // Most are named from `src`, some only by their last part.
            if !root.join(name).exists() && !files.iter().any(|file| file.ends_with(&ending)) {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(named > 50, "the names were found");
    assert!(wrong.is_empty(), "not there:\n{}", wrong.join("\n"));
}

/// All files and folders below a folder, as paths from the root.
fn list(folder: &File, root: &File, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_kept = path.file_name().is_some_and(|name| {
            name.to_str()
                .is_some_and(|name| name != "node_modules" && !name.starts_with('.'))
        });
        if !is_kept {
            continue;
        }
        files.push(format!("/{}", path.strip_prefix(root).unwrap().display()));
        if path.is_dir() {
            list(&path, root, files);
        }
    }
}

fn floor(module: &Module) -> Option<usize> {
    FLOORS
        .iter()
        .position(|name| *name == module.first().map_or("", String::as_str))
}

fn show(module: &Module) -> String {
    if module.is_empty() {
        "lib".into()
    } else {
        module.join("::")
    }
}

fn sources() -> BTreeMap<Module, Source> {
    let root = File::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut texts = BTreeMap::new();
    read(&root, &mut Vec::new(), &mut texts);
    let source = |(module, text): (&Module, &String)| {
        let text = bare(text);
        let mut source = Source::default();
        let mut named = BTreeMap::new();
        let mut rest = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("use ") {
            let start = at + found;
            let before = text[..start].chars().next_back();
            let Some(end) = text[start..].find(';') else {
                break;
            };
            if before.is_none_or(char::is_whitespace) {
                let line = text[..start]
                    .rsplit(['\n', ';', '}'])
                    .next()
                    .unwrap_or("")
                    .trim();
                for (path, name) in tree(&text[start + 4..start + end]) {
                    let path = absolute(module, path);
                    match line.starts_with("pub") {
                        true => drop(source.gives.insert(name, path)),
                        false => {
                            source.uses.push(path.clone());
                            named.insert(name, path);
                        }
                    }
                }
                rest.push_str(&text[at..start]);
                at = start + end;
            } else {
                rest.push_str(&text[at..start + 4]);
                at = start + 4;
            }
        }
        rest.push_str(&text[at..]);
        // A file that gives a type on from another one, and uses it itself, imports it.
        let own = rest.split(|c: char| !c.is_alphanumeric() && c != '_');
        let own = own.filter(|word| word.starts_with(char::is_uppercase));
        let own: Vec<_> = own
            .filter_map(|word| source.gives.get(word).cloned())
            .collect();
        source.uses.extend(own);
        // Paths that are written where they are used.
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        for path in rest.split(|c| !word(c)).filter(|path| path.contains("::")) {
            let path: Vec<String> = path.split("::").map(str::to_owned).collect();
            source.uses.push(match named.get(&path[0]) {
                // The path begins with a name that stands for a whole folder, or for anything else.
                Some(begin) => [&begin[..], &path[1..]].concat(),
                None => absolute(module, path),
            });
        }
        (module.clone(), source)
    };
    texts.iter().map(source).collect()
}

fn read(folder: &File, at: &mut Module, texts: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if ["tests", "testing"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            at.push(name);
            read(&path, at, texts);
            at.pop();
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let mut module = at.clone();
            if !["mod", "lib", "main"].contains(&name.as_str()) {
                module.push(name);
            }
            texts
                .entry(module)
                .or_default()
                .push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The text without comments and without what is compiled for tests only.
fn bare(text: &str) -> String {
    let mut lines = String::new();
    let mut skip = false;
    for line in text.lines() {
        if line.trim() == "#[cfg(test)]" {
            skip = true;
            continue;
        }
        if skip && line.trim_end().ends_with('{') && !line.starts_with(' ') {
            // The module of tests at the end of the file.
            break;
        }
        if skip {
            skip = line.trim_start().starts_with("#[");
            continue;
        }
        let comment = line.find("//").filter(|at| !line[..*at].contains('"'));
        lines.push_str(&line[..comment.unwrap_or(line.len())]);
        lines.push('\n');
    }
    lines
}

/// Every path of a `use` tree, and the name that it gets.
fn tree(text: &str) -> Vec<(Vec<String>, String)> {
    let text = text.trim();
    if let Some((before, rest)) = text.split_once('{') {
        let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
        let stem: Vec<String> = before
            .split("::")
            .map(|s| s.trim().to_owned())
            .filter(|s| !s.is_empty())
            .collect();
        let mut all = Vec::new();
        let (mut depth, mut start) = (0, 0);
        let parts: Vec<&str> = {
            let mut parts = Vec::new();
            for (at, c) in inner.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        parts.push(&inner[start..at]);
                        start = at + 1;
                    }
                    _ => {}
                }
            }
            parts.push(&inner[start..]);
            parts
        };
        for part in parts.into_iter().filter(|part| !part.trim().is_empty()) {
            for (path, name) in tree(part) {
                let mut whole = stem.clone();
                let itself = path == ["self"];
                let name = if itself {
                    stem.last().cloned().unwrap_or_default()
                } else {
                    name
                };
                whole.extend(path.into_iter().filter(|_| !itself));
                all.push((whole, name));
            }
        }
        return all;
    }
    let (path, name) = text
        .split_once(" as ")
        .map_or((text, None), |(path, name)| (path, Some(name)));
    let path: Vec<String> = path.split("::").map(|s| s.trim().to_owned()).collect();
    let name = name
        .unwrap_or(path.last().map_or("", String::as_str))
        .trim()
        .to_owned();
    vec![(path, name)]
}

/// The path from the root of the crate; one that begins elsewhere is taken to begin in the module itself.
fn absolute(module: &Module, path: Vec<String>) -> Vec<String> {
    let mut at = module.clone();
    let mut path = path.into_iter().peekable();
    match path.peek().map(String::as_str) {
        Some("crate") => {
            at.clear();
            path.next();
        }
        Some("self") => drop(path.next()),
        _ => {
            while path.next_if(|part| part == "super").is_some() {
                at.pop();
            }
        }
    }
    at.extend(path);
    at
}

/// The imports of each file, by the file that defines the name.
fn imports(sources: &BTreeMap<Module, Source>) -> BTreeMap<Module, BTreeSet<Module>> {
    let of = |(module, source): (&Module, &Source)| {
        let found = source.uses.iter().filter_map(|path| home(sources, path, 0));
        let found = found.filter(|home| home != module);
        (module.clone(), found.collect())
    };
    sources.iter().map(of).collect()
}

/// The file that defines the name at the end of a path.
fn home(sources: &BTreeMap<Module, Source>, path: &[String], depth: usize) -> Option<Module> {
    let deepest = (0..=path.len())
        .rev()
        .find(|len| sources.contains_key(&path[..*len]))?;
    if deepest == 0 {
        return None;
    }
    let module = path[..deepest].to_vec();
    let Some(name) = path.get(deepest) else {
        return Some(module);
    };
    match sources[&module].gives.get(name) {
        Some(behind) if depth < 10 => {
            let mut behind = behind.clone();
            behind.extend_from_slice(&path[deepest + 1..]);
            home(sources, &behind, depth + 1)
        }
        // A name that is neither a file's nor given on is its own, if it looks like one of a module at all.
        _ => Some(module),
    }
}

/// Files that can be reached from each other.
fn circles(imports: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<Module>> {
    let reach = |from: &Module| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&Module> = vec![from];
        while let Some(module) = next.pop() {
            for to in imports.get(module).into_iter().flatten() {
                if seen.insert(to.clone()) {
                    next.push(to);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> = imports
        .keys()
        .map(|module| (module, reach(module)))
        .collect();
    let mut done = BTreeSet::new();
    let mut circles = Vec::new();
    for (module, all) in &reached {
        if !all.contains(*module) || done.contains(*module) {
            continue;
        }
        let circle: Vec<Module> = all
            .iter()
            .filter(|other| {
                reached
                    .get(other)
                    .is_some_and(|back| back.contains(*module))
            })
            .cloned()
            .collect();
        done.extend(circle.clone());
        circles.push(circle);
    }
    circles
}
