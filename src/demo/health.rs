//! The health of the system around the team: mostly good, now and then not, and good again soon after.

use serde_json::json;

use super::world::{Draft, Turn, World};

/// Who speaks for the system.
const SOURCE: &str = "monitor";

/// What can go wrong: severity, status, and what people read.
const TROUBLES: [[&str; 3]; 5] = [
    [
        "warning",
        "degraded",
        "The build queue is slow: four builds are waiting",
    ],
    [
        "warning",
        "degraded",
        "The shared test database answers slowly",
    ],
    [
        "warning",
        "degraded",
        "The model provider limits our requests",
    ],
    [
        "critical",
        "unhealthy",
        "The staging database does not answer",
    ],
    [
        "critical",
        "unhealthy",
        "The artifact store is out of space",
    ],
];

/// Watches the system.
#[derive(Debug)]
pub(super) struct Health {
    /// What was said last; nothing is said twice in a row.
    said: &'static str,
}

impl Health {
    /// Before the first report.
    pub(super) fn new() -> Self {
        Self { said: "" }
    }

    /// Looks, and reports what changed.
    pub(super) fn turn(&mut self, world: &mut World) -> Turn {
        let again_in = world.rng.between(9_000, 16_000);
        match self.said {
            "" => self.say(world, "info", "healthy", "All systems are well", again_in),
            "info" if world.blocked > 1 => self.say(
                world,
                "warning",
                "degraded",
                "Several agents are blocked",
                6_000,
            ),
            "info" => match world
                .rng
                .one_in(4)
                .then(|| world.rng.pick(&TROUBLES))
                .flatten()
            {
                // Trouble is short, so that a visitor sees how it ends.
                Some([severity, status, message]) => {
                    self.say(world, severity, status, message, 6_000)
                }
                None => Turn::wait(again_in),
            },
            _ => self.say(
                world,
                "info",
                "healthy",
                "All systems are well again",
                again_in,
            ),
        }
    }

    fn say(
        &mut self,
        world: &World,
        severity: &'static str,
        status: &str,
        message: &str,
        again_in: u64,
    ) -> Turn {
        self.said = severity;
        let data = json!({
            "severity": severity,
            "status": status,
            "message": message,
            "blocked_agents": world.blocked,
        });
        Turn::say(Draft::new("system.health.changed", SOURCE, data), again_in)
    }
}
