//! The body of `GET /api/v1/alerts`: the alerts that hold now.

use serde_json::json;

use super::{Figures, object};
use crate::{access::authz::Permissions, event::Object, timestamp::Timestamp};

impl Figures {
    /// The alerts as a client with these permissions may see them: those about the server, and those about runs whose
    /// events it may see.
    pub fn alerts(&self, permissions: &Permissions) -> Object {
        let listed = self
            .sources
            .alerts()
            .map(|alerts| alerts.list(|audience| permissions.may_see_audience(audience, None)));
        let is_enabled = listed.is_some();
        let (alerts, total) = listed.unwrap_or_default();
        object(json!({
            "alerts": alerts, "total": total, "enabled": is_enabled, "checked_at": Timestamp::now(),
        }))
    }
}
