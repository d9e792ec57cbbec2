//! The meaning of a span by itself, without those around it.

use std::sync::Arc;

use serde_json::Value;

use super::{
    hex,
    interrupt::{self, Question},
    span::Span,
    table::{self, Fact, Kind},
};
use crate::translate::{Words, one_line, slug};

/// The project and the service of programs that name none.
const NAMELESS: &str = "default";
/// Bytes of what is remembered of any span: its place among others, its agent's and its task's.
const REMEMBERED: usize = 512;
/// The service that SDKs name where nobody did.
const UNKNOWN: &str = "unknown_service";

/// An agent as a span names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: Arc<str>,
    pub(super) name: String,
    pub(super) is_node: bool,
}

/// The end of an agent's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    Failed(Fault),
    /// It waits for answers to these questions.
    Asked(Arc<[Question]>),
}

/// An error in words, as far as texts are taken over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: Arc<str>,
    pub(super) kind: Option<Arc<str>>,
}

impl Ended {
    /// The bytes of its texts.
    fn held(&self) -> usize {
        match self {
            Self::Done => 0,
            Self::Failed(fault) => {
                fault.message.len() + fault.kind.as_ref().map_or(0, |kind| kind.len())
            }
            Self::Asked(questions) => {
                let ids = questions
                    .iter()
                    .map(|one| 2 * one.id.as_ref().map_or(64, String::len));
                let words = questions
                    .iter()
                    .map(|one| size_of::<Question>() + one.words.len());
                ids.chain(words).sum()
            }
        }
    }
}

/// The meaning of a span.
#[derive(Debug)]
pub(super) struct Meaning {
    /// The kind; none for a span that is only a link between others.
    pub(super) kind: Option<Kind>,
    pub(super) project: Arc<str>,
    pub(super) service: String,
    pub(super) source: Arc<str>,
    /// The agent that the span names itself.
    pub(super) agent: Option<Named>,
    /// The task of that agent, where the span names it: its own, or that of the node around it.
    pub(super) task: Option<Arc<str>>,
    pub(super) ended: Ended,
}

impl Meaning {
    /// About how many bytes a remembered span with this meaning holds.
    pub(super) fn held(&self) -> usize {
        let named = self
            .agent
            .as_ref()
            .map_or(0, |agent| agent.id.len() + agent.name.len());
        let task = self.task.as_ref().map_or(0, |task| 2 * task.len());
        REMEMBERED + self.project.len() + self.source.len() + named + task + self.ended.held()
    }

    /// The meaning; of its texts only what is ever told.
    pub(super) fn of(span: &Span, words: Words) -> Self {
        let metadata = metadata(span);
        let inner = |fact: Fact| inner(span, metadata.as_ref(), fact);
        let service = service(span);
        let project = span.text(Fact::Project).map(one_line);
        let project = project.filter(|project| !project.is_empty());
        let agent = |name: &str, is_node: bool| Named {
            id: slug(&format!("{service}:{name}")).into(),
            name: one_line(name),
            is_node,
        };
        let mut kind = kind(span);
        let mut named;
        let mut task = None;
        if let Some(node) = inner(Fact::Node) {
            let place = inner(Fact::NodePlace).unwrap_or_default();
            let outermost = place.split('|').next().unwrap_or_default();
            let around = outermost.split(':').next().filter(|name| !name.is_empty());
            let own = span.text(Fact::EntityName).unwrap_or(&span.name);
            let is_node = own == node && !place.contains('|') && is_work(kind);
            named = Some(agent(around.unwrap_or(&node), true));
            task = (!outermost.is_empty()).then(|| one_line(outermost).into());
            kind = match kind {
                Some(Kind::Agent | Kind::Chain) if is_node => Some(Kind::Agent),
                Some(Kind::Agent | Kind::Chain) => None,
                other => other,
            };
            // A graph's own start and end are no agents.
            if node.starts_with("__") {
                (kind, named, task) = (None, None, None);
            }
        } else {
            let said = span.text(Fact::AgentName).or(span.text(Fact::AgentId));
            let is_agent = matches!(kind, Some(Kind::Agent | Kind::NewAgent));
            let by_name = is_agent.then(|| bare(&span.name));
            named = said.or(by_name).map(|name| agent(name, false));
            if kind == Some(Kind::Chain) {
                kind = span.parent.is_none().then_some(Kind::Run);
            }
        }
        if kind == Some(Kind::Agent) && task.is_none() {
            task = Some(hex::span_text(span.key()).into());
        }
        Self {
            kind,
            project: project.unwrap_or_else(|| service.clone()).into(),
            source: one_line(span.text(Fact::Instance).unwrap_or(&service)).into(),
            service,
            agent: named,
            task,
            ended: ended(span, words),
        }
    }
}

