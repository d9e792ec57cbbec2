//! Decisions of admins on other nodes.

use super::Authenticator;
use crate::{access::authz::DisconnectReason, decision::Decision};

impl Authenticator {
    /// Takes over what admins decide on other nodes, and ends the sessions that it is about.
    pub(super) async fn follow_decisions(&self) {
        let Some(mut made) = self.blocklist.made_elsewhere() else {
            return;
        };
        while made.changed().await.is_ok() {
            let decisions = made.borrow_and_update().clone();
            for decision in self.blocklist.take_over(decisions) {
                match decision {
                    Decision::Ban(ban) => {
                        self.sessions
                            .end(DisconnectReason::Banned, |session| session.is(&ban.who));
                    }
                    Decision::Revoke(made) => {
                        self.sessions
                            .end(DisconnectReason::Revoked, |session| session.has(&made.what));
                    }
                    Decision::Lift(_) | Decision::Forgive(_) => {}
                }
            }
        }
    }
}
