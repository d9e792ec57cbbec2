//! `[backend]`: the application's own service, which handles the client events that Stoa does not know.

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{
    authentication::short_secret,
    invalid::Invalid,
    numbers::{Count, Millis, Seconds},
    secret::Secret,
    web_address::is_web_address,
};
use crate::pattern::Pattern;

/// `[backend]`: the application's own service.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backend {
    /// The address that calls are posted to; empty for no service. It may hold a secret itself, so it is not shown.
    pub url: Secret,
    /// The secret that calls are signed with, and by which the service proves itself.
    pub secret: Secret,
    /// Patterns of the events that are handed over, of those that Stoa does not know.
    #[default(vec!["*".to_owned()])]
    pub events: Vec<String>,
    /// Patterns of Stoa's own events that are handed over first; Stoa handles those that the service does not.
    #[serde(rename = "override")]
    #[default(vec!["join".to_owned(), "leave".to_owned()])]
    pub overrides: Vec<String>,
    /// Patterns of the namespaces whose clients the service serves; `/conversations` and `/admin` never belong to it.
    #[default(vec!["*".to_owned()])]
    pub namespaces: Vec<String>,
    /// Whether the service is asked before a client is let in.
    #[default = true]
    pub connect: bool,
    /// Whether the service's answer to a connect lets clients in that have no token, where tokens are required.
    pub admits: bool,
    /// Whether the service is told that a client has left.
    #[default = true]
    pub disconnect: bool,
    /// Seconds for which a disconnect is tried again that could not be handed over; 0 for not at all.
    pub disconnect_patience: Seconds<30_000, 0, 3_600_000>,
    /// Headers of a client's request that the service is shown when the client connects.
    #[default(["user-agent", "origin", "cookie", "accept-language"].map(str::to_owned).to_vec())]
    pub headers: Vec<String>,
    /// Bytes of these headers together, so that idle sessions stay small; those beyond are left out.
    pub max_header_bytes: Count<8192, 256, { 1 << 16 }>,
    /// Bytes of the query string of a client's request, which the service is shown; a longer one is refused.
    pub max_query_bytes: Count<4096, 256, { 1 << 16 }>,
    /// Seconds from the moment at which it is a call's turn to its answer, tries included.
    pub timeout: Seconds<5_000, 1, 600_000>,
    /// Seconds for a connection to the service.
    pub connect_timeout: Seconds<1_000, 1, 60_000>,
    /// Seconds that an event may wait for its turn before it is refused.
    pub max_wait: Seconds<10_000, 1, 3_600_000>,
    /// Calls at a time, of all clients together.
    pub max_calls: Count<256, 1, 65_536>,
    /// Calls that wait for their turn, of all clients together.
    pub max_waiting: Count<10_000, 1, { 1 << 20 }>,
    /// Bytes of the events that wait, of all clients together.
    pub max_waiting_bytes: Count<{ 32 << 20 }, 65_536, { 1 << 36 }>,
    /// Bytes of one answer.
    pub max_answer_bytes: Count<{ 1 << 20 }, 1024, { 1 << 30 }>,
    /// Operations of one answer or one request.
    pub max_operations: Count<1000, 1, 100_000>,
    /// Calls to clients at a time that wait for their answers.
    pub max_asked: Count<1000, 1, { 1 << 20 }>,
    /// The longest time in seconds that such a call may wait.
    pub max_ask_time: Seconds<60_000, 1, 3_600_000>,
    /// Further tries of a call of which nothing was sent, or that is answered by 503 with Retry-After.
    pub retries: Count<2, 0, 10>,
    /// Milliseconds before the first of them; each later one waits twice as long.
    pub retry_delay_ms: Millis<50, 1>,
    /// Seconds for which an unused connection is kept; less than the service keeps it.
    pub idle_timeout: Seconds<1_500, 1, 600_000>,
    /// Seconds for which calls are refused after `[breakers] failures` in a row, until a probe is let through.
    pub open_for: Seconds<2_000, 10, 600_000>,
    /// Bytes of one client's session data.
    pub max_session_bytes: Count<16_384, 64, { 1 << 24 }>,
    /// Bytes of the session data of all clients together.
    pub max_sessions_bytes: Count<{ 64 << 20 }, 65_536, { 1 << 36 }>,
}

impl Backend {
    /// Whether there is a service.
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// The first key whose value can't be used.
    pub(super) fn invalid(&self) -> Option<Invalid> {
        let wrong = |key, message: String| Some(Invalid::new("backend", key, message));
        for (key, patterns) in [
            ("events", &self.events),
            ("override", &self.overrides),
            ("namespaces", &self.namespaces),
        ] {
            for text in patterns {
                if let Err(fault) = Pattern::new(text) {
                    return wrong(key, format!("has {text:?}, which {fault}"));
                }
            }
        }
        let is_name = |name: &String| http::HeaderName::from_bytes(name.as_bytes()).is_ok();
        if let Some(name) = self.headers.iter().find(|name| !is_name(name)) {
            return wrong("headers", format!("has {name:?}, which is no header"));
        }
        let carries = |name: &String| name.eq_ignore_ascii_case("authorization");
        if self.headers.iter().any(carries) {
            let message = "has authorization: a credential is taken off a request before anything else reads it; \
                           the service is told the user and the role";
            return wrong("headers", message.into());
        }
        if self.admits && !(self.is_on() && self.connect) {
            let message = "needs a service that is asked: set url, and leave connect at true";
            return wrong("admits", message.into());
        }
        if !self.is_on() {
            return None;
        }
        if !is_web_address(&self.url) {
            let message = "must begin with http:// or https://, name a host, and hold no user name or password";
            return wrong("url", message.into());
        }
        if self.secret.is_empty() {
            let message = "is missing: calls to the service are signed with it; set STOA_BACKEND__SECRET to 32 random bytes, \
                           as from `openssl rand -base64 48`";
            return wrong("secret", message.into());
        }
        short_secret(self.secret.as_bytes()).and_then(|short| wrong("secret", short))
    }
}
