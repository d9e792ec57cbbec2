//! Streams: entries that wait until they are read, from a kept place on.
//!
//! Nothing of a stream is lost while Stoa is down or behind, as far as the stream reaches back. An entry is passed when it
//! was carried on; one that can't be read is refused and passed too.

use std::{
    convert::Infallible,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, AsyncTypedCommands, Value,
    aio::MultiplexedConnection,
    streams::{StreamId, StreamRangeReply, StreamReadOptions, StreamReadReply},
};

use super::{
    carrier::{Arrival, Carrier},
    counters::BusCounters,
    entry::{self, Fields},
    link::{Fault, Link, Serve},
    message::MessageLimits,
    options::BusOptions,
    pace::Pace,
    positions::Positions,
};
use crate::journal::{Journal, KeptText};

/// Entries that are read and carried on together.
const AT_A_TURN: usize = 16;
/// The time for which the bus waits for an entry: then it answers that there is none, which shows that it is there.
const BLOCK: Duration = Duration::from_secs(2);
/// The time between two savings of the places while entries come without end.
const SAVE_INTERVAL: Duration = Duration::from_millis(100);

/// Reads the streams.
#[derive(Debug)]
pub(super) struct Streams {
    carrier: Arc<Carrier>,
    names: Vec<String>,
    limits: MessageLimits,
    pace: Pace,
    file: Option<PathBuf>,
    /// Keeps the places where no file is named and several nodes read in turns.
    journal: Option<Arc<dyn Journal>>,
    positions: Positions,
    /// The time of the last saving.
    saved: Instant,
}

impl Streams {
    pub(super) fn new(link: &Link, carrier: Arc<Carrier>, options: &BusOptions) -> Self {
        let file = options.position_file.clone();
        // The address without user and password.
        let bus = link.client.get_connection_info().addr().to_string();
        Self {
            carrier,
            names: options.streams.clone(),
            limits: options.limits,
            pace: Pace::new(options.per_second),
            positions: Positions::load(file.as_deref(), &bus),
            journal: Some(link.journal.clone()).filter(|all| file.is_none() && all.is_shared()),
            file,
            saved: Instant::now(),
        }
    }

    /// The place behind all that is there now.
    async fn newest(
        link: &Link,
        connection: &mut MultiplexedConnection,
        name: &str,
    ) -> Result<String, Fault> {
        let newest: StreamRangeReply = link
            .answer(connection.xrevrange_count(name, "+", "-", 1))
            .await?;
        let newest = newest.ids.into_iter().next();
        Ok(newest.map_or_else(|| "0-0".into(), |entry| entry.id))
    }

    fn arrival(&self, stream: &str, entry: &StreamId) -> Arrival {
        let field = |name: &str| match entry.map.get(name) {
            Some(Value::BulkString(bytes)) => bytes.as_slice(),
            _ => b"".as_slice(),
        };
        let fields = Fields {
            kind: field("type"),
            namespace: field("nsp"),
            data: field("data"),
        };
        Arrival {
            message: entry::read(fields, self.limits),
            id: Some(format!("sios:{stream}:{}", entry.id)),
        }
    }

    async fn saved(&self) -> Result<(), String> {
        if let Some(file) = self.file.clone() {
            let positions = self.positions.clone();
            let saved = tokio::task::spawn_blocking(move || positions.save(&file)).await;
            return saved.map_or(Ok(()), |saved| saved.map_err(|error| error.to_string()));
        }
        if let Some(journal) = &self.journal {
            let text = self.positions.written();
            let saved = journal.save_text(KeptText::BusPositions, text).await;
            return saved.map_err(|error| error.to_string());
        }
        Ok(())
    }

    /// Goes on where another node came to.
    async fn take_over(&mut self) -> Result<(), Fault> {
        if let Some(journal) = &self.journal {
            let kept = journal.load_text(KeptText::BusPositions).await;
            let kept = kept.map_err(|error| Fault::Positions(error.to_string()))?;
            let kept = kept.and_then(|text| Positions::of_written(&text, &self.positions.bus));
            if let Some(kept) = kept {
                self.positions = kept;
            }
        }
        Ok(())
    }

    /// Saves the places, while entries come without end only now and then.
    async fn save(&mut self, is_behind: bool, counters: &BusCounters) {
        if self.file.is_none() && self.journal.is_none() {
            return;
        }
        if is_behind && self.saved.elapsed() < SAVE_INTERVAL {
            return;
        }
        self.saved = Instant::now();
        if let Err(error) = self.saved().await {
            // The next entries are read all the same: after a restart some may come twice.
            let why = format!(
                "the places in the streams can't be saved ({error}): see [bus] position_file"
            );
            counters.refused("position", &why);
        }
    }
}

impl Serve for Streams {
    async fn serve(&mut self, link: &Link) -> Result<Infallible, Fault> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(link.times.timeout))
            .set_response_timeout(Some(BLOCK + link.times.timeout));
        let connection = link
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let mut connection = link.answer(connection).await?;
        self.take_over().await?;
        for name in &self.names {
            if !self.positions.streams.contains_key(name) {
                let newest = Self::newest(link, &mut connection, name).await?;
                self.positions.streams.insert(name.clone(), newest);
            }
        }
        self.save(false, &link.counters).await;
        link.up();
        let block = usize::try_from(BLOCK.as_millis()).unwrap_or(usize::MAX);
        let options = StreamReadOptions::default().count(AT_A_TURN).block(block);
        loop {
            let from = self.names.iter().map(|name| {
                let place = self.positions.streams.get(name);
                place.map_or_else(|| "0-0".to_owned(), Clone::clone)
            });
            let from: Vec<String> = from.collect();
            let read: Option<StreamReadReply> = connection
                .xread_options(&self.names, &from, &options)
                .await?;
            let Some(read) = read else { continue };
            let mut is_behind = false;
            for stream in read.keys {
                let Some(last) = stream.ids.last().map(|entry| entry.id.clone()) else {
                    continue;
                };
                is_behind |= stream.ids.len() == AT_A_TURN;
                let mut arrivals = Vec::with_capacity(stream.ids.len());
                for entry in &stream.ids {
                    self.pace.room().await;
                    link.counters.received("streams");
                    arrivals.push(self.arrival(&stream.key, entry));
                }
                self.carrier.carry_surely(arrivals).await;
                self.positions.streams.insert(stream.key, last);
            }
            self.save(is_behind, &link.counters).await;
        }
    }
}
