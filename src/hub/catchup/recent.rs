//! The newest records in memory, so that the last step of a client to the present reads no journal.

use std::{collections::VecDeque, sync::Arc};

use crate::journal::{Record, Seq};

/// The most records that are kept; they are bounded in bytes, too.
const MAX_RECORDS: usize = 2_048;
/// Bytes that a record costs beside its contents.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// The newest records, oldest first.
#[derive(Debug)]
pub(in crate::hub) struct Recent {
    records: VecDeque<Arc<Record>>,
    /// About how many bytes of memory the records hold.
    bytes: usize,
    max_bytes: usize,
}

impl Recent {
    pub(in crate::hub) fn new(max_bytes: usize) -> Self {
        Self {
            records: VecDeque::new(),
            bytes: 0,
            max_bytes,
        }
    }

    /// Bytes that the records may hold.
    pub(in crate::hub) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Keeps one more record; the oldest ones make room for it.
    pub(in crate::hub) fn push(&mut self, record: Arc<Record>) {
        self.bytes += record.held + RECORD_OVERHEAD_BYTES;
        self.records.push_back(record);
        while self.bytes > self.max_bytes || self.records.len() > MAX_RECORDS {
            let Some(gone) = self.records.pop_front() else {
                break;
            };
            self.bytes -= (gone.held + RECORD_OVERHEAD_BYTES).min(self.bytes);
        }
    }

    /// The records of these ranges (first place, how many), if all of them are here.
    pub(in crate::hub) fn get(&self, ranges: &[(Seq, u64)]) -> Option<Vec<Arc<Record>>> {
        if ranges.is_empty() {
            return Some(Vec::new());
        }
        let first = self.records.front().map(|record| record.seq)?;
        let mut records = Vec::new();
        for &(start, len) in ranges {
            if start < first {
                return None;
            }
            let skip = self.records.partition_point(|record| record.seq < start);
            let found = self.records.range(skip..);
            records.extend(found.take_while(|r| r.seq < start + len).cloned());
        }
        Some(records)
    }
}
