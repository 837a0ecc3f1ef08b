//! Live rule sets: immutable snapshots, published without a lock on the match path.
//!
//! A set is a few segments, each frozen, of levels that grow from the newest to the oldest: a change builds a small
//! segment and merges it with its small neighbours; longer merges are done in the background (`writer` says which, and
//! `ruleset` runs them). A rule that is removed or replaced only gets the version at which it died; readers of older
//! snapshots still see it.

mod adapt;
mod costs;
mod draft;
mod group;
mod lines;
mod process;
mod read;
mod ruleset;
mod snapshot;
mod writer;

pub use costs::Cost;
pub use draft::{Draft, Placed};
pub use lines::{Counts, LineError, Lines, MATCH, NO_EVENT, NO_MATCH};
pub use process::{Owned, PerProcess};
pub use read::Refused;
pub use ruleset::{Applied, CapacityError, Change, Put, RuleSet, Work};
pub use snapshot::{Scratch, Snapshot, Stats};

/// Names a rule while it lives; small and dense. A number is given out again only after `Applied::released` named it.
pub type RuleId = u32;
