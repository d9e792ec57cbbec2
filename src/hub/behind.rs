//! Members that are behind: the ways in which a client falls behind the live stream, and the end of that.
//!
//! A client is behind when it comes with a cursor (`resume`) or reads too slowly (`park`). It goes live again when it
//! has reached the stream, or it is given the state because the journal no longer holds what it missed. `catchup` does
//! all that lies between.

use std::time::Instant;

use serde_json::json;
use tokio::sync::oneshot;

use super::{
    Hub,
    catchup::credit::{Credit, Held},
    catchup::{CatchUpTurn, Effect},
    command::{Command, Resumption, now},
    member::MemberId,
    requests::object,
    snapshots::Taking,
};
use crate::{
    delivery::{Cursor, missed::first_missed},
    event::Object,
};

/// The place and the progress of a member that is not live.
#[derive(Debug)]
pub(crate) struct Behind {
    /// The cursor of the last update that it has, or that is on its way to it.
    pub(super) at: Cursor,
    /// The segment that it is being given.
    pub(super) held: Option<Held>,
    /// The large snapshot that it is being given first.
    pub(super) taking: Option<Taking>,
    /// Failures in a row to make its next segment; after a few of them it is given the state.
    failures: u32,
    /// The end of its rest after such a failure.
    rests_until: Option<Instant>,
    /// Its ticket in the line for a segment; the lowest is served first.
    waits: Option<u64>,
    /// Whether it began with the state: the client isn't told then that it is live.
    quiet: bool,
    /// The bytes that it is given at a time.
    pub(super) credit: Credit,
    /// The cursor that it came with, as text, to be repeated in `resumed`; `None` for a member that was parked.
    from: Option<String>,
    /// The updates that it was sent since.
    pub(super) replayed: u64,
    /// Callers that wait for the fields of `resumed`.
    replies: Vec<oneshot::Sender<Object>>,
}

impl Behind {
    /// A member that is caught up from `at`.
    pub(super) fn new(at: Cursor, credit: Credit) -> Self {
        Self {
            at,
            held: None,
            taking: None,
            failures: 0,
            rests_until: None,
            waits: None,
            quiet: false,
            credit,
            from: None,
            replayed: 0,
            replies: Vec::new(),
        }
    }

    /// A member that is given a large snapshot, and is then caught up from `at`.
    pub(super) fn given(at: Cursor, taking: Taking) -> Self {
        Self {
            taking: Some(taking),
            quiet: true,
            ..Self::new(at, Credit::first())
        }
    }

    /// The cursor of the last update that it has, or that is on its way to it.
    pub(super) fn place(&self) -> &Cursor {
        &self.at
    }

    /// The large snapshot that it is being given.
    pub(super) fn taking(&self) -> Option<&Taking> {
        self.taking.as_ref()
    }

    /// Whether it is being given a large snapshot.
    pub(super) fn is_given_snapshot(&self) -> bool {
        self.taking.is_some()
    }

    /// Takes the callers over that wait for the end of an earlier catch-up.
    pub(super) fn take_over(&mut self, before: Self) {
        self.replayed = before.replayed;
        self.replies.extend(before.replies);
        if self.from.is_none() {
            self.from = before.from;
        }
    }

    /// Gives the member a segment that begins at its place.
    pub(super) fn hold(&mut self, held: Held) {
        (self.failures, self.rests_until, self.waits) = (0, None, None);
        if held.is_empty() {
            self.at = held.segment().end.clone();
        } else {
            self.held = Some(held);
        }
    }

    /// Lets the member rest after a failure to make its next segment; returns how many failed in a row.
    pub(super) fn rest(&mut self, until: Instant) -> u32 {
        self.failures += 1;
        self.rest_until(until);
        self.failures
    }

    /// Lets the member rest.
    pub(super) fn rest_until(&mut self, until: Instant) {
        self.rests_until = Some(until);
        self.waits = None;
    }

    /// Whether the last try to make its next segment failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// Puts the member in the line for a segment, while one is made for others.
    pub(super) fn wait(&mut self, tickets: &mut u64) {
        if self.waits.is_none() {
            *tickets += 1;
            self.waits = Some(*tickets);
        }
    }

