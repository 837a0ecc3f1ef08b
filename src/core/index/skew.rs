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

/// Counts over a sample of events.
#[derive(Clone, Debug, Default)]
pub struct Skew {
    events: u32,
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

    /// Ends the counting: what is rare is forgotten.
    pub fn end(&mut self) {
        self.values.retain(|_, count| *count * RARE >= self.events);
        self.values.shrink_to_fit();
    }

    /// Number of events counted.
    pub fn events(&self) -> u32 {
        self.events
    }

    /// The share of events that satisfy a condition, where rules alone say `estimate`.
    pub fn share(&self, path: PathId, cond: Cond, operands: &Operands, estimate: f64) -> f64 {
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
