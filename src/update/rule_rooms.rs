//! The rooms of rules, checked before the start: an update for a room that can't be would reach nobody.

use super::{
    rule_error::{RuleError, wrong},
    rules::Rule,
    template::Template,
};
use crate::{
    access::authz::{GENERAL, OBSERVERS, PRODUCERS, room_name},
    config::RuleConfig,
    event,
};

impl Rule {
    /// Checks that a client can be in the rooms of the rules: an update for other rooms would reach nobody.
    /// `default_room` has no kind.
    ///
    /// # Errors
    /// Names the rule and the rooms that there are.
    pub fn check_rooms(configs: &[RuleConfig], default_room: &str) -> Result<(), RuleError> {
        let own = [default_room, GENERAL, OBSERVERS, PRODUCERS];
        for config in configs {
            let Some(rooms) = &config.rooms else { continue };
            if rooms.is_empty() {
                let message = "is empty, so nobody would see the update: name a room, or leave the key out for the event's own rooms";
                return Err(wrong(config, "rooms", message.into()));
            }
            for room in rooms {
                let template =
                    Template::parse(room).map_err(|message| wrong(config, "rooms", message))?;
                if template.has_whole_object() {
                    let message = format!("{room:?} has a whole object: name one of its fields");
                    return Err(wrong(config, "rooms", message));
                }
                if !own.contains(&room.as_str()) && !may_be(&template) {
                    let kinds = event::ThingKind::names();
                    let message = format!(
                        "nobody can be in {room:?}: use {default_room}, {OBSERVERS}, {PRODUCERS} or kind:id with a kind of {kinds} (in an id write a space as %20, and so on)"
                    );
                    return Err(wrong(config, "rooms", message));
                }
            }
        }
        Ok(())
    }
}

/// Whether there is a room that the template could name.
fn may_be(room: &Template) -> bool {
    // One that begins with a place may be any.
    room.begins_with_place() || room_name::is_of_a_thing(&room.filled("x"))
}
