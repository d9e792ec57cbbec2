//! Addresses to which the server posts by itself.

use reqwest::Url;

/// Whether a text is an address of HTTP that names a host and holds no user name or password: it is shown in logs.
pub(super) fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some()
            && url.username().is_empty()
            && url.password().is_none()
    })
}
