use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).unwrap_or_else(|bad| panic!("{text:?} {bad}"))
}

#[test]
fn names_fit_or_not() {
    for (text, fitting, others) in [
        ("", &[""][..], &["a", "*"][..]),
        (
            "task.done",
            &["task.done"],
            &["task.don", "task.done.", "Task.done", ""],
        ),
        ("*", &["", "a", "a/b", "ä"], &[]),
        ("**", &["", "a"], &[]),
        ("task.*", &["task.", "task.a.b"], &["task", "xtask.a"]),
        ("*.done", &[".done", "a.done"], &["done", "a.done."]),
        ("a*a", &["aa", "aba", "aaa"], &["a", "ab"]),
        ("a?c", &["abc", "aßc"], &["ac", "abbc"]),
        ("?", &["a", "ß"], &["", "ab"]),
        ("*?*", &["a", "abc"], &[""]),
        (
            "a*b*c",
            &["abc", "a-b-c", "abbcc", "aXbYbZc"],
            &["ac", "acb", "abcd"],
        ),
        ("*ab?d*", &["abcd", "xxabxdyy", "ababcd"], &["abd", "abcx"]),
        ("p:*é*", &["p:é", "p:xéy"], &["p:e"]),
        // No classes, no choices, no escapes.
        ("[ab]{c,d}\\x", &["[ab]{c,d}\\x"], &["ac", "[ab]{c,d}x"]),
    ] {
        let pattern = pattern(text);
        for name in fitting {
            assert!(pattern.matches(name), "{name:?} fits {text:?}");
        }
        for name in others {
            assert!(!pattern.matches(name), "{name:?} doesn't fit {text:?}");
        }
    }
}

#[test]
fn what_would_cost_too_much_is_refused() {
    assert!(Pattern::new("a*b?c*d?e*f?g*h?").is_ok());
    assert_eq!(Pattern::written("a.{b,c}"), Err(BadPattern::NoWildcard));
    assert_eq!(Pattern::written("a.*"), Pattern::new("a.*"));
    assert!(Pattern::new(&"*".repeat(1_000)).is_ok_and(|p| p.as_str() == "*"));
    assert_eq!(
        Pattern::new("a?b?c?d?e?f?g?h?i?"),
        Err(BadPattern::TooManyWildcards)
    );
    assert_eq!(
        Pattern::new(&format!("*{}*", "a".repeat(126))),
        Err(BadPattern::TooLong)
    );
    assert!(Pattern::new(&format!("*{}*", "a".repeat(125))).is_ok());
    assert!(Pattern::new(&format!("{}*{}", "a".repeat(500), "b".repeat(500))).is_ok());
    let bad = Patterns::new(["a", "?????????"]);
    assert_eq!(bad, Err(("?????????", BadPattern::TooManyWildcards)));
}

/// The plain meaning, by trying everything.
fn slowly(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => (0..=name.len()).any(|n| slowly(rest, &name[n..])),
        Some((c, rest)) => {
            name.first().is_some_and(|n| *c == '?' || c == n) && slowly(rest, &name[1..])
        }
    }
}

/// Patterns that differ from a name near their ends only: thousands of these must not be read for each new name.
#[test]
fn a_glance_at_a_name_is_enough_for_patterns_that_lack_something_of_it() {
    let text = format!("{}12.34", "a".repeat(110));
    let name = Name::new(&text);
    for n in 0..100 {
        let other = pattern(&format!("*a?a*a?a*{}*7x{n}*", "a".repeat(90)));
        assert!(!name.has(other.least, other.needs), "{}", other.as_str());
        let longer = pattern(&format!("*a?a*{}{}*", "a".repeat(113), "?".repeat(2)));
        assert!(!name.has(longer.least, longer.needs));
    }
    let fitting = pattern("*a?a*1?.*4");
    assert!(name.has(fitting.least, fitting.needs) && fitting.matches(&text));
}

#[test]
fn names_of_every_length_are_read_to_their_ends() {
    for len in [1, 2, 63, 64, 126, 127, 128, 129, 300] {
        let name = format!("{}z", "ab".repeat(len)[..len - 1].to_owned());
        for (text, fits) in [
            ("*", true),
            ("*z", true),
            ("*z*", true),
            ("?*", true),
            ("*?", true),
            ("*?z", len > 1),
            ("*z?", false),
            ("*?z*", len > 1),
            ("a*b*z*", len > 2),
            ("*y*", false),
        ] {
            let patterns = Patterns::new(["zzz", text]).expect("both can be used");
            assert_eq!(patterns.matches(&name), fits, "{text} {name}");
        }
    }
}

proptest! {
    #[test]
    fn it_means_what_it_says(text in "[ab*?é.]{0,10}", name in "[abé.]{0,10}") {
        let (t, n): (Vec<_>, Vec<_>) = (text.chars().collect(), name.chars().collect());
        if let Ok(pattern) = Pattern::new(&text) {
            prop_assert_eq!(pattern.matches(&name), slowly(&t, &n), "{} {}", text, name);
            let patterns = Patterns::new(["zzz", text.as_str()]).expect("both can be used");
            prop_assert_eq!(patterns.matches(&name), pattern.matches(&name));
        }
    }

    #[test]
    fn a_name_made_of_a_pattern_fits_it(text in "[ab*?]{0,40}", fill in "[abc]{0,5}") {
        if let Ok(pattern) = Pattern::new(&text) {
            let name = text.replace('*', &fill).replace('?', "x");
            prop_assert!(pattern.matches(&name), "{} {}", text, name);
        }
    }
}
