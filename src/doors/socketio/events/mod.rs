//! The events that clients send: one function for each, and one answer for each request.

mod action;
mod answer;
mod application;
mod conversations;
mod emit;
mod ping;
mod presence;
mod publish;
mod request;
mod rooms;
mod seneca;
mod session;
mod state;

use std::sync::{Arc, atomic::Ordering};

use super::{admin_ui, client::Client, inbox::Inbound};
use crate::{
    channel::Namespace,
    doors::admin::{Act, Actor},
    intake::{Answered, Pipeline, Placed},
};
use answer::{Answer, Handled, acknowledgement, notify_refusal, refusal_of};
use ping::{pong, unknown};
use request::Request;

/// The calls of `publish` that are placed and not answered yet.
pub(super) type Calls<'i> = Pipeline<'i, Call>;

/// The parts of a call that its answer depends on.
#[derive(Debug)]
pub(super) struct Call {
    /// The id of the answer, if the client wants one.
    ack: Option<u128>,
    /// Whether it is one event and no list.
    single: bool,
    /// Whether it emits.
    emits: bool,
}

impl Call {
    /// A call of `publish`, or one that is refused.
    fn new(ack: Option<u128>, single: bool) -> Self {
        Self {
            ack,
            single,
            emits: false,
        }
    }
}

/// Handles one event. A call of `publish` is placed, and answered later; anything else is answered when this returns, after all
/// calls before it.
pub(super) async fn handle<'c>(client: &'c Arc<Client>, inbound: Inbound, calls: &mut Calls<'c>) {
    if client.namespace == Namespace::Root && emit::is_meant(&inbound.text) {
        return emit(client, inbound, calls).await;
    }
    if client.is_ui.load(Ordering::Relaxed) && admin_ui::act(client, &inbound).await {
        return;
    }
    // A message beyond the budget is not even read.
    let request = client
        .spend(inbound.joins())
        .and_then(|()| request::read(&inbound));
    let ack = match inbound.ack {
        Some(ack) => u128::try_from(ack).ok(),
        None if request.is_err() => request::ack_beyond(&inbound),
        None => None,
    };
    let request = match request {
        Ok(request) => request,
        Err(refusal) => {
            calls.push(Placed::refused(refusal), Call::new(ack, true));
            return answer_ready(client, calls);
        }
    };
    client.context.metrics.mended(request.mended);
    client.used(feature(client, &request.event));
    if request.event == "publish" && client.namespace == Namespace::Root {
        return publish(client, request, ack, calls).await;
    }
    while !calls.is_empty() {
        answer_first(client, calls).await;
    }
    let changes_standing = changes_standing(&request.event);
    let answer = dispatch(client, request, &inbound).await;
    if changes_standing {
        client.remember().await;
    }
    match refusal_of(&answer) {
        Some(refusal) => client.context.metrics.refused("socketio", refusal),
        None => client.context.metrics.attempts.succeed(1),
    }
    if let Some(ack) = ack {
        match &answer {
            Ok(Answer::Arguments(arguments)) => client.acknowledge_with(ack, arguments),
            answer => client.acknowledge(ack, &acknowledgement(answer)),
        }
        client.lane.flush();
    }
}

/// Places a call of `publish`. The answers to earlier ones are sent meanwhile.
async fn publish<'c>(
    client: &'c Arc<Client>,
    request: Request,
    ack: Option<u128>,
    calls: &mut Calls<'c>,
) {
    let (placed, single) = match publish::read(client, request) {
        Ok((raws, single)) => {
            let answered = |answered| {
                answer_call(client, answered);
                client.lane.flush();
            };
            let placing = publish::place(client, raws);
            (calls.beside(placing, answered).await, single)
        }
        Err(refusal) => (Err(refusal), true),
    };
    calls.push(
        placed.unwrap_or_else(Placed::refused),
        Call::new(ack, single),
    );
}

/// Emits. What is to be kept is placed and answered later, as a call of `publish` is; anything else goes out after all calls
/// before it are answered, since what they published comes first.
async fn emit<'c>(client: &'c Arc<Client>, inbound: Inbound, calls: &mut Calls<'c>) {
    client.used("emit_to");
    let ack = inbound.ack.and_then(|ack| u128::try_from(ack).ok());
    let read = client
        .spend(inbound.joins())
        .and_then(|()| emit::read(client, &inbound));
    let (emissions, single) = match read {
        Ok(read) => read,
        Err(refusal) => {
            calls.push(Placed::refused(refusal), Call::new(ack, true));
            return answer_ready(client, calls);
        }
    };
    let call = Call {
        ack,
        single,
        emits: true,
    };
    if emit::are_kept(&emissions) {
        let answered = |answered| {
            answer_call(client, answered);
            client.lane.flush();
        };
        let placing = emit::place(client, emissions);
        let placed = calls.beside(placing, answered).await;
        return calls.push(placed.unwrap_or_else(Placed::refused), call);
    }
    while !calls.is_empty() {
        answer_first(client, calls).await;
    }
    let receipt = emit::emit(client, emissions).await;
    // The emitter counted what is kept of it.
    let is_told = call.ack.is_some() || receipt.is_err();
    answer_call(
        client,
        (
            receipt,
            Call {
                emits: false,
                ..call
            },
        ),
    );
    if is_told {
        client.lane.flush();
    }
}

