//! The way from a producer's text to the frame that every observer shares, stage by stage and as a whole, with the
//! events of a real Marcus run in their real mix. Every number is for one event (or one update, where it says so).
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used)]

use std::{
    hint::black_box,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{
    BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use futures_util::FutureExt;
use serde_json::Value;
use stoa::{
    channel::Listening,
    delivery::Tag,
    doors::socketio::engine::Frame,
    event::{self, Event},
    journal::{Journal, MemoryJournal, PublishedBy, Record, Retention},
    observe::Usage,
    pace::{Pacer, group},
    projections::{
        seneca::Dashboard,
        state::{Limits, State},
    },
    timestamp::Timestamp,
    update::{
        Envelope, Planned, Table, TransformOptions, UpdateShape, entities, event_rooms, render,
        rooms_hash,
    },
};

/// As long as a real one is under load.
const CURSOR: &str = "1z141z3.4fk8";

const RETENTION: Retention = Retention {
    max_events: 100_000,
    max_age: Duration::from_secs(86_400),
    max_bytes: 1 << 30,
};

/// The real stream, in all the forms that the stages take.
struct Mix {
    texts: Vec<String>,
    values: Vec<Value>,
    events: Vec<Event>,
    /// The time at which each happened, from the first on.
    at: Vec<Duration>,
    length: Duration,
}

impl Mix {
    fn load() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/marcus-events.jsonl");
        let text = std::fs::read_to_string(file).expect("the file of events is there");
        let texts: Vec<String> = text.lines().map(str::to_owned).collect();
        let values: Vec<Value> = texts.iter().map(|t| read(t)).collect();
        let events: Vec<Event> = values.iter().cloned().map(parse).collect();
        let first = events[0].timestamp.as_micros();
        let since = |e: &Event| u64::try_from(e.timestamp.as_micros() - first).unwrap_or_default();
        let at: Vec<Duration> = events
            .iter()
            .map(|e| Duration::from_micros(since(e)))
            .collect();
        let length = *at.last().expect("events") + Duration::from_secs(1);
        Self {
            texts,
            values,
            events,
            at,
            length,
        }
    }

    /// The `n`th event when the stream is told again and again, as a new event at its own time.
    fn event(&self, n: usize) -> Event {
        let mut event = self.events[n % self.events.len()].clone();
        event.id = format!("evt_{n}_1779544800.000103").into();
        event
    }

    fn time(&self, begun: Instant, n: usize) -> Instant {
        let rounds = u32::try_from(n / self.at.len()).expect("not that often");
        begun + self.length * rounds + self.at[n % self.at.len()]
    }
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn parse(value: Value) -> Event {
    let intake = event::ParseContext {
        now: Timestamp::from_micros(0),
        producer: "bench",
        max_depth: 32,
    };
    event::parse(value, &intake).expect("an event")
}

fn table() -> Table {
    Table::new(TransformOptions {
        throttle: Duration::from_millis(100),
        text_throttle: Duration::from_millis(33),
        usage_throttle: Duration::from_secs(1),
        rules: Vec::new(),
    })
}

fn record(n: usize, event: Arc<Event>, accepted: Instant) -> Arc<Record> {
    Arc::new(Record {
        by: PublishedBy::default(),
        held: 0,
        weight: 0,
        seq: n as u64 + 1,
        event,
        accepted,
    })
}

/// Measures `stage` with 0, 1, 2, …
fn each(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut stage: impl FnMut(usize)) {
    let mut n = 0;
    group.bench_function(name, |b| {
        b.iter(|| {
            stage(n);
            n += 1;
        });
    });
}

/// The same for a stage that consumes what it is given; making that is not measured.
fn each_of<T, R>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    make: impl Fn(usize) -> T,
    mut stage: impl FnMut(T) -> R,
) {
    let mut n = 0;
    group.bench_function(name, |b| {
        b.iter_batched(
            || {
                n += 1;
                make(n - 1)
            },
            &mut stage,
            BatchSize::SmallInput,
        );
    });
}

fn stages(c: &mut Criterion) {
    let mix = Mix::load();
    let count = mix.events.len();
    let table = table();
    let mut g = c.benchmark_group("path");

    each(&mut g, "1 json: text to value", |n| {
        black_box(read(&mix.texts[n % count]));
    });
    each_of(
        &mut g,
        "2 parse: value to event",
        |n| mix.values[n % count].clone(),
        parse,
    );

    let journal = MemoryJournal::new(RETENTION);
    each_of(
        &mut g,
        "3 append: journal",
        |n| vec![mix.event(n)],
        |events| journal.append(events).now_or_never(),
    );

    let mut state = State::new(Limits::default());
    each(&mut g, "4 state: fold", |n| {
        state.apply(&mix.events[n % count]);
    });

    let shared: Vec<Arc<Event>> = mix.events.iter().cloned().map(Arc::new).collect();
    let mut dashboard = Dashboard::new();
    each(&mut g, "4 dashboard: Seneca's counts", |n| {
        dashboard.observe(&shared[n % count]);
    });

    each(&mut g, "5 plan: table", |n| {
        black_box(table.plan(&mix.events[n % count], Listening::NONE));
    });

    let plans: Vec<_> = shared
        .iter()
        .map(|e| table.plan(e, Listening::NONE))
        .collect();
    let begun = Instant::now();
    let mut pacer = Pacer::default();
    let pace = |(n, now, planned): (usize, Instant, _)| {
        let event = &shared[n % count];
        let record = record(n, event.clone(), now);
        for group in group(&record, planned, &entities(event), rooms_hash(event)) {
            pacer.accept(group, now);
        }
        pacer.tick(now);
        pacer.take(256)
    };
    each_of(
        &mut g,
        "6 pace: group, accept, take",
        |n| (n, mix.time(begun, n), plans[n % count].clone()),
        pace,
    );

    each(&mut g, "7 rooms: names of the audience", |n| {
        event_rooms(&mix.events[n % count], &mut |room| {
            black_box(room.len());
        });
    });

    let usage = Usage::default();
    each(&mut g, "7b analytics: type and rooms counted", |n| {
        let event = &mix.events[n % count];
        let mut watched = usage.watched();
        event_rooms(event, &mut |room| watched.reached(room, 1));
        watched.sent(event.name.canonical(), 4);
    });

    let updates: Vec<(&Event, &Planned)> = mix
        .events
        .iter()
        .zip(&plans)
        .flat_map(|(event, planned)| planned.iter().map(move |p| (event, p)))
        .collect();
    let envelope = Envelope {
        cursor: CURSOR,
        coalesced: 1,
        data: None,
        since: None,
    };
    each(&mut g, "8 render: one update", |n| {
        let (event, planned) = updates[n % updates.len()];
        black_box(render(planned, event, &envelope, UpdateShape::Full));
    });

    let bodies: Vec<String> = updates
        .iter()
        .map(|(event, planned)| render(planned, event, &envelope, UpdateShape::Full))
        .collect();
    each(&mut g, "9 frame: one update", |n| {
        let kind = &updates[n % updates.len()].1.kind;
        black_box(Frame::event(
            kind.namespace(),
            kind.name(),
            &bodies[n % updates.len()],
            Tag::Told,
        ));
    });
    g.finish();
}

/// All of it, one event at a time, as the doors and the hub do it.
fn whole(c: &mut Criterion) {
    let mix = Mix::load();
    let table = table();
    let journal = MemoryJournal::new(RETENTION);
    let mut state = State::new(Limits::default());
    let mut dashboard = Dashboard::new();
    let mut pacer = Pacer::default();
    let begun = Instant::now();
    let make = |n: usize| {
        // The id is the producer's, and new for each event.
        let mut value = mix.values[n % mix.values.len()].clone();
        value["event_id"] = format!("evt_{n}_1779544800.000103").into();
        (value.to_string(), n, mix.time(begun, n))
    };
    let way = |(text, n, now): (String, usize, Instant)| {
        journal.append(vec![parse(read(&text))]).now_or_never();
        let records = journal.read(n as u64, 1_024).now_or_never();
        let mut frames = Vec::new();
        for record in records.expect("at once").expect("readable").records {
            state.apply(&record.event);
            dashboard.observe(&record.event);
            let planned = table.plan(&record.event, Listening::NONE);
            let rooms = rooms_hash(&record.event);
            for group in group(&record, planned, &entities(&record.event), rooms) {
                pacer.accept(group, now);
            }
        }
        pacer.tick(now);
        for group in pacer.take(256) {
            let event = &group.record.event;
            event_rooms(event, &mut |room| {
                black_box(room.len());
            });
            let planned = &group.update;
            let envelope = Envelope {
                cursor: CURSOR,
                coalesced: group.coalesced(),
                data: group.data.as_ref(),
                since: group.since,
            };
            let json = render(planned, event, &envelope, UpdateShape::Full);
            frames.push(Frame::event(
                planned.kind.namespace(),
                planned.kind.name(),
                &json,
                Tag::Told,
            ));
        }
        frames
    };
    let mut g = c.benchmark_group("path");
    each_of(&mut g, "whole: text to frames", make, way);
    g.finish();
}

criterion_group! {
    name = path;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = stages, whole
}
criterion_main!(path);
