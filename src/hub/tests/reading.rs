//! The reading of a client: the consequences of each message for its account.

use serde_json::Value;

use super::{
    client::{Client, Mode},
    events::Update,
    place::Place,
    received::{Contents, Received},
    truth::Truth,
};
use crate::delivery::Cursor;

impl Client {
    /// Reads a message. The witness's updates count as sent when it gets them.
    pub(super) fn read(
        &mut self,
        truth: &mut Truth,
        text: &str,
        witness: bool,
        first: u64,
    ) -> Result<(), String> {
        self.try_read(truth, text, witness, first)
            .map_err(|why| format!("{}: {why}\n  in {text}", self.name))
    }

    fn try_read(
        &mut self,
        truth: &mut Truth,
        text: &str,
        witness: bool,
        first: u64,
    ) -> Result<(), String> {
        let (received, cursor) = Received::read(text)?;
        let mode = self.connection.as_ref().ok_or("it is gone")?.mode;
        if mode == Mode::Greeted && !matches!(received, Received::Greeting) {
            return Err("it was not greeted first".into());
        }
        let mut place = None;
        match received {
            Received::Greeting => self.greeted(cursor.as_deref())?,
            Received::Updates(updates) => {
                for (name, body) in updates {
                    place = Some(self.update(truth, &name, &body, witness)?);
                }
            }
            Received::Resumed(body) => place = self.resumed(truth, &body, first)?,
            Received::Snapshot(body) => self.snapshot(truth, &body, cursor.as_deref())?,
            Received::Parked => {
                self.note("parked");
                let connection = self.connection.as_mut().ok_or("it is gone")?;
                // Updates that it had not begun to get are made again.
                // Updates that it was sent before it wanted something else are not.
                let settled = connection.had_all.max(connection.settled);
                self.account.falls_behind(settled);
                connection.mode = Mode::Behind;
            }
            Received::Asked => {
                self.note("asked for the state");
                let connection = self.connection.as_mut().ok_or("it is gone")?;
                connection.asked.1 += 1;
                connection.told = connection.asks.pop_front();
            }
            Received::Changed => {
                self.note("looks otherwise");
                let connection = self.connection.as_mut().ok_or("it is gone")?;
                let spell = connection.changes.pop_front();
                self.account
                    .looks_by(spell.ok_or("nobody changed anything")?);
            }
            Received::CaughtUp => {
                self.note("caught up");
                // A client that resumed since is sent `resumed`, too.
                if self.connection.as_ref().is_some_and(|c| c.from.is_none()) {
                    self.is_up_to_date(truth);
                }
            }
        }
        if let Some(cursor) = cursor {
            self.cursor = Some(cursor);
            self.account.place = place.unwrap_or(self.account.place);
        }
        Ok(())
    }

    fn is_up_to_date(&mut self, truth: &Truth) {
        self.account.is_up_to_date(truth);
        if let Some(connection) = &mut self.connection {
            connection.mode = Mode::Live;
        }
    }

    fn greeted(&mut self, cursor: Option<&str>) -> Result<(), String> {
        self.note("greeted");
        let connection = self.connection.as_mut().ok_or("it is gone")?;
        connection.mode = match (&connection.from, connection.foreign) {
            (_, true) => Mode::Behind,
            (Some(from), false) if cursor == Some(from) => Mode::Behind,
            (Some(from), false) => {
                return Err(format!(
                    "it came with {from} and is greeted with {cursor:?}"
                ));
            }
            (None, _) if cursor.is_some() => Mode::Live,
            (None, _) => Mode::Promised,
        };
        Ok(())
    }

