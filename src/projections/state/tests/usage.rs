//! Calls of models that go on, and the sums of their tokens and costs: whichever order, whoever looks.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn tell(state: &mut State, kind: &str, data: &Value) {
    let at = "2026-01-02T03:04:05.678Z";
    state.apply(&event(
        json!({ "type": kind, "project_id": "p", "timestamp": at, "data": data }),
    ));
}

fn call(state: &mut State, kind: &str, id: &str, task: &str) {
    tell(
        state,
        kind,
        &json!({ "call_id": id, "model": "small-1", "agent_id": "a", "task_id": task }),
    );
}

fn open(state: &State) -> Vec<String> {
    let agent = json_of(state, None)["agents"]["a"].take();
    let calls = agent["thinking"].as_array().cloned().unwrap_or_default();
    let ids = calls.iter().map(|call| call["call_id"].as_str());
    ids.map(|id| id.unwrap().to_owned()).collect()
}

#[test]
fn a_model_is_asked_until_it_answers_its_task_ends_or_its_agent_leaves() {
    let mut state = fresh(at_most(100));
    call(&mut state, "llm.started", "c1", "t1");
    let agent = json_of(&state, None)["agents"]["a"].take();
    assert_eq!(
        agent["thinking"],
        json!([{ "call_id": "c1", "model": "small-1", "task_id": "t1", "started_at": "2026-01-02T03:04:05.678Z" }])
    );
    call(&mut state, "llm.started", "c2", "t1");
    call(&mut state, "llm.started", "c3", "t2");
    call(&mut state, "llm.failed", "c1", "t1");
    assert_eq!(open(&state), ["c2", "c3"]);
    // The sum of a run's calls ends none of them.
    tell(
        &mut state,
        "llm.completed",
        &json!({ "call_id": "c3", "agent_id": "a", "total": true }),
    );
    let again = State::from_checkpoint(&state.to_checkpoint(), &Limits::default()).unwrap();
    assert_eq!(open(&again), ["c2", "c3"]);
    let done = json!({ "task_id": "t1", "agent_id": "a" });
    tell(&mut state, "task.completed", &done);
    assert_eq!(open(&state), ["c3"]);
    let left = json!({ "agent_id": "a", "thinking": 7 });
    tell(&mut state, "agent.unregistered", &left);
    let agent = json_of(&state, None)["agents"]["a"].take();
    assert!(agent.get("thinking").is_none(), "{agent}");
}

#[test]
fn open_calls_models_and_wrong_numbers_are_bounded_and_counted() {
    let limits = Limits {
        max_model_calls: 2,
        max_models: 2,
        ..Limits::default()
    };
    let mut state = fresh(limits);
    for id in ["c1", "c2", "c3"] {
        call(&mut state, "llm.started", id, "t1");
    }
    assert_eq!((open(&state).len(), state.dropped().model_calls), (2, 1));
    for model in ["m1", "m2", "m3", "m1", "m4"] {
        let said = json!({ "agent_id": "a", "model": model, "input_tokens": 10, "output_tokens": -1, "usage": { "cost_usd": "0.25" } });
        tell(&mut state, "llm.completed", &said);
    }
    let usage = json_of(&state, None)["agents"]["a"]["usage"].take();
    let of = |model: &str| usage["by_model"][model]["calls"].clone();
    assert_eq!(
        (of("m1"), of("m2"), of("other")),
        (json!(2), json!(1), json!(2))
    );
    assert_eq!(
        (
            &usage["calls"],
            &usage["input_tokens"],
            &usage["output_tokens"],
            &usage["cost_usd"]
        ),
        (&json!(5), &json!(50), &json!(0), &json!(1.25))
    );
    // Of the agent's sum and of the project's; a wrong number is one, however many sums it would be in.
    assert_eq!((state.dropped().models, state.dropped().numbers), (4, 5));
}

