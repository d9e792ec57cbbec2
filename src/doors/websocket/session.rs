//! One client of one of these doors, as its protocol sees it.

use std::{net::IpAddr, sync::Arc};

use serde_json::{Value, json};

use super::context::Context;
use crate::{
    access::{Identity, authz::Meter},
    doors::queue::ObserverQueue,
    error::Error,
    event::Object,
    hub::{MemberId, Membership, Subscription},
    intake::{self, Producer, Raw, Receipt},
    timestamp::Timestamp,
};

/// A connected client.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) context: Context,
    /// The name of the door, for counters.
    pub(super) door: &'static str,
    /// The client's public id.
    pub(super) id: Arc<str>,
    pub(super) who: Identity,
    /// The address that the client comes from.
    pub(super) address: IpAddr,
    /// The budget of messages.
    pub(super) meter: Meter,
    pub(super) queue: Arc<ObserverQueue>,
    pub(super) membership: Membership,
}

impl Session {
    /// The client's id in the hub.
    pub(super) fn member(&self) -> MemberId {
        self.membership.id()
    }

    /// Sends the client an answer.
    pub(super) fn answer(&self, body: &Value) {
        self.queue.push_aside(body.to_string().into());
    }

    /// Tells the client that a request was refused, as the `error` message of all doors, and counts it.
    pub(super) fn refuse(&self, refusal: &Error, room: Option<&str>) {
        self.context.metrics.refused(self.door, refusal);
        self.tell(refusal, room);
    }

    /// The same for what was counted already.
    pub(super) fn tell(&self, refusal: &Error, room: Option<&str>) {
        let body = Value::Object(self.queue.refusal(refusal, room)).to_string();
        self.queue.push_aside(body.into());
    }

    /// Notes a message that uses a feature.
    pub(super) fn used(&self, feature: &str) {
        self.context.metrics.usage.message(feature);
    }

    /// Takes one message from the client's budget, which `joins` a room or doesn't.
    ///
    /// # Errors
    /// `rate_limited`, `banned`.
    pub(super) fn spend(&self, joins: bool) -> Result<(), Error> {
        self.context
            .authenticator
            .message(&self.meter, &self.who, self.address, joins)
    }

    /// Puts the client into rooms, all of them or none.
    ///
    /// # Errors
    /// A room that it may not be in or that is no room's name, or too many rooms.
    pub(super) async fn enter(&self, rooms: Vec<String>) -> Result<usize, Error> {
        let names = rooms.iter().map(String::as_str);
        let own: [&str; 1] = [&self.id];
        self.context
            .authenticator
            .check_rooms(names, &self.who, ("", &own))?;
        self.context.hub.join_rooms(self.member(), rooms).await
    }

    /// Changes which updates of its rooms the client gets.
    pub(super) async fn choose(&self, subscription: Subscription) {
        let member = self.member();
        let hub = &self.context.hub;
        hub.set_subscription(member, subscription).await;
    }

    /// Takes the client out of rooms.
    ///
    /// # Errors
    /// `unavailable` while the server goes down.
    pub(super) async fn leave(&self, rooms: Vec<String>) -> Result<usize, Error> {
        self.context.hub.leave_rooms(self.member(), rooms).await
    }

    /// Publishes events as the client's.
    ///
    /// # Errors
    /// `forbidden` for a client that may not publish, `rate_limited`, and those of [`intake::Intake::publish`].
    pub(super) async fn publish(&self, raws: Vec<Raw>) -> Result<Receipt, Error> {
        if !self.who.role.may_publish() {
            return Err(Error::forbidden(
                "publishing takes a token with the role producer or admin",
            ));
        }
        let verified = self.who.verified();
        let producer = Producer {
            name: self.who.source().unwrap_or("producer"),
            door: self.door,
            permissions: &self.who.permissions,
            within: None,
            verified: &verified,
            trace: None,
            flow: intake::flow(&self.who, &self.id),
            connection: self.queue.own_updates_of(),
        };
        self.context
            .authenticator
            .events(&self.who, self.address, raws.len())?;
        self.context.intake.publish(raws, producer).await
    }
}

/// The room of the client's user, if it has one.
pub(super) fn user_room(who: &Identity) -> Option<Arc<str>> {
    let user = who.user.as_deref()?;
    Some(format!("user:{user}").into())
}

/// The time now, as messages have it.
pub(super) fn now() -> Value {
    json!(Timestamp::now())
}

/// An object of these fields.
pub(super) fn object(value: Value) -> Object {
    match value {
        Value::Object(fields) => fields,
        _ => Object::new(),
    }
}
