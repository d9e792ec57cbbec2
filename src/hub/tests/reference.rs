//! The naive reference: the updates that one client has, those that are unsent, and those that must not come.
//!
//! Updates are counted as the witness gets them, who sees everything and always reads. So the test knows of each update
//! whether it was sent before a client changed what it wants, after that, or at about that time. Only in the last case
//! may it come or not.

use std::collections::{BTreeSet, HashMap};

use super::{
    events::{Claims, Event, Update},
    place::{Place, Standing},
    received::Contents,
    truth::Truth,
    wants::Look,
};

/// The wants of a client from one time on: surely not before the first number of updates, and surely after the second.
#[derive(Debug, Clone)]
struct Spell {
    from: (usize, usize),
    look: Look,
}

/// A client, as the reference knows it.
#[derive(Debug, Clone)]
pub(super) struct Account {
    claims: Claims,
    pub(super) had: HashMap<Update, u8>,
    standing: HashMap<Update, Standing>,
    spells: Vec<Spell>,
    /// The first spell that counts for what comes from now on.
    counts_from: usize,
    /// The times at which it was perhaps behind, as numbers of updates; updates sent then were judged by what it wanted
    /// then or later.
    behind: Vec<(usize, Option<usize>)>,
    pub(super) place: Place,
    /// The last event of each entity, and of each fact of it.
    newest: HashMap<String, u64>,
    /// The updates since it went back to a place while others were in flight: these may come twice.
    again: Option<HashMap<Update, u8>>,
    /// The updates that were sent when it asked for the snapshot that it was given last.
    asked: usize,
}

impl Account {
    pub(super) fn new(claims: Claims, look: Look) -> Self {
        Self {
            claims,
            had: HashMap::new(),
            standing: HashMap::new(),
            spells: vec![Spell { from: (0, 0), look }],
            counts_from: 0,
            behind: Vec::new(),
            place: Place::None,
            newest: HashMap::new(),
            again: None,
            asked: 0,
        }
    }

    pub(super) fn look(&self) -> &Look {
        &self.spells[self.spells.len() - 1].look
    }

    fn standing(&self, update: Update) -> Standing {
        self.standing
            .get(&update)
            .copied()
            .unwrap_or(Standing::Open)
    }

    fn has(&self, update: Update) -> bool {
        self.had.get(&update).is_some_and(|had| *had > 0)
    }

    /// Comes as a new client, when this many updates were sent. Before a snapshot it gets nothing.
    pub(super) fn come_anew(&mut self, truth: &Truth, when: (usize, usize), snapshot: bool) {
        let look = self.look().clone();
        *self = Self::new(self.claims, look);
        self.place = Place::Start;
        for (_, update) in truth.updates() {
            let standing = match truth.sent.get(&update) {
                Some(&at) if at <= when.0 => Standing::Closed,
                Some(&at) if at <= when.1 => Standing::Either,
                _ => Standing::Open,
            };
            self.standing.insert(update, standing);
        }
        if snapshot {
            self.place = Place::None;
            self.falls_behind(0);
            self.asked = when.0;
        }
    }

    /// Comes back with the cursor at which it left.
    pub(super) fn come_back(&mut self) {
        let look = self.look().clone();
        self.spells = vec![Spell { from: (0, 0), look }];
        self.counts_from = 0;
        self.behind = vec![(0, None)];
        self.place = Place::None;
    }

    /// Resumes its last cursor without having left.
    pub(super) fn go_back(&mut self, truth: &Truth) -> Result<(), String> {
        self.leave(truth)?;
        self.come_back();
        self.again = Some(HashMap::new());
        Ok(())
    }

    /// Changes what it wants, at some time between these. Returns the number of this spell.
    pub(super) fn look_otherwise(&mut self, from: (usize, usize), look: Look) -> usize {
        self.spells.push(Spell { from, look });
        self.spells.len() - 1
    }

    /// Has read all that was sent to it before this spell: what comes now goes by this one or a later one.
    pub(super) fn looks_by(&mut self, spell: usize) {
        self.counts_from = spell;
    }

    pub(super) fn falls_behind(&mut self, from: usize) {
        self.behind.push((from, None));
    }

    pub(super) fn is_up_to_date(&mut self, truth: &Truth) {
        self.behind
            .iter_mut()
            .for_each(|(_, to)| *to = to.or(Some(truth.count)));
        if self.again.take().is_some() {
            self.newest.clear();
        }
    }

