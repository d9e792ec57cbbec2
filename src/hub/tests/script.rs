//! Random scripts, and how they are shown when one fails.

use std::{fmt, time::Duration};

use proptest::prelude::*;

use super::{
    events::{Said, WHATS},
    wants::{CLAIMS, ROOMS, WANTED},
};

/// The clients of a script.
pub(super) const CLIENTS: usize = 3;

/// A step.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Events are published in one call.
    Publish(Vec<Said>),
    /// A client joins a room by its number in [`ROOMS`].
    Join(usize, usize),
    /// A client leaves a room.
    Leave(usize, usize),
    /// A client wants something else, by its number in [`WANTED`].
    Want(usize, usize),
    /// A client takes some of what waits for it.
    Read(usize, usize),
    /// A client takes all that waits for it, until it is up to date.
    CatchUp(usize),
    /// A client goes away.
    Leaves(usize),
    /// A client comes, perhaps in place of itself.
    Comes(usize, Comes),
    /// A client that is up to date goes back to the last cursor it got.
    Resume(usize),
    /// A client keeps the cursor that it has.
    Keep(usize),
    /// A client asks for the state.
    State(usize),
    /// All that is published is sent.
    Settle,
    /// The state is saved.
    Save,
    /// The hub ends, after it sent the rest or without a word, and another one begins.
    Restart { orderly: bool, reopened: bool },
}

/// The way a client comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comes {
    /// With the last cursor it got.
    Last,
    /// With one that it kept.
    Kept,
    /// As somebody new.
    New,
    /// As somebody new who is given the state.
    WithState,
    /// With a cursor of another journal.
    Foreign,
}

/// The settings of a round.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) in_file: bool,
    /// The time that updates of a key are held.
    pub(super) window: Duration,
    /// The most updates that one flush sends.
    pub(super) flush_max: usize,
    /// Bytes that may wait for each client.
    pub(super) lanes: [usize; CLIENTS],
    /// The identity of each client, by its number in [`CLAIMS`].
    pub(super) claims: [usize; CLIENTS],
    /// The rooms and the filter that each client has at first, by their numbers.
    pub(super) looks: [([usize; 2], usize); CLIENTS],
    pub(super) batch: [bool; CLIENTS],
    /// Whether the newest events are in memory for clients that come back.
    pub(super) in_memory: bool,
    /// Bytes of updates that a segment may have.
    pub(super) segment: usize,
    pub(super) snapshot_part: usize,
    /// The events that the journal keeps.
    pub(super) keeps: usize,
}

/// A round.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) settings: Settings,
    pub(super) steps: Vec<Step>,
}

/// With no more events than this, the journal lets go of some while others come.
pub(super) const FEW: usize = 12;

/// A window that ends only with the hub.
pub(super) const LONG: Duration = Duration::from_secs(3_600);

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.settings)?;
        for client in 0..CLIENTS {
            let (rooms, wanted) = self.settings.looks[client];
            let rooms = rooms.map(|room| ROOMS[room]);
            let (wanted, claims) = (WANTED[wanted], CLAIMS[self.settings.claims[client]]);
            writeln!(f, "  client {client}: {claims:?} in {rooms:?}, {wanted:?}")?;
        }
        let mut n = 0;
        for (at, step) in self.steps.iter().enumerate() {
            write!(f, "  {at}: ")?;
            match step {
                Step::Publish(events) => {
                    writeln!(f, "Publish")?;
                    for said in events {
                        n += 1;
                        writeln!(f, "       e{n} {said:?}")?;
                    }
                }
                Step::Join(client, room) => writeln!(f, "Join {client} {}", ROOMS[*room])?,
                Step::Leave(client, room) => writeln!(f, "Leave {client} {}", ROOMS[*room])?,
                Step::Want(client, wanted) => writeln!(f, "Want {client} {:?}", WANTED[*wanted])?,
                step => writeln!(f, "{step:?}")?,
            }
        }
        Ok(())
    }
}

