//! Random events, rules and claims.

use super::*;

/// Ids are few, so that things of one name meet, and some are odd.
pub(super) const PROJECTS: &[&str] = &["p1", "p2", "p/3", "50%", "a*"];
pub(super) const THINGS: &[&str] = &["x", "p1/x", "y%", "ann"];
pub(super) const USERS: &[&str] = &["ann", "bob", "a@b"];
pub(super) const ROOMS: &[&str] = &[
    "project:p1",
    "project:p/3",
    "project:p*",
    "task:x",
    "task:p1/x",
    "task:p1%2Fx",
    "run:*/x",
    "agent:x",
    "user:ann",
    "user:a@b",
    "job:50%25/y%25",
    "*",
];
pub(super) const JOINED: &[&str] = &[
    OBSERVERS,
    "project:p1",
    "task:x",
    "task:p1/x",
    "agent:x",
    "user:ann",
];

pub(super) fn some(names: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(prop::sample::select(names))
}

/// An event, and the projects of its producer's token if that names some.
pub(super) type Said = (Event, Option<Vec<&'static str>>);

pub(super) fn any_event() -> impl Strategy<Value = Said> {
    let things = (
        some(PROJECTS),
        some(THINGS),
        some(THINGS),
        some(THINGS),
        some(THINGS),
        some(THINGS),
        some(USERS),
        some(USERS),
        some(&["Website", "Shop"]),
        any::<bool>(),
    );
    let limits = prop::option::weighted(
        0.3,
        prop::collection::vec(prop::sample::select(PROJECTS), 1..3),
    );
    (things, limits).prop_map(|(things, limits)| {
        let (project, agent, task, execution, run, job, user, owner, name, of_project) = things;
        let data = json!({
            "project_id": project, "agent_id": agent, "task_id": task, "execution_id": execution,
            "run_id": run, "job_id": job, "user_id": user, "owner_id": owner, "project_name": name,
        });
        let data = data.as_object().cloned().unwrap_or_default();
        let data = data.into_iter().filter(|(_, id)| !id.is_null()).collect();
        // An event of these families may name its project by its name alone.
        let event = if of_project {
            "project.updated"
        } else {
            "task.progress"
        };
        (Event::new(EventName::new(event), data), limits)
    })
}

pub(super) fn any_rules() -> impl Strategy<Value = Rules> {
    let all = [
        Rule::All,
        Rule::Claim,
        Rule::Project,
        Rule::Owner,
        Rule::User,
    ];
    let any = move || prop::sample::select(all.to_vec());
    let project = prop_oneof![3 => Just(Rule::Claim), 1 => any()];
    let rules = (project, any(), any(), any(), any(), any(), any(), 1_u64..9);
    let odd = rules.prop_map(
        |(project, agent, task, execution, run, job, user, max_known)| Rules {
            project,
            agent,
            task,
            execution,
            run,
            job,
            user,
            max_known: max_known.try_into().unwrap(),
            ..Rules::default()
        },
    );
    prop_oneof![Just(Rules::default()), odd]
}

/// The claims of a token; `None` sees everything.
pub(super) type Claims = Option<(
    Option<&'static str>,
    Option<Vec<&'static str>>,
    Option<Vec<&'static str>>,
)>;

pub(super) fn any_claims() -> impl Strategy<Value = Claims> {
    let list = |names| prop::collection::vec(prop::sample::select(names), 0..3);
    let patterns = [PROJECTS, &["p*"]].concat();
    let projects = prop::collection::vec(prop::sample::select(patterns), 0..3);
    let claims = (
        some(USERS),
        prop::option::weighted(0.4, list(ROOMS)),
        prop::option::of(projects),
    );
    prop::option::weighted(0.9, claims)
}