fn is_work(kind: Option<Kind>) -> bool {
    matches!(kind, Some(Kind::Agent | Kind::Chain))
}

/// The name of the program.
fn service(span: &Span) -> String {
    let named = span.text(Fact::Service).map(one_line);
    let named = named.filter(|name| !name.is_empty() && !name.starts_with(UNKNOWN));
    named.unwrap_or_else(|| NAMELESS.into())
}

/// The kind, by the first convention that says one.
fn kind(span: &Span) -> Option<Kind> {
    if span.value(Fact::WorkflowNodes).is_some() {
        return Some(Kind::Run);
    }
    let facts = [Fact::Operation, Fact::InferenceKind, Fact::TraceloopKind];
    facts
        .into_iter()
        .find_map(|fact| table::kind(fact, span.text(fact)?))
}

/// The name of a span without the operation that it begins with.
pub(super) fn bare(name: &str) -> &str {
    let rest = ["invoke_agent ", "create_agent ", "execute_tool "]
        .iter()
        .find_map(|operation| name.strip_prefix(operation));
    rest.unwrap_or(name)
}

/// The object in the attribute `metadata`.
fn metadata(span: &Span) -> Option<Value> {
    match span.value(Fact::Metadata)? {
        Value::String(text) => serde_json::from_str(text).ok(),
        object => Some(object.clone()),
    }
}

/// A text that stands in an attribute or in the metadata.
fn inner(span: &Span, metadata: Option<&Value>, fact: Fact) -> Option<String> {
    let inside = table::keys(fact).iter().find_map(|key| {
        let key = key.strip_prefix("metadata.")?;
        metadata?.get(key)?.as_str()
    });
    let text = inside.or_else(|| span.text(fact))?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The session of a span.
pub(super) fn session(span: &Span) -> Option<String> {
    let session = inner(span, metadata(span).as_ref(), Fact::Session)?;
    Some(one_line(&session)).filter(|session| !session.is_empty())
}

fn ended(span: &Span, words: Words) -> Ended {
    let raised = span.exception.as_ref();
    let asked = interrupt::questions(&span.message).or_else(|| interrupt::questions(&raised?.1));
    if let Some(questions) = asked {
        let cut = questions.into_iter().map(|one| Question {
            words: words.cut(&one.words).unwrap_or_default(),
            ..one
        });
        return Ended::Asked(cut.collect());
    }
    if !span.failed {
        return Ended::Done;
    }
    let said = raised.map(|(_, message)| message.as_str());
    let message = said
        .filter(|message| !message.is_empty())
        .unwrap_or(&span.message);
    let kind = raised
        .map(|(kind, _)| kind.as_str())
        .filter(|kind| !kind.is_empty());
    let kind = span.text(Fact::ErrorType).or(kind);
    Ended::Failed(Fault {
        message: words.cut(message).unwrap_or_default().into(),
        kind: kind.map(|kind| one_line(kind.rsplit('.').next().unwrap_or(kind)).into()),
    })
}
