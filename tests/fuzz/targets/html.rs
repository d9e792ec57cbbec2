//! Texts made harmless: nothing that a browser takes for more than text is left, and nothing but joiners is added.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use stoa::update::harmless;

fn made(text: &str) -> String {
    let json = harmless(json!({ "text": text }).to_string());
    let value: Value = serde_json::from_str(&json).expect("still JSON");
    value["text"].as_str().expect("still text").to_owned()
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let made_once = made(text);
    assert_eq!(
        made_once.replace('\u{2060}', ""),
        text.replace('\u{2060}', "")
    );
    assert_eq!(made(&made_once), made_once, "once is enough");
    for (at, _) in made_once.match_indices('<') {
        let next = made_once[at + 1..].chars().next();
        assert!(
            next.is_some_and(|c| !c.is_ascii_alphabetic() && !"/!?".contains(c)),
            "{made_once:?} opens a tag"
        );
    }
    let lower = made_once.to_ascii_lowercase();
    for known in [
        "&lt;",
        "&#",
        "&amp;",
        "&quot",
        " onclick=",
        "'href=",
        "javascript:",
    ] {
        assert!(!lower.contains(known), "{made_once:?} has {known:?}");
    }
});
