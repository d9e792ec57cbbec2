//! The names of the counters, with a line of help for each.

use prometheus_client::registry::Registry;

use super::metrics::Metrics;

impl Metrics {
    /// Registers all metrics.
    pub(super) fn register(&self, r: &mut Registry) {
        self.bodies.register(r);
        self.compression.register(r);
        self.stall.register(r);
        super::traces::register(r);
        self.analytics.register(r);
        self.sockets.register(r);
        self.live.register(r);
        self.families.register(r);
        self.attempts.register(r);
        self.load.register(r);
        self.emissions.register(r);
        self.translations.register(r);
        self.process.register(r);
        r.register("events", "Events kept in the journal", self.events.clone());
        r.register(
            "events_duplicate",
            "Events whose id was there already",
            self.duplicates.clone(),
        );
        r.register(
            "event_id_conflicts",
            "Events kept under another id, since their producer had used theirs for another event",
            self.id_conflicts.clone(),
        );
        r.register(
            "events_rejected",
            "Events not taken, by code",
            self.rejected.clone(),
        );
        r.register(
            "ids_too_long",
            "Events not taken because an id in them is longer than max_id_length",
            self.long_ids.clone(),
        );
        r.register(
            "input_mended",
            "Values that were odd and were read by their one evident meaning, by what was odd",
            self.mended.clone(),
        );
        r.register(
            "producers_waited",
            "Calls that waited until enough of what their producer published before was sent",
            self.producers_waited.clone(),
        );
        r.register(
            "publishes_waited",
            "Times that a producer's next call waited because too many of its calls had no answer yet",
            self.publishes_waited.clone(),
        );
        r.register(
            "requests_refused",
            "Client requests refused, by code",
            self.refused.clone(),
        );
        r.register(
            "rooms_refused",
            "Requests to join rooms that a limit refused, by the limit",
            self.rooms_refused.clone(),
        );
        r.register(
            "client_events_unknown",
            "Client events nobody handles",
            self.unknown_events.clone(),
        );
        r.register(
            "retries",
            "Things sent again after they failed, by what they are",
            self.retried.clone(),
        );
        r.register(
            "packets_unreadable",
            "Client packets that could not be read and were answered, by what is wrong with them",
            self.unreadable.clone(),
        );
        r.register(
            "messages_unpackable",
            "Messages that a client with the msgpack parser did not get, since their JSON has no msgpack",
            self.unpackable.clone(),
        );
        r.register(
            "connections_killed",
            "Connections ended by the server, by reason",
            self.killed.clone(),
        );
        r.register(
            "connections_ended",
            "Namespace connections that ended, by reason",
            self.disconnected.clone(),
        );
        r.register(
            "connections",
            "Namespace connections now",
            self.connections.clone(),
        );
        r.register(
            "filter_bytes",
            "Bytes of memory that the observers' filters hold; those who see the same share one",
            self.filter_bytes.clone(),
        );
        r.register(
            "updates",
            "Updates sent (once each, however many observers), by priority",
            self.updates.clone(),
        );
        r.register(
            "events_coalesced",
            "Events coalesced into a later one's update",
            self.coalesced.clone(),
        );
        r.register(
            "deliveries",
            "Updates queued for an observer",
            self.deliveries.clone(),
        );
        r.register(
            "audience_looked_at",
            "Observers looked at to find those who get an update",
            self.looked_at.clone(),
        );
        r.register(
            "observers_parked",
            "Times that an observer read too slowly and was parked",
            self.parked.clone(),
        );
        r.register(
            "tokens_denied",
            "Tokens that were not believed, by reason",
            self.tokens_denied.clone(),
        );
        r.register(
            "clients_banned",
            "Users and addresses kept out for too many messages",
            self.banned.clone(),
        );
        r.register(
            "admin_acts",
            "What admins did or tried to change, by act and outcome",
            self.admin_acts.clone(),
        );
        r.register(
            "files_reloaded",
            "Changed files that were taken, or refused and the last good ones kept",
            self.reloaded.clone(),
        );
        r.register(
            "deliveries_taken_back",
            "Updates that a parked observer had not begun to get, and that it is sent coalesced",
            self.taken_back.clone(),
        );
        r.register(
            "deliveries_replayed",
            "Updates queued for an observer that had missed them",
            self.replayed.clone(),
        );
        r.register(
            "replays_read",
            "Records read from the journal for observers that were behind; those at many places share them",
            self.replays_read.clone(),
        );
        r.register(
            "replays_failed",
            "Times that what was missed could not be read; after three for a client it is sent the state instead",
            self.replays_failed.clone(),
        );
        r.register(
            "replays_given_up",
            "Clients that were sent the state instead of what they missed, and why",
            self.replays_given_up.clone(),
        );
        r.register(
            "delivery_seconds",
            "From an event's acceptance to its update in the observers' queues, by priority",
            self.delivery_seconds.clone(),
        );
    }
}
