//! All nodes that share the journal, as one: a list of them, sums of their figures, the members of rooms on all of them.
//!
//! Each is asked when somebody asks, so a node that is dead counts for nothing at once. On a node of its own nobody is asked.

mod all;
mod figures;
mod members;

pub(crate) use all::{AllNodes, NodeParts};
