//! The files that some patterns lead to, looked at again and again.
//!
//! A file is known by itself and not by its name, so a rotated one is read to its end under its old name's ids, while a new
//! one under that name begins. A file whose bytes before the published place changed was truncated or written anew.

use std::{
    collections::{HashMap, HashSet},
    fs::Metadata,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    batch::{Batch, Part},
    followed::{Followed, identity, renamed},
    mark::{Mark, Place},
};
use crate::cli::plain::plain;

/// The most files that are followed.
const MAX_FILES: usize = 4_096;
/// The most files that are held open; the others are opened when they grow.
const MAX_OPEN: usize = 128;
/// The most files that are remembered after they went, in case that they come again.
const MAX_GONE: usize = 1_000;
/// The time for which a rotated file is still read after its last line: its writer may not have moved on yet.
const ROTATED_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Files {
    patterns: Vec<String>,
    /// The files that are there by their paths, then the files that went.
    all: Vec<Followed>,
    /// The number of files that each name had so far.
    generations: HashMap<String, u32>,
    /// Whether files that are there at the first look begin at their end.
    begin_at_end: bool,
    is_first_look: bool,
    /// Files that could not be read, and were told.
    unreadable: HashSet<PathBuf>,
    /// Whether it was told that there are too many.
    told_too_many: bool,
}

impl Files {
    /// The files of these patterns, from these places on.
    pub(super) fn new(patterns: Vec<String>, marks: Vec<Mark>, begin_at_end: bool) -> Self {
        let mut generations: HashMap<String, u32> = HashMap::new();
        for mark in &marks {
            let next = generations.entry(mark.name.clone()).or_default();
            *next = (*next).max(mark.generation.saturating_add(1));
        }
        Self {
            patterns,
            all: marks.into_iter().map(Followed::new).collect(),
            generations,
            begin_at_end,
            is_first_look: true,
            unreadable: HashSet::new(),
            told_too_many: false,
        }
    }

    /// Looks for new, rotated, truncated and grown files; what is worth a note.
    pub(super) fn look(&mut self) -> Vec<String> {
        let mut notes = Vec::new();
        let paths = self.paths(&mut notes);
        let known = std::mem::take(&mut self.all).into_iter();
        let mut known: HashMap<String, Followed> = known
            .map(|followed| (followed.mark.file.clone(), followed))
            .collect();
        let mut seen = HashSet::new();
        for path in paths {
            let Ok(about) = std::fs::metadata(&path) else {
                continue;
            };
            let file = identity(&path, &about);
            // A second name of the same file leads to nothing new.
            if about.is_file() && seen.insert(file.clone()) {
                let old = known.remove(&file);
                self.look_at(&path, file, &about, old, &mut notes);
            }
        }
        self.keep_gone(known, &mut notes);
        self.close_idle();
        self.is_first_look = false;
        notes
    }

    fn paths(&mut self, notes: &mut Vec<String>) -> Vec<PathBuf> {
        let found = self.patterns.iter().filter_map(|p| glob::glob(p).ok());
        let mut paths: Vec<PathBuf> = found
            .flat_map(Iterator::flatten)
            .filter_map(|path| std::path::absolute(path).ok())
            .collect();
        paths.sort_unstable();
        paths.dedup();
        if paths.len() > MAX_FILES && !self.told_too_many {
            self.told_too_many = true;
            notes.push(format!(
                "{} files match, and only the first {MAX_FILES} are followed; name fewer of them",
                paths.len()
            ));
        }
        paths.truncate(MAX_FILES);
        paths
    }

    /// Looks at a file that a pattern leads to, which was `old` at the last look.
    fn look_at(
        &mut self,
        path: &Path,
        file: String,
        about: &Metadata,
        old: Option<Followed>,
        notes: &mut Vec<String>,
    ) {
        let shown = plain(&path.to_string_lossy(), 200);
        let is_new = old.is_none();
        if let Some(mut followed) = old {
            path.clone_into(&mut followed.mark.path);
            followed.gone = None;
            if !followed.look(about) {
                self.all.push(followed);
                return;
            }
            match followed.is_the_same() {
                Ok(true) => {
                    self.all.push(followed);
                    return;
                }
                Ok(false) => notes.push(format!(
                    "{shown} was truncated or written anew; it is published from its start"
                )),
                Err(error) => {
                    self.tell_unreadable(path, &error, notes);
                    followed.is_unread = false;
                    self.all.push(followed);
                    return;
                }
            }
        } else if !self.is_first_look {
            notes.push(format!("{shown} is new"));
        }
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let mut followed = Followed::new(Mark {
            path: path.to_owned(),
            name,
            generation: 0,
            file,
            place: Place::default(),
        });
        followed.look(about);
        let begun = match is_new && self.is_first_look && self.begin_at_end {
            true => followed.skip_to_end(),
            false => followed.open().map(drop),
        };
        if let Err(error) = begun {
            // It is looked at again the next time, as a new one.
            self.tell_unreadable(path, &error, notes);
            return;
        }
        self.unreadable.remove(path);
        let next = self.generations.entry(followed.mark.name.clone());
        let next = next.or_default();
        followed.mark.generation = *next;
        *next = next.saturating_add(1);
        self.all.push(followed);
    }

