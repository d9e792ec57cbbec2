//! Rules of the configuration: rows that come before the built-in table.

use std::time::Duration;

use super::{
    animation::Animation,
    rule_body::RuleBody,
    rule_error::{RuleError, wrong},
    rule_name::RuleName,
    template::Template,
};
use crate::{
    config::{MAX_WINDOW_MS, RuleConfig},
    event::{Event, EventName, Priority},
    pattern::Pattern,
};

/// The most rules that may fit one event, so that each of its updates has a bit of its own. Seneca's own updates have
/// the bits above these.
pub const MAX_RULES_PER_EVENT: usize = 24;

/// A rule, ready to be used.
#[derive(Debug)]
pub struct Rule {
    /// The events that it is for, by their folded names.
    matches: Pattern,
    /// The Socket.IO event.
    pub(super) name: RuleName,
    /// Its own rooms; the event's when none are given.
    pub(super) rooms: Option<Vec<Template>>,
    /// The producer's own priority counts before it; normal when neither is given.
    pub(super) priority: Option<Priority>,
    /// The template of its key; without one its updates are never coalesced.
    pub(super) coalesce_by: Option<Template>,
    /// Its own window; the table's when none is given.
    pub(super) throttle: Option<Duration>,
    /// The animation of its updates.
    pub(super) animation: Animation,
    /// Its shape.
    pub(super) body: RuleBody,
}

impl Rule {
    /// Checks and prepares a rule.
    ///
    /// # Errors
    /// Names the key that can't be used and what is allowed.
    pub fn compile(config: &RuleConfig) -> Result<Self, RuleError> {
        let wrong = |key, message: String| wrong(config, key, message);
        let pattern = EventName::published(&config.matches);
        let matches = Pattern::written(pattern.canonical()).map_err(|bad| {
            wrong(
                "match",
                format!("{:?} is no pattern: it {bad}", config.matches),
            )
        })?;
        if config.matches.is_empty() {
            return Err(wrong(
                "match",
                "is empty: name a type like \"deploy.*\"".into(),
            ));
        }
        if !matches.as_str().bytes().all(is_in_a_type) {
            return Err(wrong(
                "match",
                format!(
                    "{:?} fits no event: types have only A-Z a-z 0-9 _ . : -, and a pattern has * and ? beside them",
                    config.matches
                ),
            ));
        }
        let template =
            |key, text: &String| Template::parse(text).map_err(|message| wrong(key, message));
        let rooms = config
            .rooms
            .as_ref()
            .map(|rooms| rooms.iter().map(|room| template("rooms", room)).collect());
        Ok(Self {
            matches,
            name: RuleName::compile(config)?,
            rooms: rooms.transpose()?,
            priority: match config.priority.as_deref() {
                None => None,
                Some(name) => Some(Priority::from_name(name).ok_or_else(|| {
                    wrong("priority", format!("{name:?} is none: use critical, high, normal or low"))
                })?),
            },
            coalesce_by: config.coalesce_by.as_ref().map(|text| template("coalesce_by", text)).transpose()?,
            throttle: match config.throttle_ms {
                Some(ms) if ms > MAX_WINDOW_MS => {
                    return Err(wrong(
                        "throttle_ms",
                        format!("{ms} is more than {MAX_WINDOW_MS} (a day)"),
                    ));
                }
                ms => ms.map(Duration::from_millis),
            },
            animation: match config.animation.as_deref() {
                None => Animation::None,
                Some(name) => Animation::from_name(name).ok_or_else(|| {
                    wrong("animation", format!("{name:?} is none: use pulse, fade, flow, progress, flash, celebrate, alert or none"))
                })?,
            },
            body: RuleBody::compile(config)?,
        })
    }

    /// Checks and prepares all rules.
    ///
    /// # Errors
    /// One of them can't be used, or so many fit the same events that their updates could not be told apart.
    pub fn compile_all(configs: &[RuleConfig]) -> Result<Vec<Self>, RuleError> {
        let rules: Vec<Self> = configs
            .iter()
            .map(Self::compile)
            .collect::<Result<_, _>>()?;
        for config in configs {
            // A name that the pattern is for. If patterns meet only elsewhere, the table takes the first rules.
            let name = config.matches.replace(['*', '?'], "x");
            let name = EventName::published(&name);
            let fit = |rule: &&Self| rule.matches.matches(name.canonical());
            let count = rules.iter().filter(fit).count();
            if count > MAX_RULES_PER_EVENT {
                return Err(wrong(
                    config,
                    "match",
                    format!(
                        "{count} rules fit events like {name:?}, and at most {MAX_RULES_PER_EVENT} may: leave some out",
                        name = name.raw()
                    ),
                ));
            }
        }
        Ok(rules)
    }

    /// Whether the rule is for this event.
    pub(super) fn matches(&self, event: &Event) -> bool {
        self.matches.matches(event.name.canonical())
    }
}

/// Whether a pattern of types may have this byte: types are folded, and hold nothing else.
fn is_in_a_type(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'*' | b'?')
}