    /// Whether the member waits for a segment.
    pub(super) fn has_ticket(&self) -> bool {
        self.waits.is_some() && self.held.is_none() && self.taking.is_none()
    }

    /// Its ticket in the line for a segment; none if it does not wait for one.
    pub(super) fn ticket(&self, now: Instant) -> Option<u64> {
        let waits = self.held.is_none() && self.taking.is_none() && self.has_rested(now);
        self.waits.filter(|_| waits)
    }

    /// Whether its rest is over.
    pub(super) fn has_rested(&self, now: Instant) -> bool {
        self.rests_until.is_none_or(|until| until <= now)
    }
}

impl Hub {
    /// Serves the members that are behind, and carries out the effects.
    pub(super) fn turn(&mut self, work: impl FnOnce(&mut CatchUpTurn<'_>)) {
        let effects = self.catchup.turn(&mut self.roster, &self.stream, work);
        for effect in effects {
            match effect {
                Effect::Live(member, to) => self.go_live(member, &to),
                Effect::GiveUp { members, at, why } => self.give_up_these(&members, &at, why),
                Effect::Part(member) => self.give_part(member),
            }
        }
    }

    /// Sets a member back to a cursor and begins to catch it up. `replies` hear the fields of `resumed`.
    pub(super) fn resume(
        &mut self,
        id: MemberId,
        from: Resumption,
        reply: Option<oneshot::Sender<Object>>,
    ) {
        let known = from.place.and_then(|place| self.stream.now(place));
        let (from, is_silent) = (from.text, from.is_silent);
        let Some(member) = self.roster.get_mut(id) else {
            return;
        };
        let mut replies: Vec<_> = reply.into_iter().collect();
        if let Some(before) = member.behind.take() {
            replies.extend(before.replies);
        }
        let Some(at) = known else {
            self.give_up(id, &from, 0, replies, "unknown_cursor");
            return;
        };
        // A place may be ahead of what was sent (a snapshot's, a publish answer's): the client has all before the first
        // that it misses.
        member.since = first_missed(&at).saturating_sub(1);
        member.behind = Some(Box::new(Behind {
            from: (!is_silent).then_some(from),
            quiet: is_silent,
            replies,
            ..Behind::new(at, Credit::first())
        }));
        self.turn(|turn| turn.serve(id));
    }

    /// Has a member go on from its own place in a history that ended, without a word about that. Whatever it was promised
    /// when it fell behind still holds.
    pub(super) fn resume_in_place(&mut self, id: MemberId, place: Cursor) {
        let behind = self.roster.get(id).and_then(|m| m.behind.as_deref());
        let promised = behind.map(|behind| (behind.from.clone(), behind.quiet, behind.replayed));
        let from = promised.as_ref().and_then(|(from, _, _)| from.clone());
        let resumption = match from {
            Some(from) => Resumption {
                text: from,
                place: Some(place),
                is_silent: false,
            },
            None => Resumption::quietly(place),
        };
        self.resume(id, resumption, None);
        let behind = self.roster.get_mut(id).and_then(|m| m.behind.as_mut());
        if let (Some(behind), Some((_, quiet, replayed))) = (behind, promised) {
            (behind.quiet, behind.replayed) = (quiet, replayed);
        }
    }

    /// Whether a cursor that a door has read is of this journal.
    pub(super) fn is_own(&self, from: &Resumption) -> bool {
        from.place
            .as_ref()
            .is_some_and(|place| self.stream.knows(place) || self.stream.moved(place).is_some())
    }

    /// Parks a member whose queue is full: it gets nothing more until it has read some of it. The hub takes back the
    /// updates that the member has not begun to get, and coalesces them with later ones; otherwise the member would
    /// have to read all of them first.
    pub(super) fn park(&mut self, id: MemberId) {
        let Some(member) = self.roster.get(id).filter(|m| m.behind.is_none()) else {
            return;
        };
        let first = self.stream.journal().bounds().first;
        // Updates that the journal no longer holds stay in the queue: nobody could make them again.
        let keeps = |text: &str| {
            let begins = self.stream.own_cursor(text).map(|at| first_missed(&at));
            begins.is_some_and(|begins| begins >= first)
        };
        let taken = member.outlet.reclaim(&keeps);
        let place = match taken
            .as_ref()
            .and_then(|taken| self.stream.own_cursor(&taken.cursor))
        {
            Some(place) => place,
            None => self.stream.cursor(),
        };
        let Some(member) = self.roster.get_mut(id) else {
            return;
        };
        let at = place.with_everything_up_to(member.since);
        member.behind = Some(Box::new(Behind::new(at, Credit::least())));
        if let Some(activity) = &member.activity {
            activity.parked();
        }
        if let Some(taken) = taken {
            member.missed_aggregates |= taken.aggregates;
            self.metrics.taken_back(taken.updates);
        }
        self.metrics.parked();
        self.turn(|turn| turn.serve(id));
        let notice = object(json!({
            "type": "system_notification", "level": "warning", "code": "parked", "timestamp": now(),
            "message": "you read more slowly than updates come; you are sent the rest, coalesced, as you read on",
        }));
        self.notify(id, "system_notification", notice);
    }

    fn go_live(&mut self, id: MemberId, to: &Cursor) {
        let Some(member) = self.roster.get_mut(id) else {
            return;
        };
        let Some(behind) = member.behind.take() else {
            return;
        };
        if let Some(activity) = &member.activity {
            activity.live();
        }
        let to = to.with_everything_up_to(member.since);
        let to = self.stream.name(to);
        match behind.from {
            Some(from) => {
                let resumed = resumed(&from, &to, behind.replayed, true);
                self.notify_resumed(id, &resumed, &to);
                for reply in behind.replies {
                    reply.send(resumed.clone()).ok();
                }
            }
            None if behind.quiet => {}
            None => {
                let notice = object(json!({
                    "type": "system_notification", "level": "info", "code": "caught_up", "timestamp": now(),
                    "message": "you are up to date again",
                }));
                self.notify(id, "system_notification", notice);
            }
        }
        self.send_present_aggregates(id);
    }

    /// Gives a member the state, because the journal can't tell it what it missed; `why` is the metric's reason.
    fn give_up(
        &mut self,
        id: MemberId,
        from: &str,
        replayed: u64,
        replies: Vec<oneshot::Sender<Object>>,
        why: &'static str,
    ) {
        self.metrics.replay_given_up(why);
        let to = self.stream.everything_read();
        let resumed = resumed(from, &to, replayed, false);
        self.notify(id, "resumed", resumed.clone());
        self.send_snapshot(id);
        for reply in replies {
            reply.send(resumed.clone()).ok();
        }
    }

    /// Settles the queue of a member before a command changes what it sees: what was sent before stays sent.
    pub(super) fn settle(&self, command: &Command) {
        let member = match command {
            Command::JoinRooms { member, .. }
            | Command::LeaveRooms { member, .. }
            | Command::SetSubscription(member, _)
            | Command::Listen { member, .. }
            | Command::IsPage(member)
            | Command::Reidentify { member, .. }
            | Command::Resume { member, .. } => member,
            _ => return,
        };
        if let Some(member) = self.roster.get(*member) {
            member.outlet.settle();
        }
    }

    fn notify_resumed(&mut self, id: MemberId, resumed: &Object, to: &str) {
        let json = serde_json::Value::Object(resumed.clone()).to_string();
        self.notify_json(id, "resumed", &json, Some(to));
    }

    /// Gives up those of these members that are at this place, in the order of the queue.
    fn give_up_these(&mut self, these: &[MemberId], at: &Cursor, why: &'static str) {
        // The queue passes over members that were given up.
        for &id in these {
            let Some(member) = self.roster.get_mut(id) else {
                continue;
            };
            let behind = member.behind.take();
            if let Some(activity) = &member.activity {
                activity.live();
            }
            if let Some(behind) = behind {
                let from = behind.from.unwrap_or_else(|| at.to_string());
                self.give_up(id, &from, behind.replayed, behind.replies, why);
                self.send_present_aggregates(id);
            }
        }
    }
}

/// The fields of `resumed`. An incomplete one has no cursor to go on from: the snapshot that follows it has.
fn resumed(from: &str, to: &str, replayed: u64, complete: bool) -> Object {
    let mut resumed = object(json!({
        "type": "resumed", "from": from, "to": to, "replayed": replayed, "complete": complete, "timestamp": now(),
    }));
    if complete {
        resumed.insert("cursor".into(), to.into());
    }
    resumed
}
