//! A hub with its journal and its intake, a witness who sees everything, and the clients of a script.

use std::{collections::BTreeSet, sync::Arc};

use tempfile::TempDir;

use super::{
    client::{Client, Coming},
    events::{Claims, Event, Said},
    received::{ASKED, CHANGED},
    script::{Comes, FEW, FLOOD, LONG, Settings, Step},
    setup::{Running, join, journal, permissions, start, subscription},
    truth::Truth,
    wants::{CLAIMS, Look, ROOMS, WANTED, Wanted},
};
use crate::{
    access::authz::Permissions,
    channel::Namespace,
    event::Object,
    hub::{SharedSnapshot, SnapshotOf},
    intake::{Producer, Raw},
    journal::{FlowId, Journal},
    projections::state::checkpoint,
};

type Checked = Result<(), String>;

pub(super) struct World {
    settings: Settings,
    folder: TempDir,
    journal: Arc<dyn Journal>,
    running: Running,
    truth: Truth,
    witness: Client,
    clients: Vec<Client>,
}

impl World {
    pub(super) async fn new(settings: Settings) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let journal = journal(&settings, folder.path())?;
        let running = start(&settings, &journal).await?;
        let everything = Look {
            rooms: BTreeSet::from([ROOMS[0]]),
            wanted: Wanted::Everything,
        };
        let client = |at: usize| {
            let (rooms, wanted) = settings.looks[at];
            let rooms = rooms.into_iter().map(|room| ROOMS[room]).collect();
            let look = Look {
                rooms,
                wanted: WANTED[wanted],
            };
            Client::new(format!("client {at}"), CLAIMS[settings.claims[at]], look)
        };
        let mut world = Self {
            clients: (0..settings.clients).map(client).collect(),
            witness: Client::new("the witness".into(), Claims::All, everything),
            truth: Truth::default(),
            settings,
            folder,
            journal,
            running,
        };
        world.begin().await?;
        for at in 0..world.clients.len() {
            world.comes(at, Comes::New).await?;
        }
        Ok(world)
    }

    /// All messages that the clients got, for the reader of a failure.
    pub(super) fn log(&self) -> String {
        let witness = format!("the witness got\n    {}\n", self.witness.log.join("\n    "));
        let clients = self.clients.iter().enumerate();
        let clients =
            clients.map(|(at, c)| format!("client {at} got\n    {}\n", c.log.join("\n    ")));
        witness + &clients.collect::<String>()
    }

    pub(super) async fn step(&mut self, step: &Step) -> Checked {
        match step {
            Step::Publish(events) => self.publish(events).await?,
            Step::Flood(events) => {
                let many: Vec<Said> = events.iter().cycle().take(FLOOD).cloned().collect();
                self.publish(&many).await?;
            }
            Step::Join(at, room) => {
                let mut look = self.clients[*at].account.look().clone();
                look.rooms.insert(ROOMS[*room]);
                self.looks_otherwise(*at, look).await?;
            }
            Step::Leave(at, room) => {
                let mut look = self.clients[*at].account.look().clone();
                look.rooms.remove(ROOMS[*room]);
                self.looks_otherwise(*at, look).await?;
            }
            Step::Want(at, wanted) => {
                let mut look = self.clients[*at].account.look().clone();
                look.wanted = WANTED[*wanted];
                self.looks_otherwise(*at, look).await?;
            }
            Step::Read(at, count) => {
                for _ in 0..*count {
                    self.read_one(*at)?;
                }
            }
            Step::Await(at) => self.read_next(*at).await?,
            Step::CatchUp(at) => self.catch_up(*at).await?,
            Step::Leaves(at) => self.clients[*at].leave(&self.truth)?,
            Step::Comes(at, how) => self.comes(*at, *how).await?,
            Step::Resume(at) => {
                self.read_all(*at)?;
                let client = &mut self.clients[*at];
                if let Some(cursor) = client.go_back(&self.truth)?
                    && let Some(member) = client.member()
                {
                    let hub = self.running.hub.clone();
                    tokio::spawn(async move { hub.resume(member, cursor).await.ok() });
                }
            }
            Step::Keep(at) => self.clients[*at].keep(&self.truth)?,
            Step::State(at, found) => self.asks_for_state(*at, *found).await?,
            Step::Settle => self.settle().await?,
            Step::Save => self.save().await?,
            Step::Restart { orderly, reopened } => self.restart(*orderly, *reopened).await?,
        }
        self.witness_reads()
    }

    /// Ends a round: every client comes back and gets all that is unsent.
    pub(super) async fn finish(&mut self) -> Checked {
        self.settle().await?;
        self.restart(true, false).await?;
        let unsent = self.truth.unsent();
        if !unsent.is_empty() {
            return Err(format!("{unsent:?} was sent to nobody"));
        }
        for at in 0..self.settings.clients {
            if self.clients[at].member().is_none() {
                self.comes(at, Comes::Last).await?;
            }
            self.catch_up(at).await?;
        }
        self.running.hub.stop().await;
        for at in 0..self.settings.clients {
            self.read_all(at)?;
        }
        Ok(())
    }

    fn witness_reads(&mut self) -> Checked {
        let mut any = false;
        while let Some(text) = self.witness.next() {
            self.witness.read(&mut self.truth, &text, true, 0)?;
            any = true;
        }
        match any {
            true => self.witness.has_all(&self.truth),
            false => Ok(()),
        }
    }

    /// Reads a client's next message; false when there is none.
    fn read_one(&mut self, at: usize) -> Result<bool, String> {
        self.witness_reads()?;
        let Some(text) = self.clients[at].next() else {
            return Ok(false);
        };
        let first = self.journal.bounds().first;
        self.clients[at].read(&mut self.truth, &text, false, first)?;
        Ok(true)
    }

    fn read_all(&mut self, at: usize) -> Checked {
        while self.read_one(at)? {}
        self.clients[at].has_all(&self.truth)
    }

    /// Reads a client's messages until it is up to date.
    async fn catch_up(&mut self, at: usize) -> Checked {
        loop {
            self.read_all(at)?;
            let client = &self.clients[at];
            if client.member().is_none() || client.is_done(&self.truth) {
                return Ok(());
            }
            self.read_next(at).await?;
        }
    }

    /// Waits for a client's next message and reads it.
    async fn read_next(&mut self, at: usize) -> Checked {
        let text = self.clients[at].wait(&self.truth).await?;
        self.witness_reads()?;
        let first = self.journal.bounds().first;
        self.clients[at].read(&mut self.truth, &text, false, first)
    }

    /// The number of updates sent by now.
    fn now(&mut self) -> Result<usize, String> {
        self.witness_reads()?;
        Ok(self.truth.count)
    }

    async fn publish(&mut self, events: &[Said]) -> Checked {
        let mut raws = Vec::new();
        for said in events {
            let mut said = said.clone();
            // A journal in memory that forgets events forgets owners with them.
            said.names_owner |= !self.settings.in_file && self.settings.keeps <= FEW;
            let mut event = Event {
                n: self.truth.events.len() as u64 + 1,
                said,
                owned: false,
            };
            event.settle(&mut self.truth.owned);
            raws.push(Raw::Json(event.json(), None));
            self.truth.events.push(event);
        }
        let producer = Producer {
            name: "model",
            door: "http",
            permissions: &Permissions::everything(),
            within: None,
            verified: &"".into(),
            trace: None,
            flow: FlowId::alone(1),
            connection: None,
        };
        let receipt = self.running.intake.publish(raws, producer).await;
        let receipt = receipt.map_err(|refusal| format!("{refusal:?}"))?;
        match receipt.accepted == events.len() {
            true => Ok(()),
            false => Err(format!("not all is accepted: {receipt:?}")),
        }
    }

    async fn looks_otherwise(&mut self, at: usize, look: Look) -> Checked {
        let before = self.now()?;
        let told = self.settings.tells[at];
        let was = self.clients[at].account.look().clone();
        if let Some(member) = self.clients[at].member() {
            let hub = &self.running.hub;
            let owned = |rooms: Vec<&&str>| {
                rooms
                    .into_iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
            };
            let joined = owned(look.rooms.difference(&was.rooms).collect());
            let left = owned(was.rooms.difference(&look.rooms).collect());
            if !joined.is_empty() {
                hub.join_rooms(member, joined)
                    .await
                    .map_err(|r| r.message.to_string())?;
            }
            if !left.is_empty() {
                hub.leave_rooms(member, left)
                    .await
                    .map_err(|r| r.message.to_string())?;
            }
            if look.wanted != was.wanted {
                hub.set_subscription(member, subscription(&look)).await;
            }
            if told {
                hub.notify(member, CHANGED, Object::new()).await;
            }
            self.fence().await?;
        }
        let after = self.now()?;
        self.clients[at].looks_otherwise((before, after), look, told);
        Ok(())
    }

    /// Waits until the hub has handled all requests.
    async fn fence(&self) -> Checked {
        let answer = self.running.hub.members_of(ROOMS[0].into()).await;
        answer
            .map(drop)
            .map_err(|refusal| refusal.message.to_string())
    }

    async fn comes(&mut self, at: usize, how: Comes) -> Checked {
        self.clients[at].leave(&self.truth)?;
        let anew = |state| Coming::Anew {
            state,
            foreign: None,
        };
        let coming = match how {
            Comes::Last => self.clients[at].coming(false).unwrap_or(anew(false)),
            Comes::Kept => self.clients[at].coming(true).unwrap_or(anew(false)),
            Comes::New => anew(false),
            Comes::WithState => anew(true),
            Comes::Foreign => Coming::Anew {
                state: false,
                foreign: Some("zzz.1".into()),
            },
        };
        let (lane, batch) = (self.settings.lanes[at], self.settings.batch[at]);
        let before = self.now()?;
        let (lane, membership, coming) =
            join(&self.running, &self.clients[at], coming, lane, batch).await?;
        let after = self.now()?;
        self.clients[at].came(&self.truth, coming, lane, membership, (before, after));
        Ok(())
    }

    async fn begin(&mut self) -> Checked {
        let coming = self.witness.coming(false).unwrap_or(Coming::Anew {
            state: false,
            foreign: None,
        });
        let now = self.truth.count;
        let (lane, membership, coming) =
            join(&self.running, &self.witness, coming, usize::MAX, false).await?;
        self.witness
            .came(&self.truth, coming, lane, membership, (now, now));
        while !self.witness.is_live() {
            let text = self.witness.wait(&self.truth).await?;
            self.witness.read(&mut self.truth, &text, true, 0)?;
        }
        self.witness_reads()
    }

    /// Asks for the state as the door of `get_state` does.
    async fn asks_for_state(&mut self, at: usize, found: bool) -> Checked {
        let Some(member) = self.clients[at].member() else {
            return Ok(());
        };
        let hub = &self.running.hub;
        let moment = hub.moment().await.map_err(|r| r.message.to_string())?;
        let of = SnapshotOf {
            permissions: permissions(&self.running.policy, self.clients[at].claims)?,
            namespace: Namespace::Root,
            project: None,
        };
        let shared = SharedSnapshot::new(moment, of, self.settings.snapshot_part);
        if shared.snapshot().parts() > 1 {
            self.now()?;
            self.clients[at].asks_for_state(&self.truth);
            let hub = &self.running.hub;
            hub.notify(member, ASKED, Object::new()).await;
            hub.give_snapshot(member, None, found.then(|| Arc::new(shared)))
                .await;
        }
        Ok(())
    }

    async fn settle(&mut self) -> Checked {
        self.witness_reads()?;
        while self.settings.window != LONG && !self.truth.unsent().is_empty() {
            let text = self.witness.wait(&self.truth).await;
            let text = text.map_err(|why| format!("{why}; unsent is {:?}", self.truth.unsent()))?;
            self.witness.read(&mut self.truth, &text, true, 0)?;
        }
        self.fence().await?;
        self.witness_reads()
    }

    async fn save(&mut self) -> Checked {
        let picture = self.running.hub.picture().await;
        let (picture, seq, _) = picture.map_err(|r| r.message.to_string())?;
        let saved = checkpoint::save(
            &*self.journal,
            (self.journal.epoch(), seq),
            picture,
            self.running.policy.ledger.clone(),
        )
        .await;
        saved.map_err(|e| e.to_string())
    }

    async fn restart(&mut self, orderly: bool, reopened: bool) -> Checked {
        // Updates that a hub did not send before it ended may be let go of: nobody knows of them.
        if orderly || self.settings.keeps <= FEW {
            self.running.hub.stop().await;
            (&mut self.running.task).await.map_err(|e| e.to_string())?;
            for at in 0..self.settings.clients {
                self.read_all(at)?;
            }
        } else {
            self.running.task.abort();
            (&mut self.running.task).await.ok();
        }
        self.witness_reads()?;
        self.witness.leave(&self.truth)?;
        let mut were_there = Vec::new();
        for (at, client) in self.clients.iter_mut().enumerate() {
            were_there.extend(client.member().map(|_| at));
            client.leave(&self.truth)?;
        }
        if reopened && self.settings.in_file {
            self.journal.close();
            self.journal = journal(&self.settings, self.folder.path())?;
        }
        if !self.settings.in_file {
            self.truth.forgotten = self.journal.bounds().first - 1;
        }
        self.running = start(&self.settings, &self.journal).await?;
        self.begin().await?;
        for at in were_there {
            self.comes(at, Comes::Last).await?;
        }
        Ok(())
    }
}
