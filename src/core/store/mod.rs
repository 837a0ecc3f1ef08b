//! Live rule sets: immutable snapshots, published without a lock on the match path.
//! (Signatures first; the bodies follow with the index.)
#![allow(missing_docs, unused_variables)]

use crate::{error::EventError, limits::EventLimits, path::PathId, pattern::tree::Pattern, walk::{Leaves, Validation}};
use std::sync::Arc;

/// Names a rule while it lives; small and dense. A number is given out again only after `Applied::released` named it.
pub type RuleId = u32;

pub struct Put {
    /// The rule that this one replaces; it keeps its number and its place in the order.
    pub replaces: Option<RuleId>,
    pub pattern: Pattern,
}

#[derive(Default)]
pub struct Change {
    pub remove: Vec<RuleId>,
    pub put: Vec<Put>,
}

pub struct Applied {
    /// Numbers of the rules put, in the order of `Change::put`.
    pub ids: Vec<RuleId>,
    /// Numbers that no snapshot can name any more: whoever keeps names may drop theirs.
    pub released: Vec<RuleId>,
    /// The generation at which the change is visible.
    pub generation: u64,
}

pub struct RuleSet {}

impl RuleSet {
    pub fn new(limits: EventLimits) -> Self { todo!() }
    /// Applies a change as one: a reader sees all of it or nothing. Writers wait for one another; readers never wait.
    pub fn apply(&self, change: Change) -> Applied { todo!() }
    /// The current snapshot.
    pub fn load(&self) -> Arc<Snapshot> { todo!() }
}

pub struct Snapshot {}

/// Per-thread working memory; reused from event to event.
#[derive(Default)]
pub struct Scratch {
    /// Where a caller that walks something other than text (a Python dict) puts what it found.
    pub leaves: Leaves,
    /// The rules that matched, in the order in which they were put, each once.
    pub matches: Vec<RuleId>,
}

pub struct Lines {
    /// `rules[offsets[i]..offsets[i + 1]]` are the matches of line i (blank lines are not counted as lines).
    pub offsets: Vec<u64>,
    pub rules: Vec<RuleId>,
    /// Lines that are no events: (index of the event, byte offset of its line in the buffer, the error within the line).
    pub errors: Vec<(usize, usize, EventError)>,
}

pub struct Stats {
    pub rules: usize,
    pub conjunctions: usize,
    pub paths: usize,
    pub operands: usize,
    pub size_bytes: usize,
    pub generation: u64,
    pub segments: usize,
}

impl Snapshot {
    pub fn generation(&self) -> u64 { todo!() }
    /// Fills `scratch.matches`.
    pub fn match_text(&self, event: &[u8], level: Validation, scratch: &mut Scratch) -> Result<(), EventError> { todo!() }
    /// Whether any rule matches.
    pub fn match_any(&self, event: &[u8], level: Validation, scratch: &mut Scratch) -> Result<bool, EventError> { todo!() }
    /// Same as `match_text` for leaves already in `scratch.leaves` (their bytes in `scratch.leaves.unescaped`).
    pub fn match_leaves(&self, scratch: &mut Scratch) -> Result<(), EventError> { todo!() }
    /// Every line of JSON lines, on `threads` threads (0 = as many as there are cores).
    pub fn match_lines(&self, buffer: &[u8], level: Validation, threads: usize) -> Lines { todo!() }
    /// Only the number of matches of every rule (indexed by RuleId), the number of events, and the errors.
    pub fn count_lines(&self, buffer: &[u8], level: Validation, threads: usize) -> (Vec<u64>, usize, Vec<(usize, usize, EventError)>) { todo!() }
    /// The pattern of a rule, rebuilt from the index (equal in meaning to what was put).
    pub fn pattern(&self, rule: RuleId) -> Option<Pattern> { todo!() }
    pub fn stats(&self) -> Stats { todo!() }
}