    fn update(
        &mut self,
        truth: &mut Truth,
        name: &str,
        body: &Value,
        witness: bool,
    ) -> Result<Place, String> {
        let contents = Contents::of(body)?;
        let connection = self.connection.as_mut().ok_or("it is gone")?;
        if connection.part.is_some() || connection.mode == Mode::Promised {
            return Err("an update comes before the snapshot is whole".into());
        }
        if let Some(replayed) = &mut connection.replayed {
            *replayed += 1;
        }
        let is_live = connection.mode == Mode::Live;
        let coalesced = self.account.take(truth, name, &contents)?;
        self.log.push(format!(
            "{name} {:?}",
            coalesced.iter().map(|(n, _)| n).collect::<Vec<_>>()
        ));
        if witness {
            truth.count += 1;
            for &update in &coalesced {
                truth.sent.entry(update).or_insert(truth.count);
            }
        }
        self.account.accept(truth, &coalesced)?;
        let sent = |update: &Update| truth.sent.get(update).copied();
        let at = coalesced.iter().filter_map(sent).max().unwrap_or_default();
        Ok(if is_live {
            Place::Live(at)
        } else {
            Place::Missed
        })
    }

    fn resumed(
        &mut self,
        truth: &Truth,
        body: &Value,
        first: u64,
    ) -> Result<Option<Place>, String> {
        self.note(format!("resumed, complete: {}", body["complete"]));
        let connection = self.connection.as_mut().ok_or("it is gone")?;
        let from = connection.from.take();
        if from.is_some() && from.as_deref() != body["from"].as_str() {
            return Err(format!("it came with {from:?}"));
        }
        let replayed = connection.replayed.take();
        if let Some(replayed) = replayed
            && body["replayed"] != replayed
        {
            return Err(format!("it was sent {replayed} updates that it had missed"));
        }
        if body["complete"] == true {
            let place = Place::UpToDate(connection.began);
            self.is_up_to_date(truth);
            return Ok(Some(place));
        }
        if !connection.foreign && first <= 1 {
            return Err("the journal has all that it missed".into());
        }
        connection.mode = Mode::Promised;
        Ok(None)
    }

    fn snapshot(
        &mut self,
        truth: &Truth,
        body: &Value,
        cursor: Option<&str>,
    ) -> Result<(), String> {
        let connection = self.connection.as_mut().ok_or("it is gone")?;
        let (part, parts) = (body["part"].as_u64(), body["parts"].as_u64());
        let (part, parts) = (part.unwrap_or(1), parts.unwrap_or(1));
        if part == 1 {
            connection.tasks.clear();
        } else if connection.part != Some((part, parts)) {
            return Err(format!(
                "part {part} of {parts} comes in place of {:?}",
                connection.part
            ));
        }
        connection.part = (part < parts).then_some((part + 1, parts));
        let tasks = body["tasks"].as_object().into_iter().flatten();
        connection.tasks.extend(tasks.map(|(_, task)| task.clone()));
        if part < parts {
            return match cursor {
                Some(_) => Err("a part that is not the last has a cursor".into()),
                None => Ok(()),
            };
        }
        let place: Cursor = cursor
            .and_then(|c| c.parse().ok())
            .ok_or("a snapshot has no cursor")?;
        if !place.unsent.is_empty() || place.within.is_some() {
            return Err("a snapshot has unsent updates".into());
        }
        // One that it asked for may be a moment old: what came since is sent behind it.
        let whole = body["part"].is_null() && !connection.asked.2;
        connection.asked.2 &= connection.asked.0 != connection.asked.1;
        connection.mode = match connection.from {
            Some(_) => Mode::Behind,
            None if whole => Mode::Live,
            None => Mode::Quiet,
        };
        let tasks = std::mem::take(&mut connection.tasks);
        let asked = connection.told.take();
        self.note(format!("snapshot behind e{}", place.seq));
        super::state::check(truth, self.claims, place.seq, &tasks, &body["counts"])?;
        self.account.is_given_state(truth, place.seq, asked);
        if whole && self.is_live() {
            self.account.is_up_to_date(truth);
        } else {
            self.account.falls_behind(0);
        }
        Ok(())
    }
}