/// Waits for the answer to the first call, and sends it with those behind it that are there.
pub(super) async fn answer_first(client: &Arc<Client>, calls: &mut Calls<'_>) {
    if let Some(answered) = calls.next().await {
        answer_call(client, answered);
        answer_ready(client, calls);
    }
}

/// Sends the answers that are there, and wakes the writer once for all of them.
pub(super) fn answer_ready(client: &Arc<Client>, calls: &mut Calls<'_>) {
    while let Some(answered) = calls.next_now() {
        answer_call(client, answered);
    }
    client.lane.flush();
}

/// Answers one call. The writer is not woken.
fn answer_call(client: &Arc<Client>, (receipt, call): Answered<Call>) {
    if let Ok(receipt) = &receipt
        && call.emits
    {
        let kept = receipt.accepted;
        client.context.metrics.emissions.accepted(true, kept);
    }
    let answer = receipt.and_then(|receipt| publish::answer(receipt, call.single));
    if let Some(refusal) = refusal_of(&answer) {
        client.context.metrics.refused("socketio", refusal);
        // A banned client was told already, by its last message.
        if refusal.code != "banned" {
            notify_refusal(client, refusal, None);
        }
    }
    if let Some(ack) = call.ack {
        client.acknowledge(ack, &acknowledgement(&answer));
    }
}

/// The name by which an event counts among the features.
fn feature<'e>(client: &Client, event: &'e str) -> &'e str {
    match client.namespace {
        Namespace::Admin if Act::named(event).is_some() => "admin",
        _ => event,
    }
}

async fn dispatch(client: &Arc<Client>, request: Request, inbound: &Inbound) -> Handled {
    // The application's own answer is for its client's acknowledgement only.
    if let Some(handled) = application::instead(client, &request, inbound).await {
        return handled;
    }
    let room = request.room();
    let handled = match (request.unread.first(), client.namespace) {
        (Some((_, rejection)), _) => Err(rejection.clone()),
        (None, Namespace::Root) => on_root(client, request).await,
        (None, Namespace::Conversations) => conversations::on(client, request).await,
        (None, Namespace::Admin) => on_admin(client, request).await,
        (None, Namespace::App(_)) => on_application(client, request).await,
    };
    // An ignored event is answered only if the client asked for it.
    if let Some(refusal) = refusal_of(&handled)
        && refusal.code != "unknown_event"
    {
        notify_refusal(client, refusal, room.as_deref());
    }
    handled
}

/// Whether an event may change a client's rooms, its filter or what it is told: its session is noted anew then, before the
/// answer.
fn changes_standing(event: &str) -> bool {
    matches!(
        event,
        "join_room" | "join" | "leave_room" | "leave" | "presence" | "authenticate"
    ) || event.contains("subscribe")
}

async fn on_root(client: &Arc<Client>, request: Request) -> Handled {
    match request.event.as_str() {
        "join_room" | "join" => rooms::join(client, &request).await,
        "leave_room" | "leave" => rooms::leave(client, &request).await,
        "subscribe" => rooms::subscribe(client, &request).await,
        "presence" => presence::watch(client, &request).await,
        "unsubscribe" => rooms::unsubscribe(client, &request).await,
        "agent_action" => action::act(client, request).await,
        "get_state" => state::get_state(client, &request).await,
        "get_history" => state::get_history(client, &request).await,
        "resume" => state::resume(client, &request).await,
        "authenticate" => session::authenticate(client, &request).await,
        "subscribe_conversations"
        | "subscribe_health_updates"
        | "subscribe_pipeline_flow"
        | "subscribe_metrics" => seneca::subscribe(client, &request.event).await,
        "subscribe_flow" => seneca::flow(client, &request, true).await,
        "unsubscribe_flow" => seneca::flow(client, &request, false).await,
        _ => on_admin(client, request).await,
    }
}

async fn on_admin(client: &Arc<Client>, request: Request) -> Handled {
    if client.namespace == Namespace::Admin
        && let Some(act) = Act::named(&request.event)
    {
        return admin(client, act, &request).await;
    }
    match request.event.as_str() {
        "authenticate" => session::authenticate(client, &request).await,
        "ping" => Ok(pong(client)),
        "get_stats" => state::get_stats(client).await,
        "get_rooms" => state::get_rooms(client).await,
        _ => Err(unknown(client)),
    }
}

/// An event on the namespace of an application. Most names are the application's own there, so the server keeps few.
async fn on_application(client: &Arc<Client>, request: Request) -> Handled {
    match request.event.as_str() {
        "join_room" => rooms::join(client, &request).await,
        "leave_room" => rooms::leave(client, &request).await,
        "presence" => presence::watch(client, &request).await,
        // A session that ends with its token can be given another one.
        "authenticate" if client.who().expires.is_some() => {
            session::authenticate(client, &request).await
        }
        _ => Err(unknown(client)),
    }
}

async fn admin(client: &Client, act: Act, request: &Request) -> Handled {
    let actor = Actor {
        who: client.who(),
        address: client.address,
        door: "socketio",
    };
    let answer = act
        .perform(client.context.controls(), actor, request.argument.clone())
        .await?;
    Ok(answer.into())
}
