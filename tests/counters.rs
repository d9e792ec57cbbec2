//! The counters that the guides name are those that the server has.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::{collections::HashSet, fs, path::Path};

/// The texts of a folder's files, and of those in its folders, that end like this.
fn texts(folder: &Path, ending: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            texts(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            let text = fs::read_to_string(&path).expect("a text");
            found.push((path.display().to_string(), text));
        }
    }
}

/// The beginning of a text, as far as a name goes.
fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn each_counter_that_a_guide_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut source, mut guides) = (Vec::new(), Vec::new());
    texts(&root.join("src"), ".rs", &mut source);
    texts(&root.join("docs"), ".md", &mut guides);
    for file in ["README.md", "CHANGELOG.md", "config.toml"] {
        let text = fs::read_to_string(root.join(file)).expect("a text");
        guides.push((file.into(), text));
    }
    let registered: HashSet<&str> = source
        .iter()
        .flat_map(|(_, text)| text.split(".register(").skip(1))
        .filter_map(|call| call.trim_start().strip_prefix('"').map(name))
        .collect();
    assert!(registered.len() > 40, "{registered:?}");
    let mut named = 0;
    for (file, text) in &guides {
        // A token's prefix, not a counter's.
        for found in text
            .split("stoa_")
            .skip(1)
            .map(name)
            .filter(|n| !["", "token"].contains(n))
        {
            let base = found.strip_suffix("_total").unwrap_or(found);
            assert!(
                registered.contains(base),
                "{file} names stoa_{found}, and there is no such counter"
            );
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}
