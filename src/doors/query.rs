//! The query of a request that reads: its parameters are filters, so an unknown one is refused.

use axum::extract::Query;
use http::Uri;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

/// Characters of an unknown name that a refusal quotes.
const SHOWN: usize = 40;
/// The least similarity at which a parameter counts as meant.
const LIKE: f64 = 0.75;
/// Parameters by which clients keep caches from answering, beside those that begin with `_` (as jQuery's).
const AGAINST_CACHES: [&str; 5] = ["t", "ts", "nocache", "cachebust", "cachebuster"];

/// Reads a query, with the white space around values taken off: `project_id=%20p1` is an id with a blank that somebody pasted.
///
/// # Errors
/// A parameter is none of `names`, or its value can't be read; the sentence says which.
pub(super) fn of<T: DeserializeOwned>(
    uri: &Uri,
    names: &[&str],
    passed_over: &[&str],
) -> Result<T, String> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let Query(pairs) = pairs.map_err(|error| error.body_text())?;
    let mut known = String::from("/?");
    for (name, value) in &pairs {
        let name = name.as_str();
        if names.contains(&name) {
            let value = utf8_percent_encode(value.trim(), NON_ALPHANUMERIC);
            known.push_str(&format!("{name}={value}&"));
        } else if !passed_over.contains(&name) && !is_against_caches(name) {
            return Err(unknown(name, names));
        }
    }
    let known = Uri::try_from(known).map_err(|_| "the query is too long".to_owned())?;
    let read = Query::try_from_uri(&known);
    read.map(|Query(read)| read)
        .map_err(|error| error.body_text())
}

fn is_against_caches(name: &str) -> bool {
    name.is_empty() || name.starts_with('_') || AGAINST_CACHES.contains(&name)
}

fn unknown(name: &str, names: &[&str]) -> String {
    let shown: String = name.chars().take(SHOWN).collect();
    let likeness = |known: &&&str| strsim::jaro_winkler(&shown, known);
    let nearest = names
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let all = names.join(", ");
    match nearest.filter(|known| likeness(known) >= LIKE) {
        Some(known) => {
            format!("there is no parameter {shown:?} here: did you mean {known}? There are {all}")
        }
        None => format!("there is no parameter {shown:?} here: there are {all}"),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Asked {
        project_id: Option<String>,
        limit: Option<u64>,
    }

    fn read(query: &str) -> Result<Asked, String> {
        let uri = Uri::try_from(format!("/x?{query}")).expect("a query");
        of(&uri, &["project_id", "limit"], &["name"])
    }

    #[test]
    fn values_are_trimmed_and_caches_are_no_concern_of_ours() {
        let asked = |project_id: &str, limit| {
            let project_id = Some(project_id.to_owned());
            Ok(Asked { project_id, limit })
        };
        assert_eq!(read("project_id=%20p1+&limit=%207"), asked("p1", Some(7)));
        let odd = "a%26b=%2B%C3%B6%25%23";
        assert_eq!(
            read(&format!("project_id={odd}")),
            asked("a&b=+\u{f6}%#", None)
        );
        let busted = "_=1&t=2&ts=3&_dc=4&name=dashboard&&=&project_id=p";
        assert_eq!(read(busted), asked("p", None));
        assert!(read("").is_ok());
    }

    #[test]
    fn what_is_no_parameter_is_told_with_those_that_are() {
        let said = |query: &str| read(query).expect_err(query);
        let message = said("task_id=zz");
        assert!(
            message.contains("\"task_id\"")
                && message.ends_with("here: there are project_id, limit"),
            "{message}"
        );
        assert!(said("projectId=p").contains("did you mean project_id?"));
        assert!(!said("x=p").contains("did you mean"));
        assert!(said(&"x".repeat(5_000)).len() < 200);
        assert!(said("limit=many").contains("limit"));
        assert!(said("limit=1&limit=2").contains("limit"));
    }
}
