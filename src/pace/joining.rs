//! Two updates as one.

use super::group::PendingUpdate;
use crate::{
    event::Object,
    update::{Coalescing, coalesce, join_calls, join_sums},
};

/// Coalesces two updates into one: the later one, with nothing of the earlier one lost. The caller adds the entities,
/// because it has to index them.
pub(super) fn join(
    mut earlier: PendingUpdate,
    mut later: PendingUpdate,
    how: Coalescing,
) -> PendingUpdate {
    let since = earlier.since.unwrap_or(earlier.record.event.timestamp);
    let mut unsent = std::mem::take(&mut earlier.unsent);
    unsent.extend_from_slice(&later.unsent);
    let by = later.by.shared_with(earlier.by);
    let (accepted, priority) = (earlier.accepted, later.priority.min(earlier.priority));
    let joined = match how {
        Coalescing::Calls | Coalescing::Sums => listed(earlier, &later, how),
        how => laid_over(earlier, &later, how),
    };
    // Filters go by the priority: a client that wants the more urgent one of the two gets both.
    later.update.priority = priority;
    PendingUpdate {
        data: joined.data,
        weight: joined.weight,
        held: joined.held,
        unsent,
        since: Some(since),
        priority,
        by,
        accepted,
        ..later
    }
}

/// The data of two updates, and how much it holds.
struct Joined {
    data: Option<Object>,
    weight: usize,
    held: usize,
}

fn laid_over(earlier: PendingUpdate, later: &PendingUpdate, how: Coalescing) -> Joined {
    let before = earlier.data.as_ref().unwrap_or(&earlier.record.event.data);
    let covered = how == Coalescing::Replace
        || (how != Coalescing::Text && coalesce::later_covers(before, &later.record.event.data));
    let data = (!covered).then(|| {
        let before = earlier
            .data
            .unwrap_or_else(|| earlier.record.event.data.clone());
        coalesce::coalesce(before, &later.record.event.data, how)
    });
    Joined {
        // Text grows with each delta; other fields replace each other.
        weight: match how {
            Coalescing::Text => earlier.weight + later.weight,
            _ => earlier.weight.max(later.weight),
        },
        held: match &data {
            Some(_) => earlier.held + later.held,
            None => later.held,
        },
        data,
    }
}

/// Calls that are listed, and sums by model: the data grows only with the number of lines.
fn listed(earlier: PendingUpdate, later: &PendingUpdate, how: Coalescing) -> Joined {
    /// About how many bytes of memory a line holds, and how many of text.
    const LINE_HELD: usize = 1_200;
    const LINE_TEXT: usize = 160;
    let (first, event) = (&*earlier.record.event, &*later.record.event);
    let (data, lines) = match how {
        Coalescing::Calls => join_calls(earlier.data, first, event),
        _ => join_sums(
            earlier.data.unwrap_or_else(|| first.data.clone()),
            &event.data,
        ),
    };
    Joined {
        data: Some(data),
        weight: later.record.weight + lines * LINE_TEXT,
        held: later.record.held + lines * LINE_HELD,
    }
}
