//! The stream to be replayed, and what each event of it must become.
//!
//! Which updates an event gives and by which key they are coalesced is asked of the table; what is checked is everything
//! behind it: that all of them arrive, once, in order, whatever was coalesced on the way.
use std::{collections::HashMap, path::Path, time::Duration};

use stoa::{
    channel::Listening,
    event::{self},
    ledger::{Ledger, Speaker},
    timestamp::Timestamp,
    update::{Key, Table, Timing, TransformOptions, entities, rooms_hash},
};

/// The stream.
#[derive(Debug)]
pub struct Script {
    /// In the order in which they are published.
    pub lines: Vec<Line>,
    /// Finds a line by its event's id.
    pub by_id: HashMap<String, usize>,
    /// The updates that are coalesced among themselves: for each chain its lines in order.
    pub chains: Vec<Vec<usize>>,
}

/// One event.
#[derive(Debug)]
pub struct Line {
    /// As it is published.
    pub text: String,
    /// The time at which it happened, from the first event on.
    pub at: Duration,
    /// The events that it gives, in order.
    pub updates: Vec<Expected>,
    /// Whose updates must keep their order.
    pub entities: Vec<u64>,
}

/// One update that an event must give.
#[derive(Debug)]
pub struct Expected {
    /// The Socket.IO event's name.
    pub name: String,
    /// Its chain and its place in that; `None` for what is never coalesced.
    pub place: Option<(usize, usize)>,
}

impl Script {
    /// Reads a file of events, one a line, each with an `event_id`.
    pub fn load(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("the file of events is there");
        let table = Table::new(TransformOptions::default());
        let intake = event::ParseContext {
            now: Timestamp::now(),
            producer: "replay",
            max_depth: 32,
        };
        let mut script = Self {
            lines: Vec::new(),
            by_id: HashMap::new(),
            chains: Vec::new(),
        };
        let mut chain_of: HashMap<(Key, u64, String), usize> = HashMap::new();
        let mut first = None;
        // As the server does: an event's project may be one that an earlier event named.
        let ledger = Ledger::new(10_000);
        let speaker = Speaker {
            producer: &"".into(),
            projects: None,
        };
        for text in text.lines() {
            let value = serde_json::from_str(text).expect("a line is JSON");
            let mut event = event::parse(value, &intake).expect("a line is an event");
            ledger.settle(&mut event, speaker).expect("anybody may");
            let at = event.timestamp.as_micros();
            let since = at - *first.get_or_insert(at);
            let number = script.lines.len();
            let mut updates = Vec::new();
            for planned in table.plan(&event, Listening::NONE) {
                let name = planned.kind.name().to_owned();
                let place = match planned.timing {
                    Timing::Immediate => None,
                    Timing::Coalesced { key, .. } => {
                        let chain = *chain_of
                            .entry((key, rooms_hash(&event), name.clone()))
                            .or_insert_with(|| {
                                script.chains.push(Vec::new());
                                script.chains.len() - 1
                            });
                        script.chains[chain].push(number);
                        Some((chain, script.chains[chain].len() - 1))
                    }
                };
                updates.push(Expected { name, place });
            }
            let known = script.by_id.insert(event.id.to_string(), number);
            assert!(known.is_none(), "the id {} is there twice", event.id);
            script.lines.push(Line {
                text: text.to_owned(),
                at: Duration::from_micros(u64::try_from(since).expect("times ascend")),
                updates,
                entities: entities(&event).to_vec(),
            });
        }
        script
    }

    /// The time that the stream took when it happened.
    pub fn length(&self) -> Duration {
        self.lines.last().map_or(Duration::ZERO, |line| line.at)
    }
}
