//! The credential that a client shows. It is taken off the request before anything else reads that, and it is never
//! written anywhere.

use std::fmt;

use http::{HeaderMap, Uri, header::AUTHORIZATION, uri::PathAndQuery};
use percent_encoding::percent_decode_str;

use super::NewApiKey;

/// A token as it was shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

impl Credential {
    /// A credential that came in a payload.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// Takes the credential off a request: from the header, else from the query. Neither has it afterwards.
    pub fn take(uri: &mut Uri, headers: &mut HeaderMap) -> Option<Self> {
        let bearer = headers.remove(AUTHORIZATION);
        let from_header = bearer.as_ref().and_then(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            let token = token.trim();
            (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Self::new(token))
        });
        let from_query = take_from_query(uri);
        from_header.or(from_query)
    }

    /// Whether a text reads like a token or a key: one that stands where a name belongs was put in the wrong place.
    pub fn reads_like_one(text: &str) -> bool {
        // Every JWT begins with `{"` in base64, and has two dots.
        let jwt = text.starts_with("eyJ") && text.matches('.').count() == 2;
        jwt || NewApiKey::reads_like_one(text)
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(hidden)")
    }
}

fn take_from_query(uri: &mut Uri) -> Option<Credential> {
    const KEY: &str = "token";
    let query = uri.query()?;
    let mut found = None;
    let mut rest = String::with_capacity(query.len());
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decoded(key) == KEY {
            found = found.or_else(|| Some(decoded(value)).filter(|token| !token.is_empty()));
            continue;
        }
        if !rest.is_empty() {
            rest.push('&');
        }
        rest.push_str(pair);
    }
    if rest.len() == query.len() {
        return None;
    }
    let path = match rest.as_str() {
        "" => uri.path().to_owned(),
        rest => format!("{}?{rest}", uri.path()),
    };
    // The parts are those of a valid URI, so this can't fail. If it did, an empty path would be safer than a leaked
    // query.
    let path = PathAndQuery::try_from(path).unwrap_or_else(|_| PathAndQuery::from_static("/"));
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = Some(path);
    *uri = Uri::from_parts(parts).unwrap_or_default();
    found.map(Credential)
}

/// A part of a query as it was meant.
fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(uri: &str, authorization: Option<&str>) -> (Option<String>, String) {
        let (mut uri, mut headers) = (uri.parse::<Uri>().unwrap(), HeaderMap::new());
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        let taken = Credential::take(&mut uri, &mut headers);
        assert!(!headers.contains_key(AUTHORIZATION));
        (taken.map(|c| c.0), uri.to_string())
    }

    #[test]
    fn it_is_found_and_gone_afterwards() {
        let some = |token: &str| Some(token.to_owned());
        assert_eq!(taken("/x?a=1&b=2", None), (None, "/x?a=1&b=2".into()));
        assert_eq!(taken("/x?token=t.o.k", None), (some("t.o.k"), "/x".into()));
        assert_eq!(
            taken("/x?EIO=4&token=a%2Bb&transport=polling", None),
            (some("a+b"), "/x?EIO=4&transport=polling".into())
        );
        assert_eq!(
            taken("/x?tok%65n=a&token=b", None),
            (some("a"), "/x".into())
        );
        assert_eq!(taken("/x?token=", None), (None, "/x".into()));
        assert_eq!(
            taken("http://h:1/x?token=q", Some("Bearer h")),
            (some("h"), "http://h:1/x".into())
        );
        assert_eq!(taken("/x", Some("bearer  h ")), (some("h"), "/x".into()));
        assert_eq!(taken("/x", Some("Basic h")), (None, "/x".into()));
        assert!(Credential::reads_like_one("eyJhbGciOiJIUzI1NiJ9.e30.x"));
        let key = NewApiKey::make().unwrap().key;
        assert!(Credential::reads_like_one(&key));
        for name in [
            "ann",
            "eyJohn",
            "a.b.c",
            "stoa_admin",
            "651ad128-73c7-49d5-a74a-3b1f2c2b21f6",
        ] {
            assert!(!Credential::reads_like_one(name), "{name}");
        }
        assert_eq!(
            format!("{:?}", Credential::new("secret")),
            "Credential(hidden)"
        );
    }
}
