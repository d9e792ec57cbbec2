//! The cost of users whom an update doesn't concern: the same deliveries, with ever more users connected.

use std::time::Duration;

use kit::bench::median;
use stoa::{
    access::authn::{Grant, Signer},
    config::{Config, Role},
};

use super::{
    load::{self, Asked, Found},
    measure,
};

const SECRET: &str = "a secret that only this benchmark knows";

/// The settings of a server that lets nobody in without a token.
pub(crate) fn guarded(config: &mut Config) {
    config.authentication.required = true;
    config.authentication.secret = SECRET.into();
    config.rate_limiting.enabled = stoa::config::Switch::Off;
}

/// Signs tokens.
pub(crate) struct Tokens(Signer);

impl Tokens {
    pub(crate) fn new() -> Self {
        let mut config = Config::default();
        guarded(&mut config);
        Self(Signer::with_secret(&config.authentication).expect("there is a secret"))
    }

    pub(crate) fn of(&self, role: Role, user: &str, project: Option<&str>) -> String {
        let grant = Grant {
            user: Some(user.into()),
            name: None,
            role,
            rooms: None,
            projects: project.map(|project| vec![project.to_owned()]),
            agents: None,
            ttl: Duration::from_secs(3_600),
        };
        self.0.sign(&grant).expect("it would be believed")
    }

    /// The token of one of so many users who are connected. The observers share the first of them, or all if they are
    /// fewer, and see the project of the load; each of the others sees a project of its own.
    pub(crate) fn nth(&self, nth: usize, users: usize, observers: usize) -> String {
        let user = format!("user-{}", nth % users);
        let own = format!("project-{nth}");
        let project = if nth < observers { load::PROJECT } else { &own };
        self.of(Role::Observer, &user, Some(project))
    }
}

/// Measures with each number of users, in turns.
pub(crate) fn compare(
    many: &[usize],
    observers: usize,
    seconds: usize,
    rounds: usize,
    pinned: bool,
) {
    let mut found: Vec<Vec<Found>> = many.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (users, found) in many.iter().zip(&mut found) {
            let asked = Asked {
                observers,
                seconds,
                users: Some(*users),
                ..Asked::default()
            };
            found.push(measure("guarded", asked, pinned));
        }
    }
    println!(
        "\n## 20 updates/s to {observers} observers while more and more users are connected, median of {rounds} rounds\n"
    );
    println!(
        "| users with a token | connections | deliveries | processor time of an update, ms | as many times | latency p50 / p99, ms | memory, MiB |\n|--:|--:|--:|--:|--:|--:|--:|"
    );
    let mut first = None;
    for (users, found) in many.iter().zip(&found) {
        let of = |value: &dyn Fn(&Found) -> f64| median(found.iter().map(value));
        let each = of(&|f| f.calm.cpu * 1e3 * observers as f64 / f.calm.deliveries.max(1) as f64);
        let first = *first.get_or_insert(each);
        println!(
            "| {users} | {} | {:.0} | {each:.2} | {:.2} | {:.1} / {:.1} | {:.0} |",
            observers.max(*users),
            of(&|f| f.calm.deliveries as f64),
            each / first,
            of(&|f| f.calm.p50),
            of(&|f| f.calm.p99),
            of(&|f| f.calm.rss / 1024.0),
        );
    }
}