fn said() -> impl Strategy<Value = Said> {
    let what = prop_oneof![3 => 0..13_usize, 1 => 0..WHATS.len()];
    let priority = prop_oneof![5 => Just(None), 1 => (0..4_u8).prop_map(Some)];
    (
        what,
        0..3_u8,
        0..2_u8,
        any::<bool>(),
        0..3_u8,
        prop::bool::weighted(0.7),
        priority,
        prop::bool::weighted(0.2),
    )
        .prop_map(
            |(what, project, who, both, fact, marked, priority, long)| Said {
                what: WHATS[what],
                project,
                who,
                both,
                fact,
                marked,
                priority,
                long,
            },
        )
}

/// Events that are mostly about the same things.
fn burst() -> impl Strategy<Value = Vec<Said>> {
    let several = prop::collection::vec(said(), 1..6);
    let alike = (
        said(),
        prop::collection::vec((0..3_u8, any::<bool>()), 2..8),
    );
    prop_oneof![
        several,
        alike.prop_map(|(first, facts)| {
            let like = |(fact, marked)| Said {
                fact,
                marked,
                ..first.clone()
            };
            facts.into_iter().map(like).collect()
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..CLIENTS;
    let comes = prop_oneof![
        6 => Just(Comes::Last),
        2 => Just(Comes::Kept),
        1 => Just(Comes::New),
        2 => Just(Comes::WithState),
        1 => Just(Comes::Foreign),
    ];
    prop_oneof![
        10 => burst().prop_map(Step::Publish),
        2 => (who(), 0..ROOMS.len()).prop_map(|(who, room)| Step::Join(who, room)),
        1 => (who(), 0..ROOMS.len()).prop_map(|(who, room)| Step::Leave(who, room)),
        2 => (who(), 0..WANTED.len()).prop_map(|(who, wanted)| Step::Want(who, wanted)),
        4 => (who(), 1..8_usize).prop_map(|(who, count)| Step::Read(who, count)),
        3 => who().prop_map(Step::CatchUp),
        1 => who().prop_map(Step::Leaves),
        4 => (who(), comes).prop_map(|(who, how)| Step::Comes(who, how)),
        1 => who().prop_map(Step::Resume),
        1 => who().prop_map(Step::Keep),
        2 => who().prop_map(Step::State),
        3 => Just(Step::Settle),
        1 => Just(Step::Save),
        1 => any::<[bool; 2]>().prop_map(|[orderly, reopened]| Step::Restart { orderly, reopened }),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let window = prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::from_millis(3)),
        Just(LONG)
    ];
    let lane = || prop_oneof![Just(2_000_usize), Just(6_000), Just(1 << 20)];
    let look = || {
        let first = prop_oneof![3 => Just(0_usize), 1 => 0..ROOMS.len()];
        let wanted = prop_oneof![1 => Just(0_usize), 1 => 0..WANTED.len()];
        ((first, 0..ROOMS.len()), wanted).prop_map(|((a, b), wanted)| ([a, b], wanted))
    };
    let claims = || prop_oneof![2 => Just(0_usize), 1 => 0..CLAIMS.len()];
    (
        (
            prop::bool::weighted(0.3),
            window,
            prop_oneof![Just(2_usize), Just(256)],
            [lane(), lane(), lane()],
            [claims(), claims(), claims()],
            [look(), look(), look()],
        ),
        (
            [
                Just(false).boxed(),
                Just(false).boxed(),
                prop::bool::weighted(0.3).boxed(),
            ],
            any::<bool>(),
            prop_oneof![Just(1_500_usize), Just(1 << 20)],
            prop_oneof![Just(600_usize), Just(1 << 20)],
            prop_oneof![4 => Just(10_000_usize), 1 => Just(FEW)],
        ),
    )
        .prop_map(
            |(
                (in_file, window, flush_max, lanes, claims, looks),
                (batch, in_memory, segment, snapshot_part, keeps),
            )| {
                // Of a journal in memory that forgets events, only a client that sees everything can be checked.
                let claims = match in_file || keeps > FEW {
                    true => claims,
                    false => [0; CLIENTS],
                };
                Settings {
                    in_file,
                    window,
                    flush_max,
                    lanes,
                    claims,
                    looks,
                    batch,
                    in_memory,
                    segment,
                    snapshot_part,
                    keeps,
                }
            },
        )
}

/// A round of up to so many steps.
pub(super) fn script(steps: usize) -> impl Strategy<Value = Script> {
    (settings(), prop::collection::vec(step(), 4..steps))
        .prop_map(|(settings, steps)| Script { settings, steps })
}