    fn tell_unreadable(&mut self, path: &Path, error: &std::io::Error, notes: &mut Vec<String>) {
        if self.unreadable.len() < MAX_FILES && self.unreadable.insert(path.to_owned()) {
            let shown = plain(&path.to_string_lossy(), 200);
            notes.push(format!("can't read {shown}: {error}; it is tried again"));
        }
    }

    /// Keeps the files that no pattern leads to any more: the rest of them is read, and their places are remembered.
    fn keep_gone(&mut self, known: HashMap<String, Followed>, notes: &mut Vec<String>) {
        let mut gone: Vec<Followed> = known.into_values().collect();
        for followed in &mut gone {
            if followed.gone.is_none() {
                followed.gone = Some(Instant::now());
                followed.grown = Instant::now();
                let shown = plain(&followed.mark.path.to_string_lossy(), 200);
                if !self.is_first_look {
                    notes.push(format!("{shown} was rotated or removed"));
                }
                if !followed.is_open()
                    && let Some(path) = renamed(&followed.mark.path, &followed.mark.file)
                {
                    followed.mark.path = path;
                    if !followed.is_the_same().unwrap_or(false) {
                        followed.close();
                    }
                }
            }
            followed.look_by_handle();
        }
        // One of which nothing was published has no place to remember.
        gone.retain(|followed| followed.is_open() || followed.mark.place.position > 0);
        gone.sort_by_key(|followed| std::cmp::Reverse(followed.gone));
        gone.truncate(MAX_GONE);
        self.all.extend(gone);
    }

    /// Closes rotated files that were read to their end, and the longest idle ones of the others.
    fn close_idle(&mut self) {
        for followed in &mut self.all {
            if followed.is_over() && !followed.is_unread && !followed.has_rest() {
                followed.close();
            }
        }
        let mut idle: Vec<&mut Followed> = self.all.iter_mut().filter(|f| f.is_open()).collect();
        let excess = idle.len().saturating_sub(MAX_OPEN);
        idle.retain(|followed| followed.gone.is_none() && !followed.is_unread);
        idle.sort_by_key(|followed| followed.grown);
        idle.into_iter().take(excess).for_each(Followed::close);
    }

    /// The next lines to send, at most so many and of so many bytes.
    pub(super) fn batch(&mut self, lines: usize, bytes: usize) -> (Batch, Vec<String>) {
        let mut batch = Batch::default();
        let mut notes = Vec::new();
        let mut unreadable = Vec::new();
        for (index, followed) in self.all.iter_mut().enumerate() {
            let is_over = followed.is_over();
            let is_unread = followed.is_unread || is_over && followed.has_rest();
            if !is_unread || batch.events() >= lines || batch.body.len() >= bytes {
                continue;
            }
            let (lines, room) = (lines - batch.events(), bytes - batch.body.len());
            match followed.read(lines, room, batch.body.is_empty(), is_over) {
                Ok(piece) => batch.push(Part::new(index, &followed.mark, &piece), piece),
                Err(error) => {
                    followed.is_unread = false;
                    unreadable.push((followed.mark.path.clone(), error));
                }
            }
        }
        for (path, error) in unreadable {
            self.tell_unreadable(&path, &error, &mut notes);
        }
        (batch, notes)
    }

    /// Notes that a batch is published. No look comes between making it and this.
    pub(super) fn published(&mut self, batch: &Batch) {
        for part in &batch.parts {
            if let Some(followed) = self.all.get_mut(part.file) {
                followed.mark.place = part.place;
                followed.is_unread = !part.is_drained;
            }
        }
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.all.iter().map(|followed| &followed.mark)
    }

    /// The number of files that are there.
    pub(super) fn len(&self) -> usize {
        self.all.iter().filter(|f| f.gone.is_none()).count()
    }
}

impl Followed {
    /// Whether it went so long ago that nobody writes into it any more.
    fn is_over(&self) -> bool {
        self.gone.is_some() && self.grown.elapsed() >= ROTATED_PATIENCE
    }
}
