//! The two halves of the link, and how each does.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The halves of the link: each has a thread and a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Half {
    Publisher = 0,
    Subscriber = 1,
}

impl Half {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Subscriber => "subscriber",
        }
    }
}

/// The state of a half.
#[derive(Debug, Default)]
enum State {
    /// It has done nothing yet.
    #[default]
    Begins,
    /// Messages go, or come.
    Works,
    /// They don't: why. A connection that is made anew proves nothing, so this lasts until a message went, or came.
    Lost(String),
}

/// The states of both halves.
#[derive(Debug, Default)]
pub(super) struct Halves(Mutex<[State; 2]>);

impl Halves {
    /// A message went, or came; returns whether none did before.
    pub(super) fn works(&self, half: Half) -> bool {
        let before = std::mem::replace(&mut self.lock()[half as usize], State::Works);
        matches!(before, State::Lost(_))
    }

    /// None goes, or comes: why. Returns whether that is news.
    pub(super) fn lost(&self, half: Half, reason: String) -> bool {
        let before = std::mem::replace(&mut self.lock()[half as usize], State::Lost(reason));
        !matches!(before, State::Lost(_))
    }

    pub(super) fn is_lost(&self, half: Half) -> bool {
        matches!(self.lock()[half as usize], State::Lost(_))
    }

    /// Whether messages go and come.
    pub(super) fn all_work(&self) -> bool {
        let works = |state: &State| matches!(state, State::Works);
        self.lock().iter().all(works)
    }

    /// The reason why messages don't go, or don't come.
    pub(super) fn trouble(&self) -> Option<String> {
        let halves = self.lock();
        let lost = halves.iter().find_map(|state| match state {
            State::Lost(reason) => Some(reason.clone()),
            State::Begins | State::Works => None,
        });
        let begins = || halves.iter().any(|state| matches!(state, State::Begins));
        lost.or_else(|| begins().then(|| "the link with the other nodes is not made yet".into()))
    }

    fn lock(&self) -> MutexGuard<'_, [State; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_have_to_work_and_a_change_is_news_once() {
        let halves = Halves::default();
        assert!(!halves.all_work() && halves.trouble().is_some());
        assert!(!halves.works(Half::Publisher) && !halves.all_work());
        assert!(!halves.works(Half::Subscriber));
        assert!(halves.all_work() && halves.trouble().is_none());
        assert!(halves.lost(Half::Subscriber, "one".into()));
        assert!(!halves.lost(Half::Subscriber, "two".into()));
        assert!(halves.is_lost(Half::Subscriber) && !halves.is_lost(Half::Publisher));
        assert_eq!(halves.trouble().as_deref(), Some("two"));
        assert!(halves.works(Half::Subscriber) && halves.all_work());
    }
}
