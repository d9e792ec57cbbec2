//! What members see of their rooms. Members with equal filters share a view: it is evaluated once for an update, however
//! many they are.

use std::{collections::HashMap, sync::Arc};

use slab::Slab;

use crate::{
    access::authz::{Filter, Permissions, Subject},
    channel::Namespace,
    event::Event,
    journal::Seq,
    update::{
        Planned,
        seneca::{ConversationFilter, conversation_fields},
    },
};

/// What a member sees of the rooms it is in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

impl<'a> Candidate<'a> {
    /// An update as it was planned.
    pub(crate) fn of(planned: &'a Planned, event: &'a Event, seq: Seq) -> Self {
        Self {
            subject: Subject {
                update: planned.kind.name(),
                folded: planned.kind.folded(),
                priority: planned.priority,
                event,
            },
            namespace: planned.kind.namespace(),
            seq,
        }
    }
}

impl View {
    /// About how many bytes of memory it holds beside itself.
    fn held(&self) -> usize {
        match self {
            Self::Filter(filter) => filter.held(),
            Self::Conversation(filter) => filter.held(),
        }
    }

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

/// All views that somebody has, each with what those who have it may see at all.
#[derive(Debug, Default)]
pub(super) struct Views {
    /// One for all members with equal outlooks.
    shared: Slab<Shared>,
    /// Finds an equal one: there can be as many as there are clients.
    numbers: HashMap<Arc<Outlook>, usize>,
    /// Bytes that all of them hold.
    held: usize,
}

/// What a member wants to see and what it may.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Outlook {
    /// What it wants.
    pub(super) view: View,
    /// What it may see at all.
    pub(super) permissions: Permissions,
}

impl Outlook {
    /// Whether one with it sees an update of its rooms.
    pub(super) fn admits(&self, update: &Candidate<'_>) -> bool {
        self.view.admits(update) && self.permissions.may_see(update.subject.event)
    }
}

#[derive(Debug)]
struct Shared {
    /// Shared with the segments of those who are behind.
    outlook: Arc<Outlook>,
    /// How many have it.
    members: usize,
    /// The update that `verdict` is about.
    ticket: u64,
    /// What was found for the update of `ticket`.
    verdict: bool,
}

impl Views {
    /// The number of an outlook, for one more that has it.
    pub(super) fn share(&mut self, outlook: Outlook) -> usize {
        if let Some(&at) = self.numbers.get(&outlook) {
            self.shared[at].members += 1;
            return at;
        }
        self.held += outlook.view.held();
        let outlook = Arc::new(outlook);
        let at = self.shared.insert(Shared {
            outlook: outlook.clone(),
            members: 1,
            ticket: 0,
            verdict: false,
        });
        self.numbers.insert(outlook, at);
        at
    }

    /// One fewer has it.
    pub(super) fn unshare(&mut self, at: usize) {
        self.shared[at].members -= 1;
        if self.shared[at].members == 0 {
            let gone = self.shared.remove(at);
            self.held -= gone.outlook.view.held();
            self.numbers.remove(&gone.outlook);
        }
    }

    /// About how many bytes of memory all filters hold.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// What one has that has this number.
    pub(super) fn outlook(&self, at: usize) -> &Arc<Outlook> {
        &self.shared[at].outlook
    }

    /// The verdict on an update, made once for all who share the view.
    pub(super) fn admits(&mut self, at: usize, ticket: u64, update: &Candidate<'_>) -> bool {
        let shared = &mut self.shared[at];
        if shared.ticket != ticket {
            shared.ticket = ticket;
            shared.verdict = shared.outlook.admits(update);
        }
        shared.verdict
    }

    /// Whether it lets through what has a name but no event behind it: it is gathered from everything, so only who sees
    /// everything may see it.
    pub(super) fn admits_name(&self, at: usize, name: &str) -> bool {
        let outlook = &self.shared[at].outlook;
        if !outlook.permissions.is_everything() {
            return false;
        }
        match &outlook.view {
            View::Filter(filter) => filter.admits_name(name),
            View::Conversation(_) => true,
        }
    }
}
