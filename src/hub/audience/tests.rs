//! The index finds the same members as a look at everybody.

mod any;

use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;
use serde_json::json;

use any::*;

use super::*;
use crate::{
    access::authz::{Filter, OBSERVERS, Permissions, Policy, Reach, Subject},
    channel::Namespace,
    config::{Recipients, Rule, Rules},
    delivery::{Outgoing, Reclaimed},
    event::{Event, EventName, Object, Priority, ThingKind},
    hub::{JoinRequest, Outlet, Subscription, testing},
    ledger::{Ledger, Speaker},
    update::event_rooms,
};

/// A way to nobody.
#[derive(Debug)]
struct Nowhere;

impl Outlet for Nowhere {
    fn send(&self, _update: &Outgoing) -> bool {
        true
    }

    fn send_exempt(&self, _update: &Outgoing) {}

    fn flush(&self) {}

    fn has_room(&self) -> bool {
        true
    }

    fn waiting(&self) -> usize {
        0
    }

    fn reclaim(&self, _keeps: &dyn Fn(&str) -> bool) -> Option<Reclaimed> {
        None
    }

    fn settle(&self) {}
}

fn request(permissions: Permissions, subscription: Subscription) -> JoinRequest {
    JoinRequest {
        subscription,
        permissions,
        ..testing::request(Arc::new(Nowhere), "c")
    }
}

fn candidate(event: &Event) -> Candidate<'_> {
    Candidate {
        subject: Subject {
            update: "task_update",
            folded: "task.update",
            priority: Priority::Normal,
            event,
        },
        namespace: Namespace::Root,
        seq: 1,
    }
}

fn permissions(claims: &Claims, policy: &Arc<Policy>) -> Permissions {
    let Some((user, rooms, projects)) = claims else {
        return Permissions::everything();
    };
    let owned = |names: &Vec<&str>| names.iter().map(ToString::to_string).collect();
    let (rooms, projects) = (rooms.as_ref().map(owned), projects.as_ref().map(owned));
    Permissions::new(user.map(Into::into), rooms, projects, policy.clone()).unwrap()
}

fn policy(rules: Rules) -> Arc<Policy> {
    let ledger = Ledger::new(rules.max_known.into()).into();
    Arc::new(Policy { rules, ledger })
}

/// Settles an event as it is accepted; `None` if its producer may not say it.
fn settle(policy: &Policy, (event, limits): &Said) -> Option<Event> {
    let (mut event, producer) = (event.clone(), "somebody".into());
    let within = |project: &str| limits.iter().flatten().any(|p| *p == project);
    let speaker = Speaker {
        producer: &producer,
        projects: limits.is_some().then_some(&within),
    };
    policy.ledger.settle(&mut event, speaker).ok()?;
    Some(event)
}

fn subscription(filter: u8) -> Subscription {
    let filter = match filter {
        0 => json!({ "projects": ["p1"] }),
        1 => json!({ "agents": ["x"] }),
        _ => json!({}),
    };
    Subscription::Filter(Filter::parse(&filter).unwrap())
}

