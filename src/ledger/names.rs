//! The names and boards of projects: an event may name its project by these alone.
//!
//! A person chooses a name, so several projects may have the same one: then it stands for none of them alone. A board
//! belongs to one project. But the event that announces a project doesn't name its board: the first event that names
//! the board beside the project's name shows that they belong together.
//!
//! Only unlimited producers count: a limited one gives no name, takes none, and makes none ambiguous.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Bytes of a project's name; longer ones are not remembered.
const MAX_NAME: usize = 256;
/// Projects of one name; further ones are not remembered.
const MAX_SAME: usize = 16;
/// About how many bytes of memory a name or a board holds beside its texts.
const ENTRY: usize = 240;
/// Bytes of a board's id; longer ones are not remembered.
const MAX_BOARD: usize = 256;

/// The bounds of the names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// Projects, and names that were given up.
    pub(super) projects: usize,
    /// Bytes of memory.
    pub(super) bytes: usize,
}

/// The name and the board of each project, as an event last said them.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The projects of each name, in the order of their ids. A name without a project was given up: it belongs to no
    /// project for certain.
    called: HashMap<Arc<str>, Called>,
    /// The project of each board; some have the same id.
    boards: HashMap<Arc<str>, Arc<str>>,
    /// The name and the board, by project.
    of: HashMap<Arc<str>, Goes>,
    /// The number of names that were given up.
    given_up: usize,
    held: usize,
}

#[derive(Debug, Default)]
struct Called {
    known: SmallVec<[Arc<str>; 1]>,
    /// Whether there are further ones.
    more: bool,
}

#[derive(Debug, Default)]
struct Goes {
    name: Option<Arc<str>>,
    board: Option<Arc<str>>,
}

/// The project that an event means by its board and name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// This project.
    One(Arc<str>),
    /// One of these, if the flag says that there are no others; otherwise any project.
    Among(bool, SmallVec<[Arc<str>; 2]>),
}

/// One project: its id, its name, its board.
type Row = (Arc<str>, Option<Arc<str>>, Option<Arc<str>>);

/// The names as they are saved.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Saved {
    projects: Vec<Row>,
    /// Names that further projects have.
    crowded: Vec<Arc<str>>,
    given_up: Vec<Arc<str>>,
}

impl Names {
    /// Finds the project that has a board and a name. `known` tells whether things are known in a project of this id.
    /// `lacks` says that some names are forgotten: an unknown name may then be any project's.
    pub(super) fn find(
        &self,
        (board, name): (Option<&str>, Option<&str>),
        known: impl Fn(&str) -> bool,
        lacks: bool,
    ) -> Option<Means> {
        let called = name.and_then(|name| self.called.get(name));
        let Some(board) = board else {
            let Some(called) = called else {
                let unsure = name.is_some_and(|name| lacks || name.len() > MAX_NAME);
                return unsure.then(|| Means::Among(false, SmallVec::new()));
            };
            return Some(match (&called.known[..], called.more) {
                ([one], false) => Means::One(one.clone()),
                (known, more) => Means::Among(!more && !known.is_empty(), known.into()),
            });
        };
        let own = || Some(Means::One(board.into()));
        if self.of.contains_key(board) {
            return own();
        }
        if let Some(project) = self.boards.get(board) {
            return Some(Means::One(project.clone()));
        }
        let called = called.filter(|called| !called.more && !known(board));
        // Projects with another board aren't meant.
        let boardless =
            |project: &&Arc<str>| self.of.get(*project).is_none_or(|of| of.board.is_none());
        let meant = called.into_iter().flat_map(|called| &called.known);
        let meant: SmallVec<[Arc<str>; 2]> = meant.filter(boardless).cloned().collect();
        match &meant[..] {
            [] => own(),
            [one] => Some(Means::One(one.clone())),
            _ => Some(Means::Among(true, meant)),
        }
    }

