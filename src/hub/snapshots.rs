//! Snapshots: the state at one place of the stream, for a client that comes, asks, or can't be told what it missed.
//!
//! ```text
//!  small ─▶ written here, at once: the client is live with it
//!  large ─▶ parts are found and written aside, one is given when the client has room ─▶ caught up from its cursor ─▶ live
//! ```
//!
//! The parts of a large snapshot are the same for all clients of equal permissions. A part is kept while a client is
//! being given it, so many clients that don't read hold one copy, and a slow one holds one part.

use std::{sync::Arc, time::Instant};

use tokio::sync::{mpsc, oneshot};

use super::{
    Hub, SharedSnapshot, SnapshotOf, behind::Behind, member::MemberId, moments::MOMENT_LIFETIME,
};
use crate::{delivery::Outgoing, journal::Seq, projections::state::Picture};

/// The most entities that the loop itself writes; a larger snapshot is work for another task.
const MAX_INLINE_ENTITIES: usize = 512;
/// The most bytes that these entities may hold: an entity may be long.
const MAX_INLINE_BYTES: usize = 2 << 20;
/// Parts that are written at one time.
const MAX_WRITERS: usize = 2;
/// Parts that are kept for clients that are about to be given them.
const MAX_KEPT_PARTS: usize = 4;
/// Bytes that may wait for a client that is given the next part.
const MAX_WAITING_BYTES: usize = 16 * 1_024;

/// A large snapshot on its way to one client.
#[derive(Debug)]
pub(super) struct Taking {
    /// None until its parts are found.
    shared: Option<Arc<SharedSnapshot>>,
    /// The project that was asked for; none for all of them.
    project: Option<String>,
    /// The next part that it is given, counted from 1.
    next: usize,
    /// The last part that it was given: a part lives as long as a client is being given it.
    last: Option<Arc<Outgoing>>,
}

impl Taking {
    pub(super) fn new(project: Option<String>, shared: Option<Arc<SharedSnapshot>>) -> Self {
        Self {
            project,
            shared,
            next: 1,
            last: None,
        }
    }

    /// The project that was asked for; none for all of them.
    pub(super) fn project(&self) -> Option<String> {
        self.project.clone()
    }

    /// Whether the next part is written.
    pub(super) fn has_part(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_some_and(|shared| shared.ready(self.next).is_some())
    }

    /// Starts over: the client is given all parts again.
    fn begin_anew(&mut self) {
        (self.shared, self.next, self.last) = (None, 1, None);
    }
}

/// A result of another task.
#[derive(Debug)]
pub(super) enum Made {
    /// The parts of a snapshot; none when the task failed.
    Parts(Option<SharedSnapshot>),
    /// A written part; none when the task failed.
    Part(Option<Arc<Outgoing>>),
}

/// Snapshots that are kept and being made.
#[derive(Debug)]
pub(super) struct Snapshots {
    /// The newest snapshots, one for each set of permissions.
    shared: Vec<Arc<SharedSnapshot>>,
    /// The snapshot whose parts are being found.
    finding: Option<SnapshotOf>,
    /// Callers that wait for a snapshot whose parts are not found yet.
    asked: Vec<(SnapshotOf, oneshot::Sender<Option<Arc<SharedSnapshot>>>)>,
    /// Tasks that write a part.
    writing: usize,
    /// The parts that were written last.
    written: Vec<Arc<Outgoing>>,
    made: mpsc::UnboundedSender<Made>,
    making: mpsc::UnboundedReceiver<Made>,
}

impl Snapshots {
    pub(super) fn new() -> Self {
        let (made, making) = mpsc::unbounded_channel();
        Self {
            shared: Vec::new(),
            finding: None,
            asked: Vec::new(),
            writing: 0,
            written: Vec::new(),
            made,
            making,
        }
    }

    /// The next result of another task.
    pub(super) async fn made(&mut self) -> Option<Made> {
        self.making.recv().await
    }

    /// The time at which the oldest snapshot serves nobody any more.
    pub(super) fn due(&self) -> Option<Instant> {
        self.shared
            .first()
            .map(|shared| shared.made + MOMENT_LIFETIME)
    }

    fn keep(&mut self, update: &Arc<Outgoing>) {
        if self.written.len() == MAX_KEPT_PARTS {
            self.written.remove(0);
        }
        self.written.push(update.clone());
    }
}

impl Hub {
    /// The state now, and its place in the stream. It costs nothing here, because the caller writes it.
    pub(super) fn picture(&mut self) -> (Picture, Seq, String) {
        let cursor = self.stream.everything_read();
        (
            self.projections.state().picture(),
            self.stream.seq(),
            cursor,
        )
    }

