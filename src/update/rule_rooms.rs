//! The rooms of rules, checked before the start: an update for a room that can't be would reach nobody.

use super::{
    rule_error::{RuleError, wrong},
    rules::Rule,
    template::Template,
};
use crate::{
    access::authz::{GENERAL, OBSERVERS, PRODUCERS, RoomKind, room_name},
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
                        "nobody can be in {room:?}: use {default_room}, {OBSERVERS}, {PRODUCERS}, kind:id with a kind of {kinds} (in an id write a space as %20, and so on), or a free room of 1 to 128 of A-Z a-z 0-9 _ . : @ / - and spaces"
                    );
                    return Err(wrong(config, "rooms", message));
                }
            }
        }
        Ok(())
    }
}

/// Whether there is a room that the template could name, and that a client could be in.
fn may_be(room: &Template) -> bool {
    // One that begins with a place may be any.
    if room.begins_with_place() {
        return true;
    }
    let name = room.filled("x");
    match RoomKind::of(&name) {
        RoomKind::Thing => room_name::is_of_a_thing(&name),
        RoomKind::Free => true,
        // Ids of clients are made anew for each, and nobody asks to be in the others.
        RoomKind::Standing | RoomKind::Own | RoomKind::Unknown => false,
    }
}
