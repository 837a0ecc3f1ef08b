//! What a sample of events says of the conditions of rules: how many events have a path, how many have a value on it, and
//! for conditions that are no matter of equality some of the values themselves. The index itself sees rules only, and rules do not tell that one tenant sends nine of ten events.

use super::{
    operands::{OperandKind, Operands},
    record::{Cond, Op, Records},
    wildcard,
};
use crate::{
    map::Map,
    path::PathId,
    value::{fold, ip::Ip},
};
use std::collections::hash_map::Entry;

/// An estimate from the rules counts as much as so many events of the sample.
const WEIGHT: f64 = 8.0;
/// Values of fewer than one in so many events are as good as unseen, and forgotten.
const RARE: u32 = 512;

/// Counts that never end keep about so many values, and count so many events in full.
const MOST_COUNTS: usize = 16_384;
const MOST_EVENTS: u32 = 4_096;

/// Values kept of a path, the longest text among them, and of how many paths they are kept.
const KEPT: usize = 32;
const LONGEST_KEPT: usize = 256;
const MOST_KEPT_PATHS: usize = 256;
/// An estimate from the rules counts as much as so many of them.
const KEPT_WEIGHT: f64 = 2.0;

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
    /// By path, some of the values.
    kept: Map<PathId, KeptOfPath>,
    random: u64,
}

/// A value of an event.
#[derive(Clone, Copy, Debug)]
pub enum Sample<'a> {
    /// A string.
    Text(&'a [u8]),
    /// The key of a number.
    Number(u64),
    /// Anything else.
    Other,
}

#[derive(Clone, Debug, Default)]
struct KeptOfPath {
    values: Vec<Kept>,
    seen: u32,
}

#[derive(Clone, Debug)]
enum Kept {
    Text(Box<[u8]>),
    Number(u64),
    Other,
}

impl Kept {
    /// Whether the value meets a condition that is no matter of equality.
    fn meets(&self, cond: Cond, records: &Records, operands: &Operands) -> bool {
        let operand = || operands.bytes(cond.arg);
        match (self, cond.op) {
            (Self::Text(text), Op::Prefix) => text.starts_with(operand()),
            (Self::Text(text), Op::PrefixIgnoreCase) => fold::meets_prefix(text, operand()).is_some(),
            (Self::Text(text), Op::Suffix) => text.ends_with(operand()),
            (Self::Text(text), Op::SuffixIgnoreCase) => fold::meets_suffix(text, operand()),
            (Self::Text(text), Op::Wildcard) => wildcard::accepts(&records.wildcards[cond.arg as usize], text),
            (Self::Text(text), Op::Cidr) => Ip::parse(text).is_some_and(|ip| records.cidrs[cond.arg as usize].contains(ip)),
            (Self::Number(key), Op::Range) => (records.ranges[cond.arg as usize].lo..=records.ranges[cond.arg as usize].hi).contains(key),
            _ => false,
        }
    }
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

    /// Keeps a value of a path, or not: what is kept is a fair choice, among more than some thousands of the newest.
    pub fn keep(&mut self, path: PathId, value: Sample<'_>) {
        let full = self.kept.len() >= MOST_KEPT_PATHS;
        let kept = match self.kept.entry(path) {
            Entry::Vacant(_) if full => return,
            entry => entry.or_default(),
        };
        kept.seen += 1;
        let at = if kept.values.len() < KEPT {
            kept.values.push(Kept::Other);
            kept.values.len() - 1
        } else {
            self.random = self.random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (self.random >> 33) as usize % kept.seen.min(KEPT as u32 * 64) as usize
        };
        if let Some(place) = kept.values.get_mut(at) {
            *place = match value {
                Sample::Text(text) if text.len() <= LONGEST_KEPT => Kept::Text(text.into()),
                Sample::Number(key) => Kept::Number(key),
                _ => Kept::Other,
            };
        }
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
    pub fn share(&self, path: PathId, cond: Cond, records: &Records, operands: &Operands, estimate: f64) -> f64 {
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
            _ => match self.kept.get(&path) {
                Some(KeptOfPath { values, .. }) => {
                    let met = values.iter().filter(|value| value.meets(cond, records, operands)).count() as f64;
                    present * (met + KEPT_WEIGHT * estimate) / (values.len() as f64 + KEPT_WEIGHT)
                }
                None => present * estimate,
            },
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