    /// Sends a member the state, and from then on only the updates after it. Returns its cursor, if it is sent already.
    pub(super) fn send_snapshot(&mut self, id: MemberId) -> Option<String> {
        let of = SnapshotOf {
            permissions: self.roster.permissions(id)?,
            namespace: self.roster.get(id)?.namespace,
            project: None,
        };
        if self.projections.state().entities() > MAX_INLINE_ENTITIES
            || self.projections.state().bytes() > MAX_INLINE_BYTES
        {
            self.give_snapshot(id, None, None);
            return None;
        }
        self.send_sums();
        let moment = self.projections.present(&mut self.stream);
        let (seq, cursor) = (moment.seq, moment.cursor.clone());
        let mut newest = self.snapshots.shared.iter().rev();
        let shared = match newest.find(|s| s.is_of(&moment, &of)) {
            Some(shared) => shared.clone(),
            None => {
                let shared = SharedSnapshot::new(moment, of, self.options.snapshot_part);
                let shared = Arc::new(shared);
                self.snapshots.shared.push(shared.clone());
                shared
            }
        };
        if shared.snapshot.parts() > 1 {
            let lasts = shared.moment.lasts();
            self.give_snapshot(id, None, lasts.then_some(shared));
            return None;
        }
        let update = shared.ready(1).or_else(|| {
            let update = shared.write(1)?;
            self.snapshots.keep(&update);
            Some(update)
        })?;
        let member = self.roster.get_mut(id)?;
        member.outlet.send_exempt(&update);
        member.since = seq;
        self.roster.touch(id);
        Some(cursor)
    }

    /// Gives a member a large snapshot, part by part; then it is caught up from there. What it missed before no longer
    /// matters.
    pub(super) fn give_snapshot(
        &mut self,
        id: MemberId,
        project: Option<String>,
        shared: Option<Arc<SharedSnapshot>>,
    ) {
        let at = match &shared {
            Some(shared) => self.stream.after(shared.moment.seq),
            None => self.stream.cursor(),
        };
        let Some(member) = self.roster.get_mut(id) else {
            return;
        };
        member.outlet.settle();
        let before = member.behind.take();
        let mut behind = Behind::given(at, Taking::new(project, shared));
        if let Some(before) = before {
            behind.take_over(*before);
        }
        member.behind = Some(Box::new(behind));
        self.turn(|turn| turn.serve(id));
    }

    /// Gives a member that has room the next part.
    pub(super) fn give_part(&mut self, id: MemberId) {
        let member = self.roster.get(id);
        let waiting = member.map(|m| (m.namespace, m.outlet.waiting()));
        let (Some(permissions), Some((namespace, waiting))) =
            (self.roster.permissions(id), waiting)
        else {
            return;
        };
        let Some(taking) = self.taking(id).filter(|_| waiting <= MAX_WAITING_BYTES) else {
            return;
        };
        let of = SnapshotOf {
            permissions,
            namespace,
            project: taking.project.clone(),
        };
        // The client's permissions may have changed. Otherwise a snapshot that was begun is finished, however much the
        // state changes.
        let stale = |s: &Arc<SharedSnapshot>| s.of != of || s.moment.is_lost();
        if taking.shared.as_ref().is_some_and(stale) {
            taking.begin_anew();
        }
        let next = taking.next;
        let Some(shared) = taking.shared.clone() else {
            return self.find_parts(id, of);
        };
        let Some(update) = shared.ready(next) else {
            self.write_part(shared, next);
            return;
        };
        if let Some(taking) = self.taking(id) {
            taking.last = Some(update.clone());
            taking.next += 1;
        }
        let Some(member) = self.roster.get_mut(id) else {
            return;
        };
        // An entity may be longer than a client's queue.
        if update.json.len() > self.options.max_segment {
            member.outlet.send_exempt(&update);
        } else {
            member.outlet.send(&update);
        }
        if next == shared.snapshot.parts() {
            member.since = shared.moment.seq;
            if let Some(behind) = &mut member.behind {
                behind.taking = None;
            }
        }
        self.roster.touch(id);
    }

    fn taking(&mut self, id: MemberId) -> Option<&mut Taking> {
        let behind = self.roster.get_mut(id)?.behind.as_mut()?;
        behind.taking.as_mut()
    }

    /// Answers with a snapshot of the last second, or has its parts found; none while the state fits into one part.
    pub(super) fn find_snapshot(
        &mut self,
        of: SnapshotOf,
        reply: oneshot::Sender<Option<Arc<SharedSnapshot>>>,
    ) {
        // The text of the state is shorter than the memory that it holds.
        if self.projections.state().bytes() <= self.options.snapshot_part {
            reply.send(None).ok();
        } else if let Some(shared) = self.found(&of) {
            reply.send(Some(shared)).ok();
        } else {
            self.snapshots.asked.push((of.clone(), reply));
            self.find(of);
        }
    }

