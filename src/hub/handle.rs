//! The way to the hub: every door has a handle, and every member a membership that ends when it is dropped.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{
    Closings, Emit, Moment, SharedSnapshot, SnapshotOf,
    command::{Answer, Command, JoinReply, Question},
    member::{JoinRequest, MemberId},
    presence::Visit,
    reach::Beside,
    recovery::Standing,
    subscription::Subscription,
};
use crate::{
    access::{Identity, authz::Audience},
    channel::{Namespace, Topic},
    error::Error,
    event::Object,
    journal::{Journal, Seq},
    projections::state::Picture,
};

/// The most commands that may wait; the sender of a further one waits too.
const QUEUE: usize = 4_096;

/// A place among the members. It ends when this is dropped, wherever that happens.
#[derive(Debug)]
pub struct Membership {
    /// The hub that is told of the end.
    hub: HubHandle,
    id: MemberId,
}

impl Membership {
    /// The member's id.
    pub fn id(&self) -> MemberId {
        self.id
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let Err(mpsc::error::TrySendError::Full(leave)) =
            self.hub.0.try_send(Command::Leave(self.id))
        else {
            return;
        };
        let hub = self.hub.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { hub.send(leave).await });
        }
    }
}

/// The hub's own handle: it doesn't keep the hub running.
#[derive(Debug)]
pub(super) struct WeakHandle(mpsc::WeakSender<Command>, Arc<Beside>);

impl WeakHandle {
    /// A membership to give away; none when no handle is left to tell of its end.
    pub(super) fn membership(&self, id: MemberId) -> Option<Membership> {
        let hub = HubHandle(self.0.upgrade()?, self.1.clone());
        Some(Membership { hub, id })
    }
}

/// Room for one emission.
#[derive(Debug)]
pub struct EmitRoom<'h>(mpsc::Permit<'h, Command>);

impl EmitRoom<'_> {
    /// Sends an emission to the members of its rooms.
    pub fn emit(self, emit: Emit) {
        self.0.send(Command::Emit(emit));
    }
}

/// The way to the hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HubHandle(mpsc::Sender<Command>, pub(super) Arc<Beside>);

