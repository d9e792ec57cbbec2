//! Rules of the configuration: rows that come before the built-in table.

use std::time::Duration;

use thiserror::Error;

use super::{
    animation::Animation,
    template::Template,
    writer::{COMMON, Writer},
};
use crate::{
    access::authz::{GENERAL, OBSERVERS, PRODUCERS},
    config::{MAX_WINDOW_MS, RuleConfig},
    event::{self, Event, EventName, Object, Priority, folded},
    pattern::Pattern,
};

/// The most rules that may fit one event, so that each of its updates has a bit of its own. Seneca's own updates have
/// the bits above these.
pub const MAX_RULES_PER_EVENT: usize = 24;

/// A rule that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: [[transform.rules]] {key}: {message}")]
pub struct RuleError {
    /// The place of the rule in the configuration.
    pub place: String,
    /// The key of the rule.
    pub key: &'static str,
    /// The fault, and the allowed values.
    pub message: String,
}

/// A rule, ready to be used.
#[derive(Debug)]
pub struct Rule {
    /// The events that it is for, by their folded names.
    matches: Pattern,
    /// The Socket.IO event.
    emit: String,
    /// The folded name, as filters compare it.
    folded: String,
    /// Its own rooms; the event's when none are given.
    pub(super) rooms: Option<Vec<Template>>,
    /// The producer's own priority counts before it; normal when neither is given.
    pub(super) priority: Option<Priority>,
    /// The template of its key; without one its updates are never coalesced.
    pub(super) coalesce_by: Option<Template>,
    /// Its own window; the table's when none is given.
    pub(super) throttle: Option<Duration>,
    /// The animation of its updates.
    animation: Animation,
    /// Its own fields; the whole data when there are none.
    fields: Vec<(String, Template)>,
}

/// Names that Socket.IO clients keep for themselves.
const RESERVED: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];
const MAX_NAME: usize = 128;

fn wrong(config: &RuleConfig, key: &'static str, message: String) -> RuleError {
    RuleError {
        place: if config.place.is_empty() {
            "configuration".into()
        } else {
            config.place.clone()
        },
        key,
        message,
    }
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
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
        let is_name =
            (1..=MAX_NAME).contains(&config.emit.len()) && config.emit.bytes().all(allowed);
        if !is_name || RESERVED.contains(&config.emit.as_str()) {
            return Err(wrong(
                "emit",
                format!(
                    "{:?} can't be an event's name: 1 to {MAX_NAME} of A-Z a-z 0-9 _ . : - and not one of {}",
                    config.emit,
                    RESERVED.join(", ")
                ),
            ));
        }
        let template =
            |key, text: &String| Template::parse(text).map_err(|message| wrong(key, message));
        let fields = config
            .fields
            .iter()
            .map(|(name, text)| {
                if COMMON.contains(&name.as_str()) {
                    return Err(wrong(
                        "fields",
                        format!("{name} is written on every update; choose another name"),
                    ));
                }
                Ok((name.clone(), template("fields", text)?))
            })
            .collect::<Result<_, _>>()?;
        let rooms = config
            .rooms
            .as_ref()
            .map(|rooms| rooms.iter().map(|room| template("rooms", room)).collect());
        Ok(Self {
            matches,
            emit: config.emit.clone(),
            folded: folded(&config.emit),
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
            fields,
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

    /// Checks that a client can be in the rooms of the rules: an update for other rooms would reach nobody.
    /// `default_room` has no kind.
    ///
    /// # Errors
    /// Names the rule and the rooms that there are.
    pub fn check_rooms(configs: &[RuleConfig], default_room: &str) -> Result<(), RuleError> {
        for config in configs {
            let wrong_one = config.rooms.iter().flatten().find(|room| {
                let literal = room.split('{').next().unwrap_or_default();
                match literal.split_once(':') {
                    Some((kind, _)) => event::ThingKind::from_name(kind).is_none(),
                    // A room that begins with a placeholder may be any room.
                    None if literal.is_empty() => false,
                    None => ![default_room, GENERAL, OBSERVERS, PRODUCERS].contains(&room.as_str()),
                }
            });
            if let Some(room) = wrong_one {
                let kinds = event::ThingKind::names();
                let message = format!(
                    "nobody can be in {room:?}: use {default_room}, {OBSERVERS}, {PRODUCERS} or kind:id with a kind of {kinds}"
                );
                return Err(wrong(config, "rooms", message));
            }
        }
        Ok(())
    }

    /// Whether the rule is for this event.
    pub(super) fn matches(&self, event: &Event) -> bool {
        self.matches.matches(event.name.canonical())
    }

    pub(super) fn emit(&self) -> &str {
        &self.emit
    }

    pub(super) fn folded(&self) -> &str {
        &self.folded
    }

    pub(super) fn animation(&self) -> Animation {
        self.animation
    }

    /// Writes the body of its update.
    pub(super) fn write(&self, event: &Event, data: &Object, out: &mut Writer) {
        for (name, template) in &self.fields {
            out.field(name, &template.value(event, data));
        }
        if self.fields.is_empty() {
            out.field("data", data);
        }
    }
}
