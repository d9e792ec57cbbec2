//! An admin's decisions as fields of a hash: who or what it is about, and the decision itself.

use std::collections::HashMap;

use crate::decision::{Ban, Decision, Decisions, Revocation};

/// The field of a decision, and its text; none where the decision takes one back.
pub(super) fn field(decision: &Decision) -> (String, Option<String>) {
    let name = |kind: &str, of: Result<String, serde_json::Error>| {
        format!("{kind} {}", of.unwrap_or_default())
    };
    match decision {
        Decision::Ban(ban) => (
            name("ban", serde_json::to_string(&ban.who)),
            serde_json::to_string(ban).ok(),
        ),
        Decision::Lift(who) => (name("ban", serde_json::to_string(who)), None),
        Decision::Revoke(revocation) => (
            name("revocation", serde_json::to_string(&revocation.what)),
            serde_json::to_string(revocation).ok(),
        ),
        Decision::Forgive(what) => (name("revocation", serde_json::to_string(what)), None),
    }
}

/// The fields of all decisions that hold.
pub(super) fn fields(decisions: &Decisions) -> impl Iterator<Item = (String, String)> {
    let bans = decisions.bans.iter().cloned().map(Decision::Ban);
    let revocations = decisions.revocations.iter().cloned();
    let all = bans.chain(revocations.map(Decision::Revoke));
    all.filter_map(|decision| {
        let (name, text) = field(&decision);
        Some((name, text?))
    })
}

/// Whether these decisions are among those that hold, or undone by a later one of them.
pub(super) fn hold(known: &Decisions, made: &[Decision]) -> bool {
    let known: HashMap<String, String> = fields(known).collect();
    let made: HashMap<String, Option<String>> = made.iter().map(field).collect();
    made.iter()
        .all(|(name, text)| known.get(name) == text.as_ref())
}

/// All decisions that the fields tell.
///
/// # Errors
/// One makes no sense: that is no reason to believe the others, since somebody would come in who is kept out.
pub(super) fn read(fields: HashMap<String, String>) -> Result<Decisions, String> {
    let mut all = Decisions::default();
    for (name, text) in fields {
        let senseless = |error: serde_json::Error| format!("{name:?} makes no sense: {error}");
        if name.starts_with("ban ") {
            all.bans
                .push(serde_json::from_str::<Ban>(&text).map_err(senseless)?);
        } else {
            let revocation = serde_json::from_str::<Revocation>(&text);
            all.revocations.push(revocation.map_err(senseless)?);
        }
    }
    Ok(all)
}