#[test]
fn sums_of_calls_are_kept_beside_the_sums() {
    let mut state = fresh(at_most(100));
    let total =
        json!({ "agent_id": "a", "run_id": "r", "model": "m", "input_tokens": 30, "total": true });
    tell(&mut state, "llm.completed", &total);
    let single = json!({ "agent_id": "a", "run_id": "r", "model": "m", "input_tokens": 10 });
    tell(&mut state, "llm.completed", &single);
    tell(
        &mut state,
        "agent.run.completed",
        &json!({ "run_id": "r", "usage": { "input_tokens": 99 } }),
    );
    let now = json_of(&state, None);
    for usage in [
        &now["agents"]["a"]["usage"],
        &now["runs"]["r"]["usage"],
        &now["projects"]["p"]["usage"],
    ] {
        assert_eq!(
            (
                &usage["input_tokens"],
                &usage["calls"],
                &usage["totals"]["input_tokens"]
            ),
            (&json!(10), &json!(1), &json!(30)),
            "{now}"
        );
    }
}

#[test]
fn the_usage_of_a_run_waits_for_it_and_goes_with_it_into_its_project() {
    let mut state = fresh(at_most(100));
    let used = json!({ "run_id": "r", "output_tokens": 4 });
    state.apply(&event(json!({ "type": "llm.completed", "data": used })));
    assert_eq!(json_of(&state, None)["runs"], json!({}));
    state.apply(&event(
        json!({ "type": "agent.run.started", "data": { "run_id": "r" } }),
    ));
    assert_eq!(
        json_of(&state, None)["runs"]["r"]["usage"]["output_tokens"],
        4
    );
    // Now the run is of a project.
    tell(&mut state, "agent.run.progress", &json!({ "run_id": "r" }));
    tell(&mut state, "llm.completed", &used);
    let run = json_of(&state, None)["runs"]["r"].take();
    assert_eq!(
        (&run["project_id"], &run["usage"]["output_tokens"]),
        (&json!("p"), &json!(8)),
        "{run}"
    );
    // A workflow's run is an execution; its model calls name it as a run.
    tell(
        &mut state,
        "workflow.run.started",
        &json!({ "run_id": "w" }),
    );
    tell(
        &mut state,
        "llm.completed",
        &json!({ "run_id": "w", "output_tokens": 1 }),
    );
    assert_eq!(json_of(&state, None)["runs"]["w"]["usage"]["calls"], 1);
}

/// One end of a call, by numbers.
#[derive(Debug, Clone)]
struct Said {
    project: Option<u8>,
    agent: u8,
    run: Option<u8>,
    owner: Option<u8>,
    model: u8,
    tokens: u16,
    is_total: bool,
}

impl Said {
    fn event(&self) -> Value {
        // The agents and runs of no project are none of a project's.
        let of = if self.project.is_some() { "" } else { "alone-" };
        let mut data = json!({
            "agent_id": format!("{of}a{}", self.agent), "model": format!("m{}", self.model),
            "input_tokens": self.tokens, "cost_usd": f64::from(self.tokens) / 1_000.0,
        });
        if let Some(run) = self.run {
            data["run_id"] = format!("{of}r{run}").into();
        }
        if let Some(owner) = self.owner {
            data["user_id"] = format!("u{owner}").into();
        }
        if self.is_total {
            data["total"] = true.into();
        }
        let mut event = json!({ "type": "llm.completed", "data": data });
        if let Some(project) = self.project {
            event["project_id"] = format!("p{project}").into();
        }
        event
    }
}

fn said() -> impl Strategy<Value = Said> {
    let parts = (
        proptest::option::weighted(0.9, 0_u8..2),
        0_u8..3,
        proptest::option::of(0_u8..1),
        proptest::option::of(0_u8..2),
        0_u8..3,
        any::<u16>(),
        proptest::bool::weighted(0.2),
    );
    parts.prop_map(
        |(project, agent, run, owner, model, tokens, is_total)| Said {
            project,
            agent,
            run,
            owner,
            model,
            tokens,
            is_total,
        },
    )
}

type Naive = BTreeMap<(String, String), (u64, u64)>;

