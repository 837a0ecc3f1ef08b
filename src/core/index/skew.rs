//! What a sample of events says of the conditions of rules: how many events have a path, and how many have a value on
//! it. The index itself sees rules only, and rules do not tell that one tenant sends nine of ten events.

use super::{
    operands::{OperandKind, Operands},
    record::{Cond, Op},
};
use crate::{map::Map, path::PathId, value::fold};

/// An estimate from the rules counts as much as so many events of the sample.
const WEIGHT: f64 = 8.0;
/// Values of fewer than one in so many events are as good as unseen, and forgotten.
const RARE: u32 = 512;

/// Counts that never end keep about so many values, and count so many events in full.
const MOST_COUNTS: usize = 16_384;
const MOST_EVENTS: u32 = 4_096;

/// Counts over a sample of events.
#[derive(Clone, Debug, Default)]
pub struct Skew {
    events: u32,
    /// Paths below this were looked for in all events; nothing is known of others.
    known: usize,
    /// The same for the events since half of them were forgotten the last time.
    next_known: usize,
    paths: Map<PathId, u32>,
    /// By path and hash of an operand.
    values: Map<(PathId, u64), u32>,
}

impl Skew {
    /// Counts an event: its paths, and the hashes of its values as operands; sorts both and leaves them empty.
    pub fn add(&mut self, seen: &mut Vec<(PathId, Option<u64>)>) {
        self.events += 1;
        seen.sort_unstable();
        seen.dedup();
        let mut last = None;
        for (path, hash) in seen.drain(..) {
            if last != Some(path) {
                *self.paths.entry(path).or_default() += 1;
                last = Some(path);
            }
            if let Some(hash) = hash {
                *self.values.entry((path, hash)).or_default() += 1;
            }
        }
    }

    /// Counts an event like `add`, for counts that never end: what comes seldom is forgotten when there is too much of it,
    /// and old events count less and less. `paths` is the number of paths that were looked for.
    pub fn add_bounded(&mut self, seen: &mut Vec<(PathId, Option<u64>)>, paths: usize) {
        if self.events == 0 {
            (self.known, self.next_known) = (paths, paths);
        }
        self.add(seen);
        if self.events >= MOST_EVENTS {
            self.events /= 2;
            (self.known, self.next_known) = (self.next_known, paths);
            self.paths.values_mut().chain(self.values.values_mut()).for_each(|count| *count = count.div_ceil(2));
        }
        let mut seldom = 1;
        while self.len() > MOST_COUNTS {
            self.values.retain(|_, count| *count > seldom);
            self.paths.retain(|_, count| *count > seldom);
            seldom *= 2;
        }
    }

    /// Number of counts.
    pub fn len(&self) -> usize {
        self.paths.len() + self.values.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the counting of events in which so many paths were looked for: what is rare is forgotten.
    pub fn end(&mut self, paths: usize) {
        self.known = self.known.max(paths);
        self.values.retain(|_, count| *count * RARE >= self.events);
        self.values.shrink_to_fit();
    }

    /// Number of events counted.
    pub fn events(&self) -> u32 {
        self.events
    }

    /// The share of events that satisfy a condition, where rules alone say `estimate`.
    pub fn share(&self, path: PathId, cond: Cond, operands: &Operands, estimate: f64) -> f64 {
        if path as usize >= self.known {
            return estimate;
        }
        let events = f64::from(self.events);
        let weighed = |count: Option<&u32>, estimate: f64| (f64::from(count.copied().unwrap_or(0)) + WEIGHT * estimate) / (events + WEIGHT);
        let present = weighed(self.paths.get(&path), 0.9);
        match cond.op {
            Op::Exact | Op::Ip | Op::IgnoreCase => weighed(self.values.get(&(path, hash(cond, operands))), estimate),
            Op::Absent => 1.0 - present,
            Op::Present | Op::NotExact | Op::NotPrefix | Op::NotSuffix | Op::NotIgnoreCase | Op::NotWildcard => present,
            _ => estimate * present,
        }
    }
}

/// The hash under which the values that meet a condition are counted.
fn hash(cond: Cond, operands: &Operands) -> u64 {
    let bytes = operands.bytes(cond.arg);
    if cond.op == Op::IgnoreCase {
        let mut folded = Vec::new();
        fold::fold_into(bytes, &mut folded);
        return operands.hasher().hash(OperandKind::Folded, &folded);
    }
    operands.hasher().hash(operands.kind(cond.arg), bytes)
}
