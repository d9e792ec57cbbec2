//! The origins of web pages that may connect, for every door that a page can reach.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use strum::IntoStaticStr;

use super::hosts::Authority;
use crate::{access::authn::PageOrigin, config::LOOPBACK};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The origins that may connect beside the server's own.
#[derive(Debug, Clone)]
pub struct Origins {
    /// Whether `*` is listed.
    any: bool,
    /// Whether all pages of this machine may connect.
    loopback: bool,
    /// The other origins.
    listed: Arc<[Origin]>,
    /// Whether a session needs an origin at all.
    required: bool,
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    /// A page over http differs from the same page over https.
    scheme: String,
    /// Host, and the port unless it is the scheme's own.
    authority: Authority,
}

impl Origin {
    /// Reads an origin from a browser or from the configuration. `null` is none.
    fn read(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let authority = Authority::read(authority)?;
        Some(Self::of(&scheme.to_ascii_lowercase(), authority))
    }

    fn of(scheme: &str, mut authority: Authority) -> Self {
        let usual = match scheme {
            "http" | "ws" => Some(80),
            "https" | "wss" => Some(443),
            _ => None,
        };
        authority.port = authority.port.filter(|port| Some(*port) != usual);
        Self {
            scheme: scheme.to_owned(),
            authority,
        }
    }

    /// Whether the page is of this machine: a development server, a local application.
    fn is_loopback(&self) -> bool {
        matches!(self.scheme.as_str(), "http" | "https") && self.authority.is_loopback()
    }
}

/// The parts of a request that say who sent it.
#[derive(Debug)]
pub(super) struct Sender<'r> {
    pub(super) method: &'r Method,
    pub(super) headers: &'r HeaderMap,
    /// The host that the request is sent to, one of the server's.
    pub(super) host: Option<&'r Authority>,
    /// Whether the client's side of the way is encrypted.
    pub(super) secure: bool,
    /// Whether the request opens a session, or belongs to one.
    pub(super) is_session: bool,
}

/// The reason why a page's request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(super) enum ForeignPage {
    /// The origin may not connect.
    Foreign,
    /// There is no origin where one is required.
    Missing,
}

impl Origins {
    /// Lets pages of these origins in: `loopback` stands for all pages of this machine, `*` for all.
    pub fn new(allowed: &[String], required: bool) -> Self {
        Self {
            any: allowed.iter().any(|origin| origin == "*"),
            loopback: allowed.iter().any(|origin| origin == LOOPBACK),
            listed: allowed.iter().filter_map(|o| Origin::read(o)).collect(),
            required,
        }
    }

    /// Whether pages of this origin may read answers.
    pub fn may_read(&self, origin: &HeaderValue) -> bool {
        let read = || Origin::read(origin.to_str().ok()?);
        self.any || read().is_some_and(|origin| self.allow(&origin))
    }

    fn allow(&self, origin: &Origin) -> bool {
        self.listed.contains(origin) || self.loopback && origin.is_loopback()
    }

    /// The page behind a request, if it may connect.
    pub(super) fn check(&self, sender: &Sender<'_>) -> Result<PageOrigin, ForeignPage> {
        let mut given = sender.headers.get_all(header::ORIGIN).iter();
        match (given.next(), given.next()) {
            (None, _) => self.check_unnamed(sender),
            (Some(origin), None) if sender.is_own(origin) => Ok(PageOrigin::Own),
            (Some(origin), None) if self.may_read(origin) => Ok(PageOrigin::Other),
            _ => Err(ForeignPage::Foreign),
        }
    }

    /// The page behind a request without an origin. Browsers leave the origin out of a GET to the page's own server,
    /// and of pictures, scripts and frames of any page; present ones say which of the two it is.
    fn check_unnamed(&self, sender: &Sender<'_>) -> Result<PageOrigin, ForeignPage> {
        let says = |name, value: &str| sender.headers.get(name).is_some_and(|v| v == value);
        if says(SEC_FETCH_SITE, "same-origin") {
            return Ok(PageOrigin::Own);
        }
        if self.required && sender.is_session {
            return Err(ForeignPage::Missing);
        }
        if says(SEC_FETCH_SITE, "cross-site") {
            // Somebody follows a link: the page with the link can't see the answer. A form is no link, since the server
            // would act on its content.
            let followed = sender.method.is_safe()
                && says(SEC_FETCH_MODE, "navigate")
                && says(SEC_FETCH_DEST, "document");
            if !self.any && !followed {
                return Err(ForeignPage::Foreign);
            }
            return Ok(PageOrigin::Other);
        }
        if says(SEC_FETCH_SITE, "same-site") {
            // The page has another origin all the same, and without its name it can't be looked up.
            if !self.any && !sender.method.is_safe() {
                return Err(ForeignPage::Foreign);
            }
            return Ok(PageOrigin::Other);
        }
        Ok(PageOrigin::NoPage)
    }
}