/// Calls and tokens of each agent and project, in the snapshot.
fn shown(snapshot: &Value) -> Naive {
    let mut shown = Naive::new();
    for kind in ["agents", "projects"] {
        for (name, thing) in snapshot[kind].as_object().unwrap() {
            let id = thing["id"].as_str().unwrap_or(name);
            let of = |key: &str| thing["usage"][key].as_u64().unwrap_or_default();
            let sum = shown.entry((kind.to_owned(), id.to_owned())).or_default();
            *sum = (sum.0 + of("calls"), sum.1 + of("input_tokens"));
        }
    }
    shown.retain(|_, sum| sum.0 > 0);
    shown
}

/// The same, added up over the events that a client may see.
fn naive(events: &[Event], permissions: &Permissions) -> Naive {
    let mut sums = Naive::new();
    let singles = events
        .iter()
        .filter(|event| event.data.get("total").is_none());
    for event in singles.filter(|event| permissions.may_see(event)) {
        let tokens = event.data["input_tokens"].as_u64().unwrap();
        let project = event.project_id.as_deref();
        for (kind, id) in [("agents", event.agent_id()), ("projects", project)] {
            if let Some(id) = id {
                let sum = sums.entry((kind.to_owned(), id.to_owned())).or_default();
                *sum = (sum.0 + 1, sum.1 + tokens);
            }
        }
    }
    sums
}

fn client(projects: &[&str], user: &str) -> Permissions {
    let policy = Policy {
        rules: Rules::default(),
        ledger: Ledger::new(10).into(),
    };
    let projects = projects.iter().map(ToString::to_string).collect();
    Permissions::new(Some(user.into()), None, Some(projects), policy.into()).unwrap()
}

/// The usage of each thing. Which of two namesakes is named by its project depends on the order.
fn usages(state: &State) -> BTreeMap<String, Value> {
    let now = json_of(state, None);
    let things = ["agents", "projects"].map(|kind| (kind, now[kind].as_object().unwrap().values()));
    let named = things.into_iter().flat_map(|(kind, things)| {
        things.map(move |thing| {
            let name = format!("{kind} {} of {}", thing["id"], thing["project_id"]);
            (name, thing["usage"].clone())
        })
    });
    named.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// A client sees the sum of the calls that it may see, and nobody else's; in any order, over a restart at any place.
    #[test]
    fn a_sum_is_that_of_what_the_client_sees(said in proptest::collection::vec(said(), 1..40), cut in 0_usize..40, seed in any::<u64>()) {
        let mut state = fresh(at_most(1_000));
        let events: Vec<Event> = said.iter().map(|said| event(said.event())).collect();
        for (at, event) in events.iter().enumerate() {
            if at == cut {
                state = State::from_checkpoint(&state.to_checkpoint(), &Limits::default()).unwrap();
            }
            state.apply(event);
        }
        for permissions in [Permissions::everything(), client(&["p0"], "nobody"), client(&["p0", "p1"], "nobody"), client(&["p1"], "u0")] {
            let snapshot = state.snapshot("c", Timestamp::now(), None, &permissions);
            let snapshot: Value = serde_json::from_str(&snapshot).unwrap();
            let (mut found, mut expected) = (shown(&snapshot), naive(&events, &permissions));
            // A project is shown to those who see it; its part to nobody who sees only a run of it.
            let is_known = |key: &(String, String)| snapshot[&key.0].as_object().unwrap().values().any(|thing| thing["id"] == key.1.as_str());
            expected.retain(|key, _| is_known(key));
            found.retain(|key, _| is_known(key));
            prop_assert_eq!(found, expected);
        }
        // The same events in another order, as they were settled.
        let mut shuffled = events.clone();
        let mut seed = seed;
        for at in (1..shuffled.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(at, usize::try_from(seed >> 33).unwrap() % (at + 1));
        }
        let mut other = State::new(at_most(1_000));
        shuffled.iter().for_each(|event| other.apply(event));
        prop_assert_eq!(usages(&state), usages(&other));
    }
}