    /// Notes the name and the board of a project, which gives up its former ones. Returns the bound for which something
    /// was forgotten.
    pub(super) fn note(
        &mut self,
        project: &Arc<str>,
        (board, name): (Option<&str>, Option<&str>),
        most: Most,
        lacks: bool,
    ) -> Option<&'static str> {
        // A project that is named itself is no other project's board.
        if self.boards.get(project).is_some_and(|of| of != project) {
            self.unbind(project);
        }
        let board = board.filter(|board| board.len() <= MAX_BOARD);
        let full = board.and_then(|board| self.bind(board, project, most, lacks));
        name.and_then(|name| self.call(name, project, most, lacks))
            .or(full)
    }

    fn call(
        &mut self,
        name: &str,
        project: &Arc<str>,
        most: Most,
        lacks: bool,
    ) -> Option<&'static str> {
        let had = self.of.get(project).and_then(|of| of.name.as_deref());
        if had == Some(name) {
            return None;
        }
        self.give_up_name(project, lacks);
        if name.len() > MAX_NAME {
            return None;
        }
        let mut lost = None;
        if let Some(bound) = self.full(cost(name, project), most) {
            lost = Some(bound);
            self.forget_given_up();
            if self.full(cost(name, project), most).is_some() {
                if let Some(called) = self.called.get_mut(name) {
                    called.more = true;
                }
                return lost;
            }
        }
        let known = self.called.get_key_value(name);
        let name: Arc<str> = known.map_or_else(|| name.into(), |(name, _)| name.clone());
        let was_given_up = known.is_some_and(|(_, called)| called.known.is_empty());
        let called = self.called.entry(name.clone()).or_default();
        if called.known.len() >= MAX_SAME {
            called.more = true;
            return lost;
        }
        let at = called.known.partition_point(|known| known < project);
        called.known.insert(at, project.clone());
        if was_given_up {
            self.given_up -= 1;
            self.held -= cost(&name, "");
        }
        self.held += cost(&name, project);
        self.of.entry(project.clone()).or_default().name = Some(name);
        lost
    }

    /// Notes that a project has another name now, or none. The former name is remembered as nobody's, unless names are
    /// forgotten anyway: events that still use it must not be taken for events of no project.
    fn give_up_name(&mut self, project: &Arc<str>, lacks: bool) {
        let name = self.of.get_mut(project).and_then(|of| of.name.take());
        self.tidy(project);
        let Some(name) = name else { return };
        self.held -= cost(&name, project);
        let Some(called) = self.called.get_mut(&name) else {
            return;
        };
        called.known.retain(|known| known != project);
        if !called.known.is_empty() {
            return;
        }
        if lacks {
            self.called.remove(&name);
        } else {
            self.held += cost(&name, "");
            self.given_up += 1;
        }
    }

    /// Makes room once: from then on names are forgotten, and names that are given up are not remembered.
    fn forget_given_up(&mut self) {
        if self.given_up == 0 {
            return;
        }
        let held = &mut self.held;
        self.called.retain(|name, called| {
            let given_up = called.known.is_empty();
            if given_up {
                *held -= cost(name, "");
            }
            !given_up
        });
        self.given_up = 0;
    }

    fn bind(
        &mut self,
        board: &str,
        project: &Arc<str>,
        most: Most,
        lacks: bool,
    ) -> Option<&'static str> {
        let had = self.of.get(project).and_then(|of| of.board.clone());
        if had.as_deref() == Some(board) {
            return None;
        }
        // Until now it may have been taken for a project, or for another project's board.
        if *board != **project
            && let Some((board, _)) = self.of.get_key_value(board)
        {
            let board = board.clone();
            self.give_up_name(&board, lacks);
            let own = self.of.get(&board).and_then(|of| of.board.clone());
            if let Some(own) = own {
                self.unbind(&own);
            }
        }
        self.unbind(board);
        if let Some(had) = had {
            self.unbind(&had);
        }
        let full = self.full(cost(board, project), most);
        if full.is_none() {
            let board: Arc<str> = board.into();
            self.held += cost(&board, project);
            self.boards.insert(board.clone(), project.clone());
            self.of.entry(project.clone()).or_default().board = Some(board);
        }
        full
    }

    /// Notes that this is no other project's board.
    fn unbind(&mut self, board: &str) {
        let Some(project) = self.boards.remove(board) else {
            return;
        };
        self.held -= cost(board, &project);
        if let Some(of) = self.of.get_mut(&project) {
            of.board = None;
        }
        self.tidy(&project);
    }

    fn tidy(&mut self, project: &Arc<str>) {
        let goes = self.of.get(project);
        if goes.is_some_and(|of| of.name.is_none() && of.board.is_none()) {
            self.of.remove(project);
        }
    }

    /// The bound that has no room for so many further bytes.
    fn full(&self, more: usize, most: Most) -> Option<&'static str> {
        if self.of.len() + self.given_up >= most.projects {
            return Some("count");
        }
        (self.held + more > most.bytes).then_some("bytes")
    }

    /// Bytes of memory that they hold.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// The names in the form of a checkpoint.
    pub(super) fn save(&self) -> Saved {
        let projects = self.of.iter();
        let projects =
            projects.map(|(project, of)| (project.clone(), of.name.clone(), of.board.clone()));
        let named = |is: fn(&Called) -> bool| {
            let names = self.called.iter().filter(|(_, called)| is(called));
            let mut names: Vec<_> = names.map(|(name, _)| name.clone()).collect();
            names.sort_unstable();
            names
        };
        let mut saved = Saved {
            projects: projects.collect(),
            crowded: named(|called| called.more),
            given_up: named(|called| called.known.is_empty()),
        };
        saved.projects.sort_unstable();
        saved
    }

    /// Restores saved names, perhaps within other bounds. Returns whether something had to be forgotten.
    pub(super) fn restore(&mut self, saved: Saved, most: Most) -> bool {
        let mut lost = false;
        for (project, name, board) in &saved.projects {
            let goes = (board.as_deref(), name.as_deref());
            lost |= self.note(project, goes, most, lost).is_some();
        }
        for name in saved.given_up {
            lost |= !self.add_given_up(name, most);
        }
        for name in saved.crowded {
            match self.called.get_mut(&name) {
                Some(called) => called.more = true,
                None => lost = true,
            }
        }
        lost
    }

    /// Restores projects by name, as an earlier version saved them: a name stood for one project only and was never
    /// given up. The last one of a project's names is not known. Returns whether something had to be forgotten.
    pub(super) fn restore_former(
        &mut self,
        names: HashMap<Box<str>, Arc<str>>,
        most: Most,
    ) -> bool {
        let mut names: Vec<_> = names.into_iter().map(|(name, of)| (of, name)).collect();
        names.sort_unstable();
        let mut lost = false;
        for same in names.chunk_by(|(a, _), (b, _)| a == b) {
            match same {
                [(project, name)] => {
                    let goes = (None, Some(&**name));
                    lost |= self.note(project, goes, most, lost).is_some();
                }
                several => {
                    for (_, name) in several {
                        lost |= !self.add_given_up(Arc::from(&**name), most);
                    }
                }
            }
        }
        lost
    }

    /// Notes that a name was given up; `false` when there is no room for it.
    fn add_given_up(&mut self, name: Arc<str>, most: Most) -> bool {
        let more = cost(&name, "");
        if self.full(more, most).is_some() {
            return false;
        }
        if let Entry::Vacant(place) = self.called.entry(name) {
            place.insert(Called::default());
            self.held += more;
            self.given_up += 1;
        }
        true
    }
}

fn cost(name: &str, project: &str) -> usize {
    ENTRY + name.len() + project.len()
}
