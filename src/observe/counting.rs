//! The way from the counters to the analytics.

use std::sync::Arc;

use super::{
    metrics::Metrics,
    usage::{Counts, Saved, UsagePicture},
};

impl Metrics {
    /// Brings the counts by time up to date. One task calls it every second, so the hot path reads no clock.
    pub fn count_usage(&self) {
        let updates = self.by_priority.iter().map(|(count, _)| count.get());
        self.usage.tick(Counts {
            updates: updates.sum(),
            deliveries: self.deliveries.get(),
            accepted: self.events.get(),
            ..Counts::default()
        });
    }

    /// The analytics' counts, at most half a second old.
    pub fn usage_picture(&self) -> Arc<UsagePicture> {
        self.count_usage();
        self.usage.picture()
    }

    /// The counts to be saved, as text of at most so many bytes.
    pub fn usage_to_save(&self, max_bytes: usize) -> String {
        self.count_usage();
        let (text, left_out) = Saved::of(&self.usage.look()).write(max_bytes);
        self.analytics.left_out(left_out);
        text
    }

    /// The analytics were saved with so many bytes, or could not be.
    pub fn analytics_saved(&self, bytes: Option<usize>) {
        self.analytics.saved(bytes);
    }
}