#[derive(Debug, Clone)]
enum Step {
    Comes(Claims, u8),
    Goes(usize),
    Joins(usize, &'static str),
    Leaves(usize, &'static str),
    Listens(usize, bool),
    /// Shows another token.
    Authenticates(usize, Claims),
    Filters(usize, u8),
    Happens(Box<Said>, bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    let (who, room) = (0..64_usize, prop::sample::select(JOINED));
    prop_oneof![
        2 => (any_claims(), 0..8_u8).prop_map(|(claims, filter)| Step::Comes(claims, filter)),
        1 => who.clone().prop_map(Step::Goes),
        2 => (who.clone(), room.clone()).prop_map(|(who, room)| Step::Joins(who, room)),
        1 => (who.clone(), room).prop_map(|(who, room)| Step::Leaves(who, room)),
        1 => (who.clone(), any::<bool>()).prop_map(|(who, on)| Step::Listens(who, on)),
        2 => (who.clone(), any_claims()).prop_map(|(who, claims)| Step::Authenticates(who, claims)),
        1 => (who, 0..8_u8).prop_map(|(who, filter)| Step::Filters(who, filter)),
        8 => (any_event(), prop::bool::weighted(0.2)).prop_map(|(said, topic)| Step::Happens(said.into(), topic)),
    ]
}

/// A member, as the test knows it beside the roster.
struct Known {
    id: MemberId,
    permissions: Permissions,
    subscription: Subscription,
    rooms: BTreeSet<&'static str>,
    listens: bool,
}

/// The roster, and a plain list of the members that the test holds against it.
struct Both {
    roster: Roster,
    known: Vec<Known>,
}

impl Both {
    fn comes(&mut self, permissions: Permissions, subscription: Subscription) {
        let id = self
            .roster
            .add(request(permissions.clone(), subscription.clone()));
        self.roster.join(id, OBSERVERS);
        let rooms = BTreeSet::from([OBSERVERS]);
        self.known.push(Known {
            id,
            permissions,
            subscription,
            rooms,
            listens: false,
        });
    }

    /// The members that get an update by the index, and by a look at each member.
    fn who_gets(&mut self, event: &Event, topic: bool) -> [Vec<MemberId>; 2] {
        let (update, mut found, mut rooms) = (candidate(event), Vec::new(), BTreeSet::new());
        self.roster.next_update();
        if topic {
            self.roster.on_topic(Topic::Metrics, &update, &mut found);
        } else {
            event_rooms(event, &mut |room| {
                self.roster.in_room(room, &update, &mut found);
                rooms.insert(room.to_owned());
            });
        }
        let gets = |known: &&Known| {
            let reached = match topic {
                true => known.listens,
                false => known.rooms.iter().any(|room| rooms.contains(*room)),
            };
            reached && known.subscription.admits(&update) && known.permissions.may_see(event)
        };
        let naive = self.known.iter().filter(gets).map(|known| known.id);
        let mut both = [found, naive.collect()];
        both.iter_mut().for_each(|ids| ids.sort_unstable());
        both
    }

    /// Does a step, and holds the index against a look at each member.
    fn step(&mut self, step: &Step, policy: &Arc<Policy>) -> Result<(), TestCaseError> {
        let many = self.known.len().max(1);
        let of = |who: usize| who % many;
        match step {
            Step::Comes(claims, filter) => {
                self.comes(permissions(claims, policy), subscription(*filter));
            }
            Step::Goes(who) if !self.known.is_empty() => {
                let known = self.known.swap_remove(of(*who));
                prop_assert!(self.roster.remove(known.id).is_some());
            }
            Step::Happens(said, topic) => {
                // A room that is looked through again, and nobody changed, is asked by groups.
                for event in settle(policy, said).iter().cycle().take(LOOKS) {
                    let [found, naive] = self.who_gets(event, *topic);
                    prop_assert_eq!(found, naive, "{:?}", event);
                }
            }
            Step::Joins(who, _)
            | Step::Leaves(who, _)
            | Step::Listens(who, _)
            | Step::Authenticates(who, _)
            | Step::Filters(who, _) => {
                if let Some(known) = self.known.get_mut(of(*who)) {
                    change(&mut self.roster, known, step, policy);
                }
            }
            Step::Goes(_) => {}
        }
        Ok(())
    }
}

fn change(roster: &mut Roster, known: &mut Known, step: &Step, policy: &Arc<Policy>) {
    match step {
        Step::Joins(_, room) => {
            roster.join(known.id, room);
            known.rooms.insert(room);
        }
        Step::Leaves(_, room) => {
            roster.leave(known.id, room);
            known.rooms.remove(room);
        }
        Step::Listens(_, on) => {
            roster.listen(known.id, Topic::Metrics, *on);
            known.listens = *on;
        }
        Step::Authenticates(_, claims) => {
            known.permissions = permissions(claims, policy);
            roster.set_permissions(known.id, known.permissions.clone());
        }
        Step::Filters(_, filter) => {
            known.subscription = subscription(*filter);
            roster.set_subscription(known.id, known.subscription.clone());
        }
        Step::Comes(..) | Step::Goes(_) | Step::Happens(..) => {}
    }
}

/// Looks at each event: the second and third find groups.
const LOOKS: usize = 3;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_index_finds_whom_a_look_at_everybody_finds(
        rules in any_rules(),
        first in prop::collection::vec(any_claims(), 20..40),
        steps in prop::collection::vec(any_step(), 1..80),
    ) {
        let policy = policy(rules);
        let roster = Roster::new(false, Recipients::Nobody);
        let mut both = Both { roster, known: Vec::new() };
        for claims in &first {
            both.comes(permissions(claims, &policy), subscription(9));
        }
        for step in &steps {
            both.step(step, &policy)?;
        }
        for known in both.known {
            both.roster.remove(known.id);
        }
        prop_assert_eq!(both.roster.permissions.len(), 0);
    }

    #[test]
    fn whoever_sees_an_event_has_one_of_its_keys(
        rules in any_rules(),
        claims in any_claims(),
        said in prop::collection::vec(any_event(), 1..24),
    ) {
        let policy = policy(rules);
        let permissions = permissions(&claims, &policy);
        let Some(own) = permissions.keys() else { return Ok(()) };
        for event in said.iter().filter_map(|said| settle(&policy, said)) {
            let reached = match policy.reach(&event) {
                Reach::Everybody => true,
                Reach::Keys(keys) => keys.iter().any(|key| own.contains(key)),
            };
            prop_assert!(reached || !permissions.may_see(&event), "{:?} {:?}", own, event);
        }
    }
}

/// The number of members looked at for an update of a project that 20 of so many users may see.
fn looked_at(users: usize) -> usize {
    let policy = policy(Rules::default());
    let mut roster = Roster::new(false, Recipients::Nobody);
    for n in 0..users {
        let (user, project) = (format!("u{n}"), if n < 20 { "mine" } else { "others" });
        let projects = Some(vec![project.to_owned()]);
        let permissions =
            Permissions::new(Some(user.into()), None, projects, policy.clone()).unwrap();
        let id = roster.add(request(permissions, subscription(9)));
        roster.join(id, OBSERVERS);
    }
    let data = json!({ "project_id": "mine", "task_id": "t" });
    let data = data.as_object().cloned().unwrap_or_default();
    let said = (Event::new(EventName::new("task.progress"), data), None);
    let event = settle(&policy, &said).unwrap();
    assert_eq!(event.home(ThingKind::Task), Some("mine"));
    let (mut found, mut looked_at) = (Vec::new(), 0);
    roster.next_update();
    event_rooms(&event, &mut |room| {
        looked_at += roster.in_room(room, &candidate(&event), &mut found);
    });
    assert_eq!(found.len(), 20);
    looked_at
}

#[test]
fn users_who_may_not_see_an_update_are_not_looked_at() {
    assert_eq!(looked_at(20), 20);
    assert_eq!(looked_at(500), 20);
    assert_eq!(looked_at(5_000), 20);
}

/// A room whose members do not change is asked once for all that see the same, and as soon as one changes it counts.
#[test]
fn an_update_asks_groups_and_not_their_members() {
    let policy = policy(Rules::default());
    let mut roster = Roster::new(false, Recipients::Nobody);
    let everything = || Permissions::new(None, None, None, policy.clone()).unwrap();
    let ids: Vec<_> = (0..1_000)
        .map(|_| {
            let id = roster.add(request(everything(), subscription(9)));
            roster.join(id, OBSERVERS);
            id
        })
        .collect();
    let event = settle(
        &policy,
        &(
            Event::new(EventName::new("task.progress"), Object::new()),
            None,
        ),
    );
    let event = event.unwrap();
    let look = |roster: &mut Roster| {
        let mut found = Vec::new();
        roster.next_update();
        let looked_at = roster.in_room(OBSERVERS, &candidate(&event), &mut found);
        (looked_at, found.len())
    };
    assert_eq!(look(&mut roster), (1_000, 1_000));
    assert_eq!(look(&mut roster), (1, 1_000));
    roster.leave(ids[7], OBSERVERS);
    assert_eq!(look(&mut roster), (999, 999));
    assert_eq!(look(&mut roster), (1, 999));
    // One that was given everything up to this event by a snapshot is told nothing twice.
    let since = candidate(&event).seq;
    roster.get_mut(ids[8]).unwrap().since = since;
    assert_eq!(look(&mut roster), (999, 998));
    assert_eq!(look(&mut roster), (999, 998));
}
