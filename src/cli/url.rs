//! The address of a server, as people write it.

use reqwest::Url;

/// Reads a server's address: `http://host:port` or `https://host`, with a path when it is behind one; `http://` may be left
/// out.
///
/// # Errors
/// In words, for the usage message.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let full = match full.strip_prefix("ws") {
        Some(rest) => format!("http{rest}"),
        None => full,
    };
    let mut url = Url::parse(&full).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => {}
        other => return Err(format!("{other}:// is not known, use http:// or https://")),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("there is no host in it".into());
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// An address below the server's.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let prefix = base.path().trim_end_matches('/');
    url.set_path(&format!("{prefix}/{path}"));
    url
}

/// The same for people: without the slash that parsing adds.
pub(super) fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        for (text, events) in [
            (
                "http://127.0.0.1:8000",
                "http://127.0.0.1:8000/api/v1/events",
            ),
            ("localhost:8000", "http://localhost:8000/api/v1/events"),
            ("http://host/stoa/?x=1", "http://host/stoa/api/v1/events"),
            ("ws://[::1]:9000", "http://[::1]:9000/api/v1/events"),
            ("https://host/stoa", "https://host/stoa/api/v1/events"),
            ("wss://host", "https://host/api/v1/events"),
        ] {
            let url = parse(text).expect(text);
            assert_eq!(below(&url, "api/v1/events").as_str(), events);
        }
        assert_eq!(
            shown(&parse("localhost:8000").expect("url")),
            "http://localhost:8000"
        );
    }

    #[test]
    fn what_it_cannot_speak_is_refused_in_words() {
        assert!(parse("ftp://host").expect_err("ftp").contains("http://"));
        assert!(parse("").is_err());
    }
}
