//! The judgement of an event by the things that it names.

use super::{
    super::{audience::Context, reach::Needs, room_name::has_project},
    Scope,
};
use crate::event::{Candidates, ThingKind};

/// The findings on the things that an event names.
#[derive(Debug, Default)]
struct Judgement {
    /// The event names a thing at all.
    any: bool,
    /// The event names a thing whose kind has a rule.
    ruled: bool,
    /// The client may see one of the ruled things.
    granted: bool,
    /// The token names the room of one of the things.
    named: bool,
}

type Visit<'v, 't> = &'v mut dyn FnMut(&mut dyn FnMut(ThingKind, &'t str));

impl Scope {
    /// Whether the client may see what names these things.
    pub(super) fn sees<'t>(&self, context: &Context<'_>, things: Visit<'_, 't>) -> bool {
        let mut judgement = Judgement::default();
        if context.confined && !context.project.is_some_and(|p| self.may_see_project(p)) {
            // Only clients whose token names the room of this project's thing.
            things(&mut |kind, id| {
                let project = context.project.filter(|_| has_project(kind));
                judgement.granted |= project.is_some_and(|p| self.names_room(kind, Some(p), id));
            });
            return judgement.granted;
        }
        things(&mut |kind, id| self.judge(kind, id, context, &mut judgement));
        judgement.any |= context.is_of_some_project();
        if let Some(needs) = Needs::of_some_project(&self.policy.rules, context) {
            judgement.ruled = true;
            judgement.granted |= self.meets(&needs);
        }
        self.verdict(&judgement)
    }

    fn judge(&self, kind: ThingKind, id: &str, context: &Context<'_>, judgement: &mut Judgement) {
        judgement.any = true;
        if judgement.granted {
            return;
        }
        let home = context.home(kind);
        let named = (!context.confined && self.names_room(kind, None, id))
            || home
                .filter(|_| has_project(kind))
                .is_some_and(|home| self.names_room(kind, Some(home), id));
        judgement.named |= named;
        if kind == ThingKind::Session {
            judgement.ruled |= named;
            judgement.granted |= named;
        }
        if let Some(needs) = Needs::of(&self.policy.rules, kind, id, context) {
            judgement.ruled = true;
            judgement.granted = named || self.meets(&needs);
        }
    }

    fn verdict(&self, judgement: &Judgement) -> bool {
        if judgement.ruled {
            judgement.granted
        } else {
            !judgement.any || judgement.named || self.rooms.is_none()
        }
    }

    /// Whether the claims meet the needs of a rule.
    fn meets(&self, needs: &Needs<'_>) -> bool {
        match needs {
            Needs::Claim(project) => self.names_project(project),
            Needs::User(user) => self.user.as_deref() == Some(user),
            Needs::Project(project) => self.may_see_project(project),
            Needs::EachOf(candidates) => self.sees_all(candidates),
            Needs::TooMuch => false,
        }
    }

    /// Whether the client may see every project to which a thing may belong.
    fn sees_all(&self, candidates: &Candidates) -> bool {
        match candidates {
            Candidates::None => true,
            Candidates::These(projects) => projects.iter().all(|p| self.may_see_project(p)),
            Candidates::Unknown => false,
        }
    }
}
