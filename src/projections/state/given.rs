//! Facts that are the server's own: that an agent registered, the tasks that it was given, its calls of tools and models; who
//! asked a question, and what closed it.

/// Tasks of one agent that are kept for events of one audience.
pub(super) const MAX_TASKS: usize = 16;

/// Begins the keys of facts that are the server's own: no producer's field is taken under such a key.
pub(super) const OWN: char = '\u{1}';

/// The fact that an agent registered: it is idle as long as no event says its status.
pub(super) const REGISTERED: &str = "\u{1}registered";

/// The key of the fact that an agent was given a task of a project.
pub(super) fn given_key(project: Option<&str>, task: &str) -> String {
    format!("{OWN}{}{OWN}{task}", project.unwrap_or_default())
}

/// The project and the task of such a key.
pub(super) fn given_of(key: &str) -> Option<(Option<&str>, &str)> {
    let (project, task) = key.strip_prefix(OWN)?.split_once(OWN)?;
    Some(((!project.is_empty()).then_some(project), task))
}

/// The fact of a question that names the verified producer that asked it.
pub(super) const ASKED_BY: &str = "\u{1}asked_by";

/// The fact of a question that names the project in which its agent is at home.
pub(super) const ASKER_HOME: &str = "\u{1}home";

/// The fact of a question that names the event that closed it.
pub(super) const CLOSED_BY: &str = "\u{1}closed_by";

/// Follows [`OWN`] in the keys of calls; no project's name begins with it.
const CALL: char = '\u{2}';

/// The key of the fact that a call goes on.
pub(super) fn call_key(id: &str) -> String {
    format!("{OWN}{CALL}{}", id.replace(OWN, ""))
}

/// Whether a key is that of a call.
pub(super) fn is_call(key: &str) -> bool {
    let own = key.strip_prefix(OWN);
    own.is_some_and(|rest| rest.starts_with(CALL))
}

/// Follows [`OWN`] in the keys of calls of models.
const THOUGHT: char = '\u{3}';

/// The key of the fact that a call of a model goes on.
pub(super) fn thought_key(id: &str) -> String {
    format!("{OWN}{THOUGHT}{}", id.replace(OWN, ""))
}

/// Whether a key is that of a call of a model.
pub(super) fn is_thought(key: &str) -> bool {
    let own = key.strip_prefix(OWN);
    own.is_some_and(|rest| rest.starts_with(THOUGHT))
}