    fn found(&self, of: &SnapshotOf) -> Option<Arc<SharedSnapshot>> {
        let mut newest = self.snapshots.shared.iter().rev();
        let found = newest.find(|s| s.of == *of && s.moment.lasts());
        found.cloned()
    }

    /// Gives a member a snapshot whose parts are found, or has them found.
    fn find_parts(&mut self, id: MemberId, of: SnapshotOf) {
        let Some(shared) = self.found(&of) else {
            self.find(of);
            return;
        };
        let at = self.stream.after(shared.moment.seq);
        if let Some(behind) = self.roster.get_mut(id).and_then(|m| m.behind.as_mut()) {
            behind.at = at;
            behind.taking = Some(Taking::new(of.project, Some(shared)));
        }
    }

    /// Has the parts of a snapshot found, one after the other.
    fn find(&mut self, of: SnapshotOf) {
        if self.snapshots.finding.is_some() {
            return;
        }
        self.snapshots.finding = Some(of.clone());
        self.send_sums();
        let moment = self.projections.moment(&mut self.stream);
        let (made, part_bytes) = (self.snapshots.made.clone(), self.options.snapshot_part);
        let find = move || SharedSnapshot::new(moment, of, part_bytes);
        let found = tokio::task::spawn_blocking(find);
        // The result is sent also when the task panics: otherwise no client would be given a large snapshot any more.
        tokio::spawn(async move { made.send(Made::Parts(found.await.ok())).ok() });
    }

    /// Takes the parts of a snapshot, or the failure to find them, and has the next snapshot found that a caller waits
    /// for.
    fn take_parts(&mut self, shared: Option<SharedSnapshot>) {
        let of = self.snapshots.finding.take();
        let shared = shared.map(|mut shared| {
            // It serves for a while from now on, however late the loop takes it.
            shared.made = Instant::now();
            Arc::new(shared)
        });
        self.snapshots.shared.extend(shared.clone());
        let asked = std::mem::take(&mut self.snapshots.asked);
        for (wanted, reply) in asked {
            match (&shared, of.as_ref() == Some(&wanted)) {
                (Some(shared), true) => drop(reply.send(Some(shared.clone()))),
                // The caller is told that there is no snapshot.
                (None, true) => {}
                (_, false) => self.snapshots.asked.push((wanted, reply)),
            }
        }
        self.snapshots.asked.retain(|(_, reply)| !reply.is_closed());
        if let Some((next, _)) = self.snapshots.asked.first() {
            self.find(next.clone());
        }
    }

    fn write_part(&mut self, shared: Arc<SharedSnapshot>, part: usize) {
        if self.snapshots.writing >= MAX_WRITERS {
            return;
        }
        self.snapshots.writing += 1;
        let made = self.snapshots.made.clone();
        let written = tokio::task::spawn_blocking(move || shared.write(part));
        tokio::spawn(async move {
            let part = written.await.ok().flatten();
            made.send(Made::Part(part)).ok()
        });
    }

    /// Forgets all snapshots, because the journal went back. Those that are being made find nobody to take them, and what
    /// callers wait for is made anew.
    pub(super) fn begin_snapshots_anew(&mut self) {
        let asked = std::mem::take(&mut self.snapshots.asked);
        self.snapshots = Snapshots::new();
        self.snapshots.asked = asked;
    }

    /// Has a snapshot found for callers that waited when the journal went back.
    pub(super) fn find_asked(&mut self) {
        if let Some((of, _)) = self.snapshots.asked.first() {
            self.find(of.clone());
        }
    }

    /// Takes a result of another task; the members that wait for it are looked at now.
    pub(super) fn take_made(&mut self, made: Made) {
        match made {
            Made::Parts(shared) => self.take_parts(shared),
            Made::Part(update) => {
                self.snapshots.writing -= 1;
                if let Some(update) = update {
                    self.snapshots.keep(&update);
                }
            }
        }
        self.catchup.look_at = Instant::now();
    }

    /// Forgets snapshots that serve nobody any more.
    pub(super) fn forget_old_snapshots(&mut self, now: Instant) {
        if self.snapshots.due().is_some_and(|due| due <= now) {
            self.snapshots
                .shared
                .retain(|s| now < s.made + MOMENT_LIFETIME);
        }
        // A part is kept until the members that wait for it are given it.
        if self.catchup.queue.is_empty() && self.snapshots.shared.is_empty() {
            self.snapshots.written.clear();
        }
    }
}
