//! The engine's answers to CONNECT, which are held until it has introduced the client.
//!
//! The engine introduces a client after it has sent the answer: a client that was quick could say something before the server knew
//! that it is on its namespace, or leave, and come again while the engine still took it for one that is coming.

use std::task::{Context, Poll};

use smallvec::SmallVec;

use super::{
    super::{message::CONNECT, packet::Packet},
    express::ExpressLane,
};
use crate::channel::Namespace;

impl ExpressLane {
    /// Notes that the engine has introduced a client: its stay has begun.
    pub(in crate::doors::socketio) fn introduced(&self, namespace: Namespace) {
        let mut state = self.lock();
        let introduced = state.introduced.of(namespace);
        *introduced = introduced.saturating_add(1);
        if let Some(waker) = state.holds_answer.take() {
            waker.wake();
        }
    }

    /// Whether these packets of the engine may go out: all clients are introduced that they tell that they are in. Only
    /// one task at a time takes packets of a session.
    pub(in crate::doors::socketio::engine) fn poll_introduced<'p>(
        &self,
        cx: &mut Context<'_>,
        packets: impl Iterator<Item = &'p [u8]>,
    ) -> Poll<()> {
        let answered: SmallVec<[Namespace; 4]> = packets.filter_map(answered).collect();
        if answered.is_empty() {
            return Poll::Ready(());
        }
        let mut state = self.lock();
        let is_introduced =
            |namespace: &Namespace| state.introduced.get(*namespace).is_some_and(|n| *n > 0);
        if self.killed().is_none() && !answered.iter().all(is_introduced) {
            state.holds_answer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        for namespace in answered {
            let introduced = state.introduced.of(namespace);
            *introduced = introduced.saturating_sub(1);
        }
        Poll::Ready(())
    }
}

/// The namespace on which a packet tells a client that it is in.
fn answered(packet: &[u8]) -> Option<Namespace> {
    if !packet.starts_with(CONNECT) {
        return None;
    }
    let packet = std::str::from_utf8(packet.strip_prefix(b"4")?).ok()?;
    Namespace::at(Packet::read(packet).ok()?.namespace)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Wake, Waker},
    };

    use super::{super::tests::lane, *};
    use crate::doors::socketio::engine::CloseReason;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn an_answer_waits_until_its_client_is_introduced() {
        let lane = lane(1 << 20);
        let chat = Namespace::declare("/lane.answer").expect("a path");
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let mut held = |packets: &[&'static [u8]]| {
            lane.poll_introduced(&mut cx, packets.iter().copied())
                .is_pending()
        };
        let (root, own): (&[u8], &[u8]) = (b"40{\"sid\":\"x\"}", b"40/lane.answer,{\"sid\":\"y\"}");
        let refused = b"44/lane.answer,{\"message\":\"no\"}";
        assert!(!held(&[refused, b"42[\"40\"]", b"2"]), "they tell nobody");
        assert!(held(&[root]));
        lane.introduced(Namespace::Root);
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(held(&[root, own]), "both go together");
        lane.introduced(chat);
        assert!(!held(&[root, own]));
        assert!(held(&[own]), "each is introduced once");
        // One that is introduced before its answer is there.
        lane.introduced(chat);
        assert!(!held(&[own]));
        // A session that ends holds nothing.
        assert!(held(&[own]));
        let before = woken.0.load(Ordering::SeqCst);
        lane.kill(CloseReason::Stalled);
        assert_eq!(woken.0.load(Ordering::SeqCst), before + 1);
        assert!(!held(&[own]));
    }
}
