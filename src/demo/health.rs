//! The health of the system around the team: mostly good, now and then not, and good again soon after.

use serde_json::json;

use super::world::{Draft, Turn, World};

/// The source of health events.
const SOURCE: &str = "monitor";

/// The troubles: severity, status, and a text for people.
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
    /// The last report, since none is repeated.
    said: &'static str,
}

impl Health {
    /// The health before the first report.
    pub(super) fn new() -> Self {
        Self { said: "" }
    }

    /// Reports a change, if there is one.
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
                // Trouble is short, so that a visitor sees its end.
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
