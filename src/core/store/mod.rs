//! Live rule sets: immutable snapshots, published without a lock on the match path.
//!
//! A set is a few segments, each frozen, each at least `GROWTH` times larger than the next: a change builds a small
//! segment and merges it with its small neighbours, so a rule is rebuilt O(log n) times in its life. A rule that is
//! removed or replaced only gets the version at which it died; readers of older snapshots still see it.

mod build;
mod lines;
mod ruleset;
mod snapshot;

pub use lines::{Counts, LineError, Lines};
pub use ruleset::{Applied, CapacityError, Change, Put, RuleSet};
pub use snapshot::{Scratch, Snapshot, Stats};

/// Names a rule while it lives; small and dense. A number is given out again only after `Applied::released` named it.
pub type RuleId = u32;