    /// Whether it wanted an update when that was sent with this priority: surely, and perhaps.
    fn wanted(
        &self,
        truth: &Truth,
        (event, update): (&Event, Update),
        priority: u8,
        counts_from: usize,
    ) -> (bool, bool) {
        let Some(&sent) = truth.sent.get(&update) else {
            return (false, false);
        };
        let spans = self
            .behind
            .iter()
            .filter(|(from, to)| sent > *from && to.is_none_or(|to| sent <= to));
        let last = spans
            .map(|(_, to)| to.unwrap_or(truth.count) + 1)
            .max()
            .unwrap_or(sent);
        let mut verdicts = self.spells.iter().enumerate().filter_map(|(at, spell)| {
            let began = at == 0 || last > spell.from.0;
            let ended = self
                .spells
                .get(at + 1)
                .is_some_and(|next| sent > next.from.1);
            (began && !ended && at >= counts_from)
                .then(|| spell.look.admits(event, update.1, priority))
        });
        let first = verdicts.next().unwrap_or(false);
        verdicts.fold((first, first), |(surely, perhaps), now| {
            (surely && now, perhaps || now)
        })
    }

    /// The updates that it must have by now and has not.
    pub(super) fn missing(&self, truth: &Truth) -> Vec<Update> {
        let all = truth.updates();
        all.filter(|(event, update)| self.is_unsent(truth, event, *update))
            .map(|(_, update)| update)
            .collect()
    }

    fn is_unsent(&self, truth: &Truth, event: &Event, update: Update) -> bool {
        self.standing(update) == Standing::Open
            && !self.has(update)
            && event.is_for(self.claims)
            && self.wanted(truth, (event, update), event.priority(), 0).0
    }

    /// Takes an update. Returns the events in it.
    pub(super) fn take(
        &mut self,
        truth: &Truth,
        name: &str,
        contents: &Contents,
    ) -> Result<BTreeSet<Update>, String> {
        let last = truth.event(contents.last)?;
        let gives = last.gives().iter().find(|given| **given == name);
        let name = *gives.ok_or_else(|| format!("e{} gives no {name}", last.n))?;
        let coalesced = self.coalesced(truth, last, name, contents)?;
        if self.again.is_none() {
            self.keep_order(last, contents)?;
        }
        Ok(coalesced)
    }

    /// Checks that each of these may come now, and takes it.
    pub(super) fn accept(
        &mut self,
        truth: &Truth,
        coalesced: &BTreeSet<Update>,
    ) -> Result<(), String> {
        let (mut wanted, mut said) = (false, Vec::new());
        // An update is as urgent as the most urgent event in it, also where a snapshot says that one already.
        let events = coalesced.iter().filter_map(|(n, _)| truth.event(*n).ok());
        let priority = events.map(Event::priority).min().unwrap_or_default();
        for &update in coalesced {
            let event = truth.event(update.0)?;
            if !truth.sent.contains_key(&update) {
                return Err(format!("{update:?} comes before it is sent"));
            }
            if !event.is_for(self.claims) {
                return Err(format!("{update:?} is not for it"));
            }
            match self.standing(update) {
                Standing::Closed => {
                    return Err(format!("{update:?} comes though it lies before its place"));
                }
                Standing::InSnapshot => said.push(update),
                Standing::Open | Standing::Either => {
                    let counts_from = self.counts_from;
                    wanted |= self.wanted(truth, (event, update), priority, counts_from).1;
                }
            }
            self.count(update)?;
        }
        match (wanted, said.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => Err(format!("nothing of {coalesced:?} is wanted")),
            (false, false) => Err(format!("{said:?} is in the snapshot that it was given")),
        }
    }

    fn count(&mut self, update: Update) -> Result<(), String> {
        let had = self.had.entry(update).or_default();
        let since = self
            .again
            .as_mut()
            .map(|again| again.entry(update).or_default());
        let most = match &since {
            Some(1) => 2,
            _ => 1,
        };
        *had += 1;
        if let Some(since) = since {
            *since += 1;
        }
        if *had > most {
            return Err(format!("{update:?} comes twice"));
        }
        Ok(())
    }

