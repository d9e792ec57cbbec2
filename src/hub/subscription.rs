//! Subscriptions: the updates of their rooms that members want. Members with equal filters share one, which is
//! evaluated once for an update.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use slab::Slab;

use crate::{
    access::authz::{Filter, Subject},
    channel::Namespace,
    event::Event,
    journal::Seq,
    update::{
        Planned, event_rooms,
        seneca::{ConversationFilter, conversation_fields},
    },
};

/// The updates that a member wants of the rooms it is in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subscription {
    /// The contract's filter.
    Filter(Filter),
    /// The filter of Seneca's conversation page.
    Conversation(ConversationFilter),
    /// Kinds of updates and rooms: an update is wanted if it is of one of either.
    Channels(Channels),
}

/// The channels that a client chose. It is in the room of all observers for the sake of the kinds, so the rooms stand
/// here too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Channels {
    /// The updates of the chosen kinds.
    pub kinds: Filter,
    /// The updates that are wanted of a room.
    pub of_rooms: Filter,
    /// The names of the rooms.
    pub rooms: BTreeSet<String>,
}

impl Channels {
    /// Bytes of memory that a name of a room holds beside its text, about.
    const NAME_BYTES: usize = 40;

    fn held(&self) -> usize {
        let names = self.rooms.iter();
        let names: usize = names.map(|name| name.len() + Self::NAME_BYTES).sum();
        self.kinds.held() + self.of_rooms.held() + names
    }

    fn admits(&self, subject: &Subject<'_>) -> bool {
        self.kinds.admits(subject)
            || (self.of_rooms.admits(subject) && self.is_in_a_room(subject.event))
    }

    fn is_in_a_room(&self, event: &Event) -> bool {
        let mut found = false;
        event_rooms(event, &mut |room| found |= self.rooms.contains(room));
        found
    }
}

/// An update that looks for its audience.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    /// The fields that filters look at.
    pub subject: Subject<'a>,
    /// The namespace that it is sent on.
    pub namespace: Namespace,
    /// The place of its last event.
    pub seq: Seq,
}

impl<'a> Candidate<'a> {
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

impl Subscription {
    fn held(&self) -> usize {
        match self {
            Self::Filter(filter) => filter.held(),
            Self::Conversation(filter) => filter.held(),
            Self::Channels(channels) => channels.held(),
        }
    }

    /// Whether it lets an aggregate of this name through.
    pub(super) fn admits_name(&self, name: &str) -> bool {
        match self {
            Self::Filter(filter) => filter.admits_name(name),
            Self::Conversation(_) => true,
            Self::Channels(channels) => channels.of_rooms.admits_name(name),
        }
    }

    /// Whether it asks for an aggregate of this name.
    pub(super) fn asks_for(&self, name: &str) -> bool {
        match self {
            Self::Filter(filter) => filter.asks_for(name),
            Self::Conversation(_) | Self::Channels(_) => false,
        }
    }

    /// Whether it lets an update of any name through.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Filter(filter) => filter.is_empty(),
            Self::Conversation(_) => true,
            Self::Channels(_) => false,
        }
    }

    pub(super) fn admits(&self, update: &Candidate<'_>) -> bool {
        match self {
            Self::Filter(filter) => filter.is_empty() || filter.admits(&update.subject),
            Self::Channels(channels) => channels.admits(&update.subject),
            // Thoughts are for everybody on the page, whatever its filter.
            Self::Conversation(_) if update.subject.update == "marcus_thinking" => true,
            Self::Conversation(filter) => conversation_fields(update.subject.event)
                .is_none_or(|conversation| filter.admits(&conversation)),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// One entry for all members with equal filters.
    shared: Slab<Shared>,
    /// The entry of this filter: there can be as many as there are clients.
    numbers: HashMap<Arc<Subscription>, usize>,
    /// Bytes that all filters hold.
    held: usize,
}

#[derive(Debug)]
struct Shared {
    /// Shared with the segments of members that are behind.
    subscription: Arc<Subscription>,
    /// The members that have it.
    members: usize,
    /// The update that `verdict` is about.
    ticket: u64,
    verdict: bool,
}

impl Subscriptions {
    /// The number of a subscription, for the next member that has it.
    pub(super) fn share(&mut self, subscription: Subscription) -> usize {
        if let Some(&at) = self.numbers.get(&subscription) {
            self.shared[at].members += 1;
            return at;
        }
        self.held += subscription.held();
        let subscription = Arc::new(subscription);
        let at = self.shared.insert(Shared {
            subscription: subscription.clone(),
            members: 1,
            ticket: 0,
            verdict: false,
        });
        self.numbers.insert(subscription, at);
        at
    }

    /// Takes one member from the subscription of this number.
    pub(super) fn unshare(&mut self, at: usize) {
        self.shared[at].members -= 1;
        if self.shared[at].members == 0 {
            let gone = self.shared.remove(at);
            self.held -= gone.subscription.held();
            self.numbers.remove(&gone.subscription);
        }
    }

    /// About how many bytes of memory all filters hold.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn get(&self, at: usize) -> &Arc<Subscription> {
        &self.shared[at].subscription
    }

    /// The verdict on an update, made once for all members that share the subscription.
    pub(super) fn admits(&mut self, at: usize, ticket: u64, update: &Candidate<'_>) -> bool {
        let shared = &mut self.shared[at];
        if shared.ticket != ticket {
            shared.ticket = ticket;
            shared.verdict = shared.subscription.admits(update);
        }
        shared.verdict
    }
}
