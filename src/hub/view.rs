//! What members see of their rooms. Members with equal filters share a view: it is evaluated once for an update, however
//! many they are.

use std::sync::Arc;

use slab::Slab;

use crate::{
    access::{Filter, Subject},
    journal::Seq,
    seneca::{ConversationFilter, conversation_fields},
    update::Namespace,
};

/// What a member sees of the rooms it is in.
#[derive(Debug, Clone, PartialEq)]
pub enum View {
    /// By the contract's filter.
    Filter(Filter),
    /// By the filter of Seneca's conversation page.
    Conversation(ConversationFilter),
}

/// An update that looks for its audience.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    /// What filters look at.
    pub subject: Subject<'a>,
    /// Where it is sent.
    pub namespace: Namespace,
    /// The place of its last event.
    pub seq: Seq,
}

impl View {
    pub(super) fn admits(&self, update: &Candidate<'_>) -> bool {
        match self {
            Self::Filter(filter) => filter.is_empty() || filter.admits(&update.subject),
            // Thoughts are for everybody on the page, whatever lines it shows.
            Self::Conversation(_) if update.subject.update == "marcus_thinking" => true,
            Self::Conversation(filter) => conversation_fields(update.subject.event)
                .is_none_or(|conversation| filter.admits(&conversation)),
        }
    }
}

/// All views that somebody has.
#[derive(Debug, Default)]
pub(super) struct Views(Slab<Shared>);

#[derive(Debug)]
struct Shared {
    /// Shared with the stretches of those who are behind.
    view: Arc<View>,
    /// How many have it.
    members: usize,
    /// The update that `verdict` is about.
    ticket: u64,
    verdict: bool,
}

impl Views {
    /// The number of a view, for one more that has it.
    pub(super) fn share(&mut self, view: View) -> usize {
        let found = self.0.iter().find(|(_, shared)| *shared.view == view);
        if let Some((at, _)) = found {
            self.0[at].members += 1;
            return at;
        }
        self.0.insert(Shared {
            view: Arc::new(view),
            members: 1,
            ticket: 0,
            verdict: false,
        })
    }

    /// What a number stands for.
    pub(super) fn get(&self, at: usize) -> &Arc<View> {
        &self.0[at].view
    }

    /// One fewer has it.
    pub(super) fn unshare(&mut self, at: usize) {
        self.0[at].members -= 1;
        if self.0[at].members == 0 {
            self.0.remove(at);
        }
    }

    /// The verdict on an update, made once for all who share the view.
    pub(super) fn admits(&mut self, at: usize, ticket: u64, update: &Candidate<'_>) -> bool {
        let shared = &mut self.0[at];
        if shared.ticket != ticket {
            shared.ticket = ticket;
            shared.verdict = shared.view.admits(update);
        }
        shared.verdict
    }

    /// Whether it lets through what has a name but no event behind it.
    pub(super) fn admits_name(&self, at: usize, name: &str) -> bool {
        match &*self.0[at].view {
            View::Filter(filter) => filter.admits_name(name),
            View::Conversation(_) => true,
        }
    }
}
