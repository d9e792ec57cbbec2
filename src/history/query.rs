//! The query of a page, and its filters.

use serde::Deserialize;
use strum::EnumString;

use crate::{
    error::Error,
    event::{Event, EventName, folded},
};

/// A query of the history; `GET /api/v1/events` has the same as its parameters.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Query {
    /// Events after this cursor; from the oldest kept one when absent.
    pub after: Option<String>,
    /// Events up to and including this cursor.
    pub before: Option<String>,
    /// The most events, 1 to 1,000; 100 when absent.
    pub limit: Option<u64>,
    /// The type, in any spelling; a family with `.*` after it means all of its types.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// The project of the events.
    pub project_id: Option<String>,
    /// An agent that the events name.
    pub agent_id: Option<String>,
    /// A run or execution that the events name.
    pub run_id: Option<String>,
    /// The end to begin at.
    #[serde(default)]
    pub order: Order,
}

/// The order of the events in a page.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, EnumString)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Order {
    /// Oldest first.
    #[default]
    Asc,
    /// Newest first.
    Desc,
}

impl Order {
    /// Reads a name.
    ///
    /// # Errors
    /// `bad_request` for an unknown name.
    pub fn from_name(name: &str) -> Result<Self, Error> {
        let wrong = |_| format!("order is {name:?}: use asc (oldest first) or desc");
        name.parse().map_err(wrong).map_err(Error::bad_request)
    }
}

/// The text of a parameter; an empty field of a form counts as absent.
pub(super) fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// The filters of a query, ready to be compared.
pub(super) struct Wanted {
    pub(super) name: Option<String>,
    /// The beginning of all these types.
    pub(super) prefix: Option<String>,
    /// The other parameters, whose ids are compared as they are.
    pub(super) query: Query,
}

impl Wanted {
    pub(super) fn new(query: Query) -> Self {
        let fold = |name: &str| EventName::published(name).canonical().to_owned();
        let event_type = said(query.event_type.as_deref());
        let family = event_type.and_then(|t| t.strip_suffix('*'));
        let name = event_type.filter(|_| family.is_none()).map(fold);
        let prefix = family.map(fold);
        Self {
            name,
            prefix,
            query,
        }
    }

    pub(super) fn matches(&self, event: &Event) -> bool {
        let is = |wanted: &Option<String>, id: Option<&str>| {
            said(wanted.as_deref()).is_none_or(|w| id == Some(w))
        };
        // An emission has the name that its application gave it.
        let emitted = event
            .emission
            .as_ref()
            .map(|emission| folded(&emission.event));
        let own = emitted.as_deref().unwrap_or(event.name.canonical());
        self.name.as_deref().is_none_or(|name| own == name)
            && self.prefix.as_deref().is_none_or(|p| own.starts_with(p))
            && is(&self.query.project_id, event.project_id.as_deref())
            && is(&self.query.agent_id, event.agent_id())
            && (is(&self.query.run_id, event.run_id())
                || is(&self.query.run_id, event.execution_id()))
    }
}
