//! The places that a client may name, and the verdicts on updates that follow from them.

/// The verdict on an update for a client, by the cursors that it named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The update comes if the client wants it.
    Open,
    /// The update lies before a place that the client named, or before it came: it must not come.
    Closed,
    /// A snapshot that the client was given says it: the update must not come alone.
    InSnapshot,
    /// The update may come or not.
    Either,
}

/// A place that a client may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// No cursor since it came.
    None,
    /// The newest cursor when it came.
    Start,
    /// The cursor of an update as it was sent to everybody.
    Live(usize),
    /// The cursor of an update that it had missed.
    Missed,
    /// The cursor at which it was up to date; sent after this many updates.
    UpToDate(usize),
    /// The cursor of a snapshot.
    Snapshot,
}
