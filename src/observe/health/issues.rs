//! The issues: each looks at its figures, and says what is the matter and what helps.

use super::{
    issue::{Issue, issue},
    vitals::{Keys, MIN_COUNT, NEAR_LIMIT, OpenBreaker, Vitals, share},
};

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

pub(super) fn latency(vitals: &Vitals) -> Option<Issue> {
    let (_, p95) = vitals.latency_ms?;
    let points = match p95 {
        p95 if p95 > 1_000.0 => 30,
        p95 if p95 > 500.0 => 15,
        _ => return None,
    };
    let message =
        format!("5 % of the updates of the last minute took more than {p95:.0} ms to a socket");
    let action = "see hub_busy_seconds_total and the processor: with one of them at its end spread the load, else look for slow disks";
    Some(issue("high_latency", points, message, action).of(p95, 500.0))
}

pub(super) fn over_budget(vitals: &Vitals) -> impl Iterator<Item = Issue> {
    const POINTS: [(&str, u8); 4] = [("critical", 10), ("high", 8), ("normal", 5), ("low", 3)];
    let late = vitals.within_budget.into_iter().zip(POINTS);
    let late = late.filter(|((count, within), _)| *count >= MIN_COUNT && *within < 0.99);
    late.map(|((_, within), (priority, points))| {
        let share = percent(1.0 - within);
        let message =
            format!("{share} of the updates of priority {priority} came over their budget");
        let action = "publish less at a time, or raise [pace] level_shares of that priority";
        issue("over_budget", points, message, action).of(within, 0.99)
    })
}

pub(super) fn success(vitals: &Vitals) -> Option<Issue> {
    let (attempts, rate) = vitals.success;
    let points = match rate {
        _ if attempts < MIN_COUNT => return None,
        rate if rate < 0.8 => 30,
        rate if rate < 0.95 => 15,
        _ => return None,
    };
    let message = format!(
        "the server failed at {} of {attempts} publishes, connects and requests of the last minute",
        percent(1.0 - rate)
    );
    let action =
        "requests_refused_total and events_rejected_total in /metrics say why, by door and code";
    Some(issue("low_success_rate", points, message, action).of(rate, 0.95))
}

pub(super) fn connections(vitals: &Vitals) -> Option<Issue> {
    let (open, most) = vitals.connections;
    let used = share(vitals.connections);
    let points = match used {
        used if used >= 1.0 => 30,
        used if used > NEAR_LIMIT => 15,
        _ => return None,
    };
    let message = format!("{open} of {most} connections are open");
    let action = "raise [server] max_connections (and ulimit -n), or find out who holds them at /api/v1/admin/connections";
    Some(issue("near_connection_limit", points, message, action).of(open as f64, most as f64))
}

pub(super) fn behind(vitals: &Vitals) -> Option<Issue> {
    let (behind, all) = vitals.behind;
    let points = match share(vitals.behind) {
        part if part > 0.5 => 15,
        part if part > 0.1 => 5,
        _ => return None,
    };
    let message = format!("{behind} of {all} observers are behind and being caught up");
    let action = "nothing is lost for them; if it lasts, their networks are slow or the server is: see observers_parked_total";
    Some(issue("observers_behind", points, message, action).of(behind as f64, all as f64))
}

pub(super) fn hub_lag(vitals: &Vitals) -> Option<Issue> {
    let (lag, most) = vitals.hub_lag;
    let points = match share(vitals.hub_lag) {
        part if part >= 1.0 => 30,
        part if part > 0.5 => 15,
        _ => return None,
    };
    let message = format!("{lag} accepted events are not sent yet; from {most} on producers wait");
    let action = "producers publish more than can be sent: slow them down, or look for the one that floods ([pace] producer_backlog)";
    Some(issue("hub_lag", points, message, action).of(lag as f64, most as f64))
}

pub(super) fn trouble(vitals: &Vitals) -> Option<Issue> {
    let trouble = vitals.journal_trouble.as_ref()?;
    let message = format!("no event can be kept now: {trouble}");
    let action =
        "free the disk or mend the path of [journal]; producers are told to publish again later";
    Some(issue("journal_trouble", 60, message, action))
}

pub(super) fn damage(vitals: &Vitals) -> Option<Issue> {
    let damaged = vitals.journal_damaged;
    let message = format!("{damaged} events of the journal can't be read and are passed over");
    let action = "stop the server and run `stoa repair`";
    (damaged > 0).then(|| issue("journal_damaged", 10, message, action).of(damaged as f64, 0.0))
}

pub(super) fn journal_bytes(vitals: &Vitals) -> Option<Issue> {
    let (used, most) = vitals.journal_bytes;
    let part = share(vitals.journal_bytes);
    let message = format!("the journal fills {} of what it may", percent(part));
    let action = "its oldest events are let go of from here on; raise [journal] max_bytes (in memory memory_bytes) to keep more";
    (part > NEAR_LIMIT)
        .then(|| issue("journal_nearly_full", 3, message, action).of(used as f64, most as f64))
}

pub(super) fn state_bytes(vitals: &Vitals) -> Option<Issue> {
    let (used, most) = vitals.state_bytes;
    let part = share(vitals.state_bytes);
    let message = format!("the state fills {} of what it may", percent(part));
    let action = "its oldest entities are forgotten from here on; raise [performance] max_state_bytes to keep more";
    (part > NEAR_LIMIT)
        .then(|| issue("state_nearly_full", 5, message, action).of(used as f64, most as f64))
}

pub(super) fn keys(vitals: &Vitals) -> Option<Issue> {
    let (code, points, message) = match vitals.keys {
        Keys::Good => return None,
        Keys::Stale => (
            "keys_stale",
            10,
            "the identity provider's keys could not be fetched again",
        ),
        Keys::Missing => (
            "keys_missing",
            30,
            "the identity provider's keys never came: its tokens are refused",
        ),
    };
    let action = "the log says why: check [authentication] jwks_url and the way to it";
    Some(issue(code, points, message, action))
}

pub(super) fn breaker(open: &OpenBreaker) -> Issue {
    let name = &open.name;
    match open.is_half_open {
        true => issue(
            "breaker_half_open",
            10,
            format!("the part {name} failed and is being tried again"),
            "nothing is to be done if it succeeds; else the log says why it failed",
        ),
        false => issue(
            "breaker_open",
            20,
            format!("the part {name} failed too often and is left alone for a while"),
            "the log says why it failed; it is tried again by itself",
        ),
    }
}

pub(super) fn degradation(vitals: &Vitals) -> Option<Issue> {
    let (step, name) = &vitals.degradation;
    let points = match step {
        0 => return None,
        1 => 11,
        2 => 20,
        _ => 35,
    };
    let message = format!("the server sheds load: step {step}, {name}");
    let action =
        "it goes back by itself once the load falls; publish less of low priority meanwhile";
    Some(issue("degraded", points, message, action).of(f64::from(*step), 0.0))
}

pub(super) fn reconnections(vitals: &Vitals) -> Option<Issue> {
    let (sessions, rate) = vitals.reconnections;
    let rate = rate.filter(|_| sessions >= MIN_COUNT)?;
    let message = format!(
        "{} of the clients came back soon after they had lost their connection",
        percent(rate)
    );
    let action = "look for proxies that cut connections, and at connections_killed_total";
    (rate > 0.15).then(|| issue("many_reconnections", 8, message, action).of(rate, 0.15))
}
