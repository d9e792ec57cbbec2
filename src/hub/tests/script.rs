//! Random scripts, and how they are shown when one fails.

use std::{fmt, time::Duration};

use proptest::prelude::*;

use super::{
    events::{Said, WHATS, What},
    wants::{CLAIMS, ROOMS, WANTED},
};

/// The clients of most scripts.
const CLIENTS: usize = 3;
/// The clients of a script with a crowd: so many places that those who come back meet.
const CROWD: usize = 6;
/// The events of a flood: more than the hub gives a client from memory, and less than two grids of meeting places more.
pub(super) const FLOOD: usize = 330;

/// A step.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Events are published in one call.
    Publish(Vec<Said>),
    /// Many events are published in one call: these, over and over.
    Flood(Vec<Said>),
    /// A client joins a room by its number in [`ROOMS`].
    Join(usize, usize),
    /// A client leaves a room.
    Leave(usize, usize),
    /// A client wants something else, by its number in [`WANTED`].
    Want(usize, usize),
    /// A client takes some of what waits for it.
    Read(usize, usize),
    /// A client waits for a message and takes it; no random script has this, since none may come.
    Await(usize),
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
    /// A client asks for the state, whose parts are found already or not.
    State(usize, bool),
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
    pub(super) clients: usize,
    pub(super) in_file: bool,
    /// The time that updates of a key are held.
    pub(super) window: Duration,
    /// The most updates that one flush sends.
    pub(super) flush_max: usize,
    /// Bytes that may wait for each client.
    pub(super) lanes: [usize; CROWD],
    /// The identity of each client, by its number in [`CLAIMS`].
    pub(super) claims: [usize; CROWD],
    /// The rooms and the filter that each client has at first, by their numbers.
    pub(super) looks: [([usize; 2], usize); CROWD],
    pub(super) batch: [bool; CROWD],
    /// Whether each client is told when it wants something else.
    pub(super) tells: [bool; CROWD],
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
        for client in 0..self.settings.clients {
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
                Step::Flood(events) => {
                    writeln!(f, "Flood of e{} and {} more", n + 1, FLOOD - 1)?;
                    n += FLOOD;
                    for said in events {
                        writeln!(f, "       {said:?}")?;
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
        prop::bool::weighted(0.5),
    )
        .prop_map(
            |(what, project, who, both, fact, marked, priority, long, names_owner)| Said {
                what: WHATS[what],
                project,
                who,
                both,
                fact,
                marked,
                priority,
                long,
                names_owner,
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
        2 => (who(), any::<bool>()).prop_map(|(who, found)| Step::State(who, found)),
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
            prop::array::uniform6(lane()),
            prop::array::uniform6(claims()),
            prop::array::uniform6(look()),
        ),
        (
            prop::bool::weighted(0.3).prop_map(|last| [false, false, last, false, false, false]),
            any::<[bool; CROWD]>(),
            any::<bool>(),
            prop_oneof![Just(1_500_usize), Just(1 << 20)],
            prop_oneof![Just(600_usize), Just(1 << 20)],
            prop_oneof![4 => Just(10_000_usize), 1 => Just(FEW)],
        ),
    )
        .prop_map(
            |(
                (in_file, window, flush_max, lanes, claims, looks),
                (batch, tells, in_memory, segment, snapshot_part, keeps),
            )| {
                // Of a journal in memory that forgets events, only a client that sees everything can be checked.
                let claims = match in_file || keeps > FEW {
                    true => claims,
                    false => [0; CROWD],
                };
                Settings {
                    clients: CLIENTS,
                    in_file,
                    window,
                    flush_max,
                    lanes,
                    claims,
                    looks,
                    batch,
                    tells,
                    in_memory,
                    segment,
                    snapshot_part,
                    keeps,
                }
            },
        )
}

/// A client is away while much happens, and something else happens when it has just come back.
fn away() -> impl Strategy<Value = Vec<Step>> {
    let how = prop_oneof![4 => Just(Comes::Last), 1 => Just(Comes::Kept)];
    let missed = prop::collection::vec(burst(), 1..5);
    let then = prop::collection::vec(soon(), 1..4);
    (0..CLIENTS, any::<bool>(), missed, how, then).prop_map(|(who, stays, missed, how, then)| {
        let mut steps = vec![Step::CatchUp(who)];
        steps.extend((!stays).then_some(Step::Leaves(who)));
        steps.extend(missed.into_iter().map(Step::Publish));
        steps.extend((!stays).then_some(Step::Comes(who, how)));
        steps.extend(then.into_iter().map(|soon| soon.of(who)));
        steps.push(Step::CatchUp(who));
        steps
    })
}

/// The things that happen to a client that has just come back.
#[derive(Debug, Clone)]
enum Soon {
    Want(usize),
    Join(usize),
    State(bool),
    Read(usize),
    Publish(Vec<Said>),
    Resume,
    Comes,
}

impl Soon {
    fn of(self, who: usize) -> Step {
        match self {
            Self::Want(wanted) => Step::Want(who, wanted),
            Self::Join(room) => Step::Join(who, room),
            Self::State(found) => Step::State(who, found),
            Self::Read(count) => Step::Read(who, count),
            Self::Publish(events) => Step::Publish(events),
            Self::Resume => Step::Resume(who),
            Self::Comes => Step::Comes(who, Comes::Last),
        }
    }
}

fn soon() -> impl Strategy<Value = Soon> {
    prop_oneof![
        3 => (0..WANTED.len()).prop_map(Soon::Want),
        1 => (0..ROOMS.len()).prop_map(Soon::Join),
        2 => any::<bool>().prop_map(Soon::State),
        2 => (1..8_usize).prop_map(Soon::Read),
        2 => burst().prop_map(Soon::Publish),
        1 => Just(Soon::Resume),
        1 => Just(Soon::Comes),
    ]
}

/// Clients leave one after the other, each at another place, and come back when a flood is over. Some updates are perhaps
/// held meanwhile.
fn crowd(clients: usize) -> impl Strategy<Value = Vec<Step>> {
    let at_once = |mut said: Said| {
        said.priority = Some(0);
        said
    };
    // So many are coalesced in parts: of two updates with the same facts, one may come in more parts than the other. Of
    // refreshes nobody could say which are in a part.
    let said = said().prop_map(|mut said| {
        if matches!(said.what, What::AgentStatus | What::Refresh) {
            said.what = What::AgentRole;
        }
        said
    });
    let flood = prop::collection::vec(said, 1..4);
    let flood = (flood, prop::bool::weighted(0.7)).prop_map(move |(flood, urgent)| match urgent {
        true => flood.into_iter().map(at_once).collect(),
        false => flood,
    });
    let bursts = prop::collection::vec(burst(), clients);
    let then = prop::collection::vec(soon(), clients);
    (bursts, flood, burst(), then).prop_map(move |(bursts, flood, held, then)| {
        let mut steps = Vec::new();
        for (who, burst) in bursts.into_iter().enumerate() {
            steps.extend([Step::CatchUp(who), Step::Leaves(who), Step::Publish(burst)]);
        }
        steps.extend([Step::Flood(flood), Step::Publish(held)]);
        steps.extend((0..clients).map(|who| Step::Comes(who, Comes::Last)));
        steps.extend(then.into_iter().enumerate().map(|(who, then)| then.of(who)));
        steps.extend((0..clients).map(Step::CatchUp));
        steps
    })
}

/// A round of up to so many steps, and some more.
pub(super) fn script(steps: usize) -> impl Strategy<Value = Script> {
    let step = prop_oneof![
        40 => step().prop_map(|step| vec![step]),
        1 => away(),
    ];
    let many = prop_oneof![
        60 => Just((CLIENTS, Vec::new())),
        3 => crowd(1).prop_map(|steps| (CLIENTS, steps)),
        2 => crowd(CROWD).prop_map(|steps| (CROWD, steps)),
    ];
    (settings(), prop::collection::vec(step, 4..steps), many).prop_map(
        |(mut settings, steps, (clients, many))| {
            settings.clients = clients;
            let mut steps: Vec<Step> = steps.into_iter().flatten().collect();
            steps.extend(many);
            Script { settings, steps }
        },
    )
}