    /// The events that are coalesced in an update: those whose own facts are there, and the newest others of the key that the
    /// client has not got, as many as the update says.
    fn coalesced(
        &self,
        truth: &Truth,
        last: &Event,
        name: &'static str,
        contents: &Contents,
    ) -> Result<BTreeSet<Update>, String> {
        let mut coalesced = BTreeSet::from([(last.n, name)]);
        for &n in &contents.marked {
            let event = truth.event(n)?;
            if n != last.n && (event.key().is_none() || event.key() != last.key()) {
                return Err(format!("e{n} and e{} are coalesced", last.n));
            }
            coalesced.insert((n, name));
        }
        // Most updates are of one event: nothing is looked for then.
        let lacks = coalesced.len() < contents.count;
        let all = truth.events.iter().rev().take_while(|_| lacks);
        let before = all.filter(|event| event.n < last.n);
        let shows =
            |event: &Event| event.said.marked && !event.replaces() && name != "agent_status_change";
        let alike = before
            .filter(|event| event.key().is_some() && event.key() == last.key() && !shows(event));
        for event in alike {
            let update = (event.n, name);
            if coalesced.len() >= contents.count {
                break;
            }
            // Of an event with two updates the other one may be the unsent one.
            if event.gives().len() == 1 && contents.leaves_out(event.n) {
                continue;
            }
            let again = self
                .again
                .as_ref()
                .is_some_and(|again| again.get(&update) == Some(&1));
            if (!self.has(update) || again) && self.standing(update) != Standing::Closed {
                coalesced.insert(update);
            }
        }
        if coalesced.len() != contents.count {
            return Err(format!(
                "{} events are said to be coalesced: {coalesced:?}",
                contents.count
            ));
        }
        let texts = coalesced.iter().map(|(n, _)| *n);
        match &contents.text {
            Some(text) if !texts.eq(text.iter().copied()) => {
                Err(format!("the texts {text:?} are of {coalesced:?}"))
            }
            _ => Ok(coalesced),
        }
    }

    /// Checks that the updates of a thing keep their order, and that no fact is said again after a newer one.
    fn keep_order(&mut self, last: &Event, contents: &Contents) -> Result<(), String> {
        let mut see = |what: String, n: u64| {
            let newest = self.newest.entry(what.clone()).or_default();
            if n < *newest {
                return Err(format!("of {what} comes e{n} after e{newest}"));
            }
            *newest = n;
            Ok(())
        };
        for entity in last.entities() {
            for (fact, n) in contents.facts.iter().filter(|_| last.has_facts()) {
                see(format!("{entity}.{fact}"), *n)?;
            }
            see(entity, last.n)?;
        }
        Ok(())
    }

    /// Takes the state up to this event: later events come again, and no others.
    /// `asked` updates were sent when it asked for it, if it did.
    pub(super) fn is_given_state(&mut self, truth: &Truth, to: u64, asked: Option<usize>) {
        self.asked = asked.unwrap_or(self.asked);
        for (_, update) in truth.updates() {
            if update.0 <= to {
                self.standing.insert(update, Standing::InSnapshot);
            } else {
                self.standing.insert(update, Standing::Open);
                self.had.remove(&update);
            }
        }
        self.place = Place::Snapshot;
        self.newest.clear();
    }

    /// Leaves, and may come back to its last place.
    pub(super) fn leave(&mut self, truth: &Truth) -> Result<(), String> {
        let is_again = self.again.is_some();
        for (event, update) in truth.updates() {
            let sent = truth.sent.get(&update).copied();
            let passed = match self.place {
                Place::Live(at) | Place::UpToDate(at) => sent.is_some_and(|sent| sent <= at),
                Place::None | Place::Start | Place::Missed | Place::Snapshot => false,
            };
            if passed && self.is_unsent(truth, event, update) {
                return Err(format!("{update:?} was lost, and lies before its place"));
            }
            let after = match (self.standing(update), self.place) {
                _ if passed => Standing::Closed,
                (standing, Place::None | Place::Snapshot) => standing,
                (Standing::InSnapshot, _) if sent.is_some_and(|sent| sent <= self.asked) => {
                    Standing::Closed
                }
                // The cursor of `resumed` is the client's own: it has what the snapshot says.
                (Standing::InSnapshot, Place::UpToDate(_)) => Standing::InSnapshot,
                // An update that was held when the snapshot was made may come after a later place.
                (Standing::InSnapshot, _) => Standing::Either,
                // The update was perhaps passed over while it was not wanted, or the client named a later place before
                // it went back.
                (Standing::Open, Place::Missed | Place::UpToDate(_))
                    if sent.is_some()
                        && !self.has(update)
                        && (is_again || !self.is_unsent(truth, event, update)) =>
                {
                    Standing::Either
                }
                (standing, _) => standing,
            };
            self.standing.insert(update, after);
        }
        for (update, count) in self.again.take().into_iter().flatten() {
            if count == 1 {
                self.had.remove(&update);
                self.standing.insert(update, Standing::Either);
                self.newest.clear();
            }
        }
        Ok(())
    }
}
