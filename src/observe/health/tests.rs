use proptest::prelude::*;

use super::*;

/// The figures of a server that is well and at work.
fn well() -> Vitals {
    Vitals {
        latency_ms: Some((4.0, 9.0)),
        within_budget: [(1_000, 1.0); 4],
        success: (1_000, 1.0),
        connections: (10, 1_000),
        behind: (0, 10),
        hub_lag: (3, 20_000),
        journal_bytes: (1, 100),
        state_bytes: (1, 100),
        reconnections: (1_000, Some(0.0)),
        ..Vitals::default()
    }
}

fn codes(vitals: &Vitals) -> Vec<&'static str> {
    let issues = judge(vitals).issues;
    issues.iter().map(|issue| issue.code).collect()
}

#[test]
fn a_server_that_is_well_has_no_issues_and_the_best_grades() {
    for vitals in [
        well(),
        Vitals {
            success: (0, 1.0),
            ..Vitals::default()
        },
    ] {
        let health = judge(&vitals);
        assert_eq!((health.score, health.status()), (100, "healthy"));
        assert!(health.issues.is_empty(), "{:?}", health.issues);
        for (figure, grade) in health.grades.as_object().expect("grades") {
            assert_eq!(grade["grade"], "excellent", "{figure}");
        }
    }
}

#[test]
fn each_figure_that_is_bad_is_an_issue_that_says_what_helps() {
    let open = |is_half_open| OpenBreaker {
        name: "jwks".into(),
        is_half_open,
    };
    type Case = (&'static str, fn(&mut Vitals));
    let cases: [Case; 14] = [
        ("high_latency", |v| v.latency_ms = Some((400.0, 501.0))),
        ("over_budget", |v| v.within_budget[0] = (1_000, 0.98)),
        ("low_success_rate", |v| v.success.1 = 0.94),
        ("near_connection_limit", |v| v.connections = (901, 1_000)),
        ("observers_behind", |v| v.behind = (2, 10)),
        ("hub_lag", |v| v.hub_lag = (10_001, 20_000)),
        ("journal_trouble", |v| {
            v.journal_trouble = Some("the disk is full".into());
        }),
        ("journal_damaged", |v| v.journal_damaged = 1),
        ("journal_nearly_full", |v| v.journal_bytes = (91, 100)),
        ("state_nearly_full", |v| v.state_bytes = (91, 100)),
        ("keys_stale", |v| v.keys = Keys::Stale),
        ("keys_missing", |v| v.keys = Keys::Missing),
        ("degraded", |v| v.degradation = (1, "larger_batches".into())),
        ("many_reconnections", |v| {
            v.reconnections = (1_000, Some(0.16));
        }),
    ];
    for (code, spoil) in cases {
        let mut vitals = well();
        spoil(&mut vitals);
        assert_eq!(codes(&vitals), [code]);
        let health = judge(&vitals);
        assert_eq!(health.score, 100 - health.issues[0].points, "{code}");
        let sentence = &health.sentences()[0];
        assert!(sentence.contains("; "), "{sentence}");
    }
    for (half, code) in [(false, "breaker_open"), (true, "breaker_half_open")] {
        let vitals = Vitals {
            breakers: vec![open(half)],
            ..well()
        };
        assert_eq!(codes(&vitals), [code]);
    }
}

#[test]
fn the_worst_comes_first_and_nothing_is_below_zero() {
    let vitals = Vitals {
        journal_trouble: Some("the disk is full".into()),
        keys: Keys::Missing,
        success: (1_000, 0.1),
        state_bytes: (100, 100),
        ..well()
    };
    let health = judge(&vitals);
    assert_eq!((health.score, health.status()), (0, "critical"));
    assert_eq!(codes(&vitals)[0], "journal_trouble");
    assert_eq!(codes(&vitals)[3], "state_nearly_full");
}

#[test]
fn few_attempts_say_nothing() {
    let vitals = Vitals {
        success: (19, 0.0),
        within_budget: [(19, 0.0); 4],
        reconnections: (19, Some(1.0)),
        ..well()
    };
    assert_eq!(judge(&vitals).score, 100);
}

#[test]
fn grades_are_those_of_the_guide() {
    let graded = |latency: f64, success: f64, again: f64, open: u64| {
        let vitals = Vitals {
            latency_ms: Some((latency, latency)),
            success: (1_000, success),
            reconnections: (1_000, Some(again)),
            connections: (open, 100),
            ..well()
        };
        let grades = judge(&vitals).grades;
        [
            "message_latency",
            "connection_success",
            "reconnection_rate",
            "concurrent_users",
        ]
        .map(|figure| {
            grades[figure]["grade"]
                .as_str()
                .expect("a grade")
                .to_owned()
        })
    };
    assert_eq!(graded(99.0, 0.991, 0.049, 79), ["excellent"; 4]);
    assert_eq!(graded(100.0, 0.99, 0.05, 80), ["good"; 4]);
    assert_eq!(graded(500.0, 0.95, 0.15, 90), ["good"; 4]);
    assert_eq!(graded(501.0, 0.949, 0.151, 91), ["needs_attention"; 4]);
}

/// Figures from good to bad: each number is a step of one of them.
fn vitals(bad: &[u16; 15]) -> Vitals {
    let part = |at: usize| f64::from(bad[at]) / 1_000.0;
    let of_thousand = |at: usize| (u64::from(bad[at]), 1_000);
    Vitals {
        latency_ms: Some((part(0) * 2_000.0, part(0) * 3_000.0)),
        within_budget: [0, 1, 2, 3].map(|level| (1_000, 1.0 - part(1 + level))),
        success: (1_000, 1.0 - part(5)),
        connections: of_thousand(6),
        behind: of_thousand(7),
        hub_lag: of_thousand(8),
        journal_trouble: (bad[9] > 500).then(|| "it is".into()),
        journal_damaged: u64::from(bad[10]),
        journal_bytes: of_thousand(11),
        state_bytes: of_thousand(12),
        keys: match bad[9] {
            0..300 => Keys::Good,
            300..600 => Keys::Stale,
            _ => Keys::Missing,
        },
        breakers: (0..bad[13] / 200)
            .map(|at| OpenBreaker {
                name: at.to_string(),
                is_half_open: bad[13].is_multiple_of(2) && bad[13] < 900,
            })
            .collect(),
        degradation: (u8::try_from(bad[14] / 300).unwrap_or(3), "named".into()),
        reconnections: (1_000, Some(part(10))),
    }
}

proptest! {
    #[test]
    fn a_worse_figure_never_gives_a_better_score(
        bad in prop::array::uniform15(0_u16..=1_000),
        which in 0_usize..13,
        more in 0_u16..=1_000,
    ) {
        let mut worse = bad;
        worse[which] = worse[which].saturating_add(more).min(1_000);
        let (before, after) = (judge(&vitals(&bad)), judge(&vitals(&worse)));
        prop_assert!(before.score <= 100 && after.score <= before.score, "{before:?} {after:?}");
        let mut degraded = bad;
        degraded[14] = degraded[14].saturating_add(more).min(1_000);
        prop_assert!(judge(&vitals(&degraded)).score <= before.score);
        let mut broken = vitals(&bad);
        broken.breakers.push(OpenBreaker { name: "one more".into(), is_half_open: true });
        let one_more = judge(&broken).score;
        broken.breakers.iter_mut().for_each(|breaker| breaker.is_half_open = false);
        prop_assert!(one_more <= before.score && judge(&broken).score <= one_more);
    }
}
