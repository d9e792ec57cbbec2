//! An invented team at work, for `stoa serve --demo`: a story without end in the events of a real producer.
//!
//! Six agents work through projects, one after the other: tasks with dependencies, progress, decisions, blockers,
//! streamed text, builds, health. The story has its own clock: a few **actors** (the planner, the agents, the builds,
//! the system's health) each have the time of their next turn, and the earliest goes first. Nothing here waits or does
//! I/O: [`Team::next_event`] gives the next event and the time to wait for it.
//!
//! Invariants: the story and its times follow from the seed alone. Only ids and timestamps differ from run to run, so
//! that a journal that outlives a restart never sees an id again. Within a task events keep their order (assigned,
//! started, progress, completed), a task begins after those it depends on, and an agent has one task at a time.
//!
//! Nothing here can fail.

mod build;
mod calls;
mod cast;
mod health;
mod job;
mod planner;
mod projects;
mod rng;
#[cfg(test)]
mod tests;
mod work;
mod world;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use build::Builds;
use cast::CAST;
use health::Health;
use planner::Planner;
use work::Worker;
use world::{Draft, Turn, World};

/// The slowest speed; a slower story would look broken.
const SLOWEST: f64 = 0.01;
/// The fastest speed; more would be a load test, which has a command of its own.
const FASTEST: f64 = 1_000.0;
/// The time of the first health report, after the team was introduced.
const FIRST_HEALTH_MS: u64 = 700;

/// An actor with turns.
#[derive(Debug)]
enum Actor {
    Planner(Planner),
    Worker(Worker),
    Builds(Builds),
    Health(Health),
}

impl Actor {
    fn turn(&mut self, now: u64, world: &mut World) -> Turn {
        match self {
            Self::Planner(planner) => planner.turn(now, world),
            Self::Worker(worker) => worker.turn(now, world),
            Self::Builds(builds) => builds.turn(world),
            Self::Health(health) => health.turn(world),
        }
    }
}

/// The team, and its place in the story.
#[derive(Debug)]
pub struct Team {
    /// The actors, each with the time of its next turn in milliseconds of the story.
    actors: Vec<(u64, Actor)>,
    /// The state that actors share.
    world: World,
    /// The time of the last event in milliseconds of the story: delays count from it.
    last: u64,
    /// Divides all delays.
    speed: f64,
}

/// A team at the beginning of its story. `speed` 1 gives two to six events per second, 2 twice as many; an unusable
/// number counts as 1.
pub fn team(seed: u64, speed: f64) -> Team {
    let mut actors = vec![(0, Actor::Planner(Planner::new()))];
    // The agents start at different times: six agents that act as one look like a machine.
    let starts = (0..).step_by(130).map(|ms: u64| 1_000 + ms);
    for (member, start) in CAST.iter().zip(starts) {
        actors.push((start, Actor::Worker(Worker::new(member))));
    }
    actors.push((FIRST_HEALTH_MS, Actor::Health(Health::new())));
    actors.push((FIRST_HEALTH_MS, Actor::Builds(Builds::new())));
    let speed = if speed.is_finite() && speed > 0.0 {
        speed.clamp(SLOWEST, FASTEST)
    } else {
        1.0
    };
    Team {
        actors,
        world: World::new(seed),
        last: 0,
        speed,
    }
}

impl Team {
    /// The time to wait after the previous event, and the event to publish then.
    pub fn next_event(&mut self) -> (Duration, Value) {
        loop {
            // Of two actors at the same time the first in the list goes first, so the order depends on the seed alone.
            let Some((due, actor)) = self.actors.iter_mut().min_by_key(|(due, _)| *due) else {
                // There are always actors, so this never runs.
                return (Duration::from_secs(1), envelope(&quiet(), Duration::ZERO));
            };
            let now = *due;
            let turn = actor.turn(now, &mut self.world);
            // The time moves on by at least a millisecond, or one actor could keep all others from their turns.
            *due = now + turn.again_in.max(1);
            if let Some(draft) = turn.draft {
                let wait = Duration::from_millis(now.saturating_sub(self.last));
                let wait = wait.div_f64(self.speed);
                self.last = now;
                return (wait, envelope(&draft, wait));
            }
        }
    }
}

fn quiet() -> Draft {
    Draft::new("system_idle", planner::SOURCE, json!({}))
}

/// The event as a producer publishes it after `wait`.
fn envelope(draft: &Draft, wait: Duration) -> Value {
    let now = Timestamp::now();
    let then = SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| now.checked_add(wait).ok());
    json!({
        "event_id": crate::event::mint_id().to_string(),
        "timestamp": format!("{:.6}", then.unwrap_or(now)),
        "event_type": draft.name,
        "source": draft.source,
        "data": draft.data,
        "metadata": {},
    })
}