impl HubHandle {
    pub(super) fn channel(journal: &Arc<dyn Journal>) -> (Self, mpsc::Receiver<Command>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender, Beside::new(journal)), receiver)
    }

    pub(super) fn downgrade(&self) -> WeakHandle {
        WeakHandle(self.0.downgrade(), self.1.clone())
    }

    /// The clients that wait for the answers to questions.
    pub fn closings(&self) -> &Arc<Closings> {
        &self.1.closings
    }

    async fn send(&self, command: Command) {
        // The hub outlives every door; after its end there is nobody to notify.
        self.0.send(command).await.ok();
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await;
        answer
            .await
            .map_err(|_| Error::unavailable("the server is going down; connect again"))
    }

    /// Makes `request` a member and greets it.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub async fn join(
        &self,
        request: JoinRequest,
        welcome: JoinReply,
    ) -> Result<Membership, Error> {
        let welcome = Box::new(self.can_welcome(welcome).await);
        self.ask(|reply| Command::Join {
            request,
            welcome,
            reply,
        })
        .await
    }

    /// Puts a member into all of these rooms, or into none of them; returns how many members are in the last one.
    ///
    /// # Errors
    /// `room_full`, or `bad_request` for too many rooms.
    pub async fn join_rooms(&self, member: MemberId, rooms: Vec<String>) -> Result<usize, Error> {
        self.ask(|reply| Command::JoinRooms {
            member,
            rooms,
            reply,
        })
        .await?
    }

    /// Puts a client into a room whatever its rights are, since the application's own service says so; or takes it out.
    /// Returns how many members are in the room then.
    ///
    /// # Errors
    /// `not_found` if there is no such client on the namespace; `unknown_room_type`, `bad_request`, `room_full` or
    /// `overloaded` for a room that it can't be in.
    pub async fn place(
        &self,
        whom: (Namespace, Arc<str>),
        room: String,
        on: bool,
    ) -> Result<usize, Error> {
        self.ask(|reply| Command::Place {
            whom,
            room,
            on,
            reply,
        })
        .await?
    }

    /// Tells a member from now on who comes into a room that it is in, and who leaves; or no more. Returns how many
    /// members the room has.
    ///
    /// # Errors
    /// `forbidden_room` for a room that it is not in.
    pub async fn watch_presence(
        &self,
        member: MemberId,
        room: String,
        on: bool,
    ) -> Result<usize, Error> {
        self.ask(|reply| Command::WatchPresence {
            member,
            room,
            on,
            reply,
        })
        .await?
    }

    /// Begins, renews or ends a visit to a room by HTTP.
    ///
    /// # Errors
    /// `forbidden` for somebody else's visit, `room_full`, `overloaded`.
    pub async fn visit(&self, visit: Visit) -> Result<Object, Error> {
        self.ask(|reply| Command::Visit(visit, reply)).await?
    }

    /// Takes a member out of rooms; returns how many members are left in the last one.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub async fn leave_rooms(&self, member: MemberId, rooms: Vec<String>) -> Result<usize, Error> {
        self.ask(|reply| Command::LeaveRooms {
            member,
            rooms,
            reply,
        })
        .await
    }

    /// Changes which updates of its rooms a member gets.
    pub async fn set_subscription(&self, member: MemberId, subscription: Subscription) {
        self.send(Command::SetSubscription(member, subscription))
            .await;
    }

    /// Subscribes a member to a topic, or ends the subscription.
    pub async fn listen(&self, member: MemberId, topic: Topic, on: bool) {
        self.send(Command::Listen { member, topic, on }).await;
    }

    /// Notes that a member behaves like one of Seneca's or Marcus' own pages: from now on it gets the updates that
    /// pages get.
    pub async fn is_page(&self, member: MemberId) {
        self.send(Command::IsPage(member)).await;
    }

    /// Sends one member an event, in order with its updates.
    pub async fn notify(&self, member: MemberId, name: &'static str, body: Object) {
        self.send(Command::Notify { member, name, body }).await;
    }

    /// Sends everybody on a namespace an event.
    pub async fn notify_all(&self, namespace: Namespace, name: &'static str, body: Object) {
        self.send(Command::NotifyAll {
            namespace,
            name,
            body,
        })
        .await;
    }

    /// Sends an event to the operators that may see all of these audiences, and whose filter doesn't leave it out.
    pub async fn notify_operators(
        &self,
        name: &'static str,
        body: Object,
        audiences: Vec<Arc<Audience>>,
    ) {
        self.send(Command::NotifyOperators {
            name,
            body,
            audiences,
        })
        .await;
    }

    /// The state at one place of the stream: the picture, its last event and its cursor.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub async fn picture(&self) -> Result<(Picture, Seq, String), Error> {
        self.ask(Command::Picture).await
    }

    /// The state now, with its place in the stream.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub(crate) async fn moment(&self) -> Result<Arc<Moment>, Error> {
        self.ask(Command::Moment).await
    }

    /// A snapshot of the last second, shared by all clients of equal permissions; none while one part holds the whole
    /// state.
    ///
    /// # Errors
    /// `unavailable` while the server goes down, or when its parts could not be found.
    pub(crate) async fn find_snapshot(
        &self,
        of: SnapshotOf,
    ) -> Result<Option<Arc<SharedSnapshot>>, Error> {
        self.ask(|reply| Command::FindSnapshot { of, reply }).await
    }

    /// Sends a member a snapshot in parts, and then the updates after it. Without a snapshot, the hub finds one of the
    /// project.
    pub(crate) async fn give_snapshot(
        &self,
        member: MemberId,
        project: Option<String>,
        snapshot: Option<Arc<SharedSnapshot>>,
    ) {
        self.send(Command::GiveSnapshot {
            member,
            project,
            snapshot,
        })
        .await;
    }

    /// Gives a member another identity, or the same with other claims: it leaves the rooms that it may no longer be in,
    /// which are returned, and is put into `rooms`.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub async fn reidentify(
        &self,
        member: MemberId,
        who: Identity,
        rooms: Vec<Arc<str>>,
    ) -> Result<Vec<Arc<str>>, Error> {
        let who = Box::new(who);
        self.ask(|reply| Command::Reidentify {
            member,
            who,
            rooms,
            reply,
        })
        .await
    }

    /// Gives a member what it missed since `cursor`; answers the fields of `resumed`.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub async fn resume(&self, member: MemberId, cursor: String) -> Result<Object, Error> {
        let from = self.reached(cursor.into()).await;
        self.ask(|reply| Command::Resume {
            member,
            from,
            reply,
        })
        .await
    }

    /// Room for an emission that is not kept, which goes to the members of its rooms. It has its place behind all that was
    /// asked of the hub before. None while the server goes down.
    pub async fn room_to_emit(&self) -> Option<EmitRoom<'_>> {
        self.0.reserve().await.ok().map(EmitRoom)
    }

    /// Asks a read-only question.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub async fn question(&self, question: Question) -> Result<Object, Error> {
        match self.ask(|reply| Command::Ask(question, reply)).await? {
            Answer::Ready(answer) => Ok(answer),
            Answer::ToWrite(write) => tokio::task::spawn_blocking(write)
                .await
                .map_err(|_| Error::unavailable("the answer could not be written; ask again")),
        }
    }

    /// A member as it could be made again; it `leaves` with that, or stays. None if it is gone.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub async fn standing(
        &self,
        member: MemberId,
        leaves: bool,
    ) -> Result<Option<Standing>, Error> {
        self.ask(|reply| Command::Standing {
            member,
            leaves,
            reply,
        })
        .await
    }

    /// Whether a client could go on from a cursor, or the reason why not.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub async fn can_resume(&self, cursor: String) -> Result<Result<(), &'static str>, Error> {
        let from = self.reached(cursor.into()).await;
        self.ask(|reply| Command::CanResume { from, reply }).await
    }

    /// The rooms that a member is in, its own among them.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub async fn rooms_of(&self, member: MemberId) -> Result<Vec<Arc<str>>, Error> {
        self.ask(|reply| Command::RoomsOf { member, reply }).await
    }

    /// The public ids of a room's members.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub async fn members_of(&self, room: String) -> Result<Vec<Arc<str>>, Error> {
        self.ask(|reply| Command::MembersOf { room, reply }).await
    }

    /// Sends what is ready and ends the hub.
    pub async fn stop(&self) {
        self.ask(Command::Stop).await.ok();
    }
}