impl Sender<'_> {
    /// Whether a page came from this server.
    fn is_own(&self, origin: &HeaderValue) -> bool {
        let scheme = if self.secure { "https" } else { "http" };
        let origin = origin.to_str().ok().and_then(Origin::read);
        let here = self.host.map(|host| Origin::of(scheme, host.clone()));
        origin.is_some() && origin == here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        // `collect` would keep only the last of two headers of a name.
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_static(name);
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    fn checked(
        origins: &Origins,
        lines: &[(&'static str, &'static str)],
        host: &str,
        secure: bool,
    ) -> Result<PageOrigin, ForeignPage> {
        origins.check(&Sender {
            method: &Method::GET,
            headers: &headers(lines),
            host: Authority::read(host).as_ref(),
            secure,
            is_session: true,
        })
    }

    fn list(allowed: &[&str]) -> Vec<String> {
        allowed.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_listed_pages_and_the_servers_own_come_in() {
        let listed = list(&["https://app.example", "http://dev.example:3000"]);
        let origins = Origins::new(&listed, false);
        let (own, other) = (Some(PageOrigin::Own), Some(PageOrigin::Other));
        let table: &[(&'static str, bool, Option<PageOrigin>)] = &[
            ("https://app.example", false, other),
            ("HTTPS://APP.example:443", false, other),
            ("http://dev.example:3000", false, other),
            ("http://here.example:8000", false, own),
            ("https://here.example:8000", true, own),
            ("http://here.example:8000", true, None),
            ("https://here.example:8000", false, None),
            ("http://here.example", false, None),
            ("http://here.example:8001", false, None),
            ("http://app.example", false, None),
            ("https://app.example:8443", false, None),
            ("https://sub.app.example", false, None),
            ("https://app.example.evil.example", false, None),
            ("https://evil.example", false, None),
            ("https://user@app.example", false, None),
            ("http://localhost:5173", false, None),
            ("file://", false, None),
            ("null", false, None),
            ("", false, None),
        ];
        for (origin, secure, expected) in table {
            let page = checked(
                &origins,
                &[("origin", origin)],
                "here.example:8000",
                *secure,
            );
            assert_eq!(page.ok(), *expected, "{origin} secure={secure}");
        }
        let two = [
            ("origin", "https://app.example"),
            ("origin", "https://evil.example"),
        ];
        let page = checked(&origins, &two, "here.example", false);
        assert_eq!(page, Err(ForeignPage::Foreign));
    }

    #[test]
    fn pages_of_this_machine_come_in_by_default() {
        let config = crate::config::Config::default().server;
        let origins = Origins::new(&config.cors_allowed_origins, config.require_origin);
        let page = |origin| checked(&origins, &[("origin", origin)], "localhost:8000", false).ok();
        for origin in [
            "http://localhost:5173",
            "https://localhost",
            "http://app.localhost:3000",
            "http://127.0.0.1:8080",
            "http://127.8.9.10",
            "http://[::1]:5173",
            "http://[::ffff:127.0.0.1]:5173",
        ] {
            assert_eq!(page(origin), Some(PageOrigin::Other), "{origin}");
        }
        assert_eq!(page("http://localhost:8000"), Some(PageOrigin::Own));
        for origin in [
            "null",
            "file://",
            "chrome-extension://localhost",
            "http://evil.test",
            "http://localhost.evil.test",
            "http://evillocalhost:8000",
            "http://192.168.1.7:8000",
            "http://0.0.0.0:8000",
            "http://[::1].evil.test",
            "http://[::1]evil.test:8000",
        ] {
            assert_eq!(page(origin), None, "{origin}");
        }
    }

    #[test]
    fn without_an_origin_browsers_say_what_it_is() {
        let origins = Origins::new(&list(&["https://app.example"]), false);
        let page = |lines: &[_]| checked(&origins, lines, "here.example", false);
        assert_eq!(page(&[]), Ok(PageOrigin::NoPage));
        let site = |site| ("sec-fetch-site", site);
        assert_eq!(page(&[site("same-origin")]), Ok(PageOrigin::Own));
        assert_eq!(page(&[site("same-site")]), Ok(PageOrigin::Other));
        assert_eq!(page(&[site("cross-site")]), Err(ForeignPage::Foreign));
        let link = [
            site("cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(page(&link), Ok(PageOrigin::Other));
        for (method, expected) in [
            (Method::HEAD, Ok(PageOrigin::Other)),
            (Method::POST, Err(ForeignPage::Foreign)),
            (Method::DELETE, Err(ForeignPage::Foreign)),
        ] {
            let sent = origins.check(&Sender {
                method: &method,
                headers: &headers(&link),
                host: None,
                secure: false,
                is_session: false,
            });
            assert_eq!(sent, expected, "{method}");
            let sent = origins.check(&Sender {
                method: &method,
                headers: &headers(&[site("same-site")]),
                host: None,
                secure: false,
                is_session: false,
            });
            assert_eq!(sent, expected, "{method} of the same site");
        }
        let mut frame = link;
        frame[2].1 = "iframe";
        assert_eq!(page(&frame), Err(ForeignPage::Foreign));
    }

    #[test]
    fn an_origin_may_be_made_a_must() {
        let strict = Origins::new(&list(&["https://app.example"]), true);
        let page = |lines: &[_]| checked(&strict, lines, "here.example", false);
        assert_eq!(page(&[]), Err(ForeignPage::Missing));
        assert_eq!(
            page(&[("sec-fetch-site", "same-origin")]),
            Ok(PageOrigin::Own)
        );
        assert_eq!(
            page(&[("sec-fetch-site", "cross-site")]),
            Err(ForeignPage::Missing)
        );
        let producer = Sender {
            method: &Method::POST,
            headers: &HeaderMap::new(),
            host: None,
            secure: false,
            is_session: false,
        };
        assert_eq!(
            strict.check(&producer),
            Ok(PageOrigin::NoPage),
            "producers are no pages"
        );
    }

    #[test]
    fn a_star_lets_everybody_in() {
        let any = Origins::new(&list(&["*"]), false);
        for origin in ["https://anybody.example", "null"] {
            let page = checked(&any, &[("origin", origin)], "localhost", false);
            assert_eq!(page, Ok(PageOrigin::Other));
        }
    }
}
