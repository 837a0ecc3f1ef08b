//! The choice of access conditions: under which field is a conjunction stored, so that events which do not match it
//! rarely meet it?
//!
//! The index sees rules, not events, so it estimates: a value met often among rules is met often among events, and a
//! path with many different values is an identifier of which any event has one. Exact values on such a path win;
//! ranges, wildcards and mere presence come after. Where a sample of events was counted, it corrects the estimates.

use super::{
    operands::Operands,
    record::{Access, Branch, Cond, ConjId, FieldRec, MANY_RULES, Op, Records},
    segment::Segment,
    skew::Skew,
};
use crate::map::Map;
use crate::path::PathId;
use std::borrow::Cow;

/// How often conditions occur within one bucket.
#[derive(Default)]
pub struct Census {
    /// By operand: the path on which it was met first as an exact value, and how often; only for large buckets.
    exact: Vec<(PathId, u32)>,
    /// The other conditions: (path and class, argument) to number of conjunctions.
    conds: Map<(u32, u32), u32>,
    /// (path, class) to (number of conditions, number of different ones).
    paths: Map<u32, (u32, u32)>,
}

/// A bucket is large when it has more than one conjunction for so many operands: then an array costs less than a map.
const OPERANDS_A_CONJUNCTION: usize = 8;

/// Conditions of one class compete for the same values.
fn class(op: Op) -> u32 {
    match op {
        Op::Exact | Op::Ip | Op::IgnoreCase => 0,
        Op::Prefix | Op::PrefixIgnoreCase => 1,
        Op::Suffix | Op::SuffixIgnoreCase => 2,
        Op::Wildcard => 3,
        Op::Range => 4,
        Op::Cidr => 5,
        _ => 6,
    }
}

#[inline]
fn path_key(path: PathId, cond: Cond) -> u32 {
    path | class(cond.op) << 24
}

/// Above this a field does not divide a bucket worth the visit.
pub const UNSELECTIVE: f64 = 0.6;

impl Census {
    /// Counts the conditions of the conjunctions; `operands` is the number of operands.
    pub fn new(conjs: impl ExactSizeIterator<Item = ConjId>, records: &Records, operands: usize, used: &[PathId]) -> Self {
        let mut new = Self::default();
        if conjs.len() * OPERANDS_A_CONJUNCTION > operands {
            new.exact = vec![(0, 0); operands];
        }
        for conj in conjs {
            let rec = &records.conjs[conj as usize];
            for field in records.fields_of(rec) {
                if used.contains(&field.path()) {
                    continue;
                }
                records.each_cond(field, |cond| new.count(field.path(), cond));
            }
            if let Some(groups) = records.groups_of(rec) {
                new.count_groups(groups, records);
            }
        }
        new
    }

    fn count(&mut self, path: PathId, cond: Cond) {
        let class = class(cond.op);
        if class == 6 {
            return;
        }
        let key = path_key(path, cond);
        let seen = match self.exact.get_mut(cond.arg as usize) {
            Some((first, seen)) if class == 0 && (*seen == 0 || *first == path) => {
                *first = path;
                seen
            }
            _ => self.conds.entry((key, cond.arg)).or_default(),
        };
        *seen += 1;
        let fresh = (*seen == 1) as u32;
        let (all, distinct) = self.paths.entry(key).or_default();
        *all += 1;
        *distinct += fresh;
    }

    fn seen(&self, path: PathId, cond: Cond, key: u32) -> u32 {
        match self.exact.get(cond.arg as usize) {
            Some((first, seen)) if class(cond.op) == 0 && *first == path => *seen,
            _ => *self.conds.get(&(key, cond.arg)).unwrap_or(&1),
        }
    }

    fn count_groups(&mut self, groups: &[Vec<super::record::Branch>], records: &Records) {
        for branch in groups.iter().flatten() {
            for field in records.branch_fields(branch) {
                records.each_cond(field, |cond| self.count(field.path(), cond));
            }
            self.count_groups(&branch.groups, records);
        }
    }

    /// Estimated share of events that satisfy a condition.
    fn share(&self, path: PathId, cond: Cond, records: &Records, operands: &Operands, skew: Option<&Skew>) -> f64 {
        let estimate = self.estimate(path, cond, records, operands);
        skew.map_or(estimate, |skew| skew.share(path, cond, records, operands, estimate))
    }

    /// The same, from the rules alone.
    fn estimate(&self, path: PathId, cond: Cond, records: &Records, operands: &Operands) -> f64 {
        let known = || {
            let key = path_key(path, cond);
            let count = self.seen(path, cond, key) as f64;
            let (all, distinct) = *self.paths.get(&key).unwrap_or(&(1, 1));
            0.5 * count / (all as f64 + 1.0) + 0.5 / (distinct as f64 + 1.0)
        };
        match cond.op {
            Op::Exact | Op::Ip => known(),
            Op::IgnoreCase => known() * 1.1,
            // An affix of one character meets one value in about 16, whatever the rules say.
            Op::Prefix | Op::PrefixIgnoreCase | Op::Suffix | Op::SuffixIgnoreCase => {
                (known() * 1.2).max(0.5f64.powi(4 * operands.bytes(cond.arg).len().min(8) as i32)).min(0.9)
            }
            Op::Wildcard => (known() * 1.5).max(0.01),
            Op::Range => {
                let range = &records.ranges[cond.arg as usize];
                if range.lo == range.hi {
                    known()
                } else if records.range_is_bounded(range) {
                    0.25
                } else {
                    0.5
                }
            }
            Op::Cidr => (known() * 1.2).max(0.5f64.powf(records.cidrs[cond.arg as usize].len as f64 / 4.0)),
            _ => 0.9,
        }
    }

    /// Estimated share of events that satisfy a field.
    pub fn score(&self, field: &FieldRec, records: &Records, operands: &Operands, skew: Option<&Skew>) -> f64 {
        let mut sum = 0.0;
        records.each_cond(field, |cond| sum += self.share(field.path(), cond, records, operands, skew));
        sum
    }
}

/// A conjunction placed this often is not divided into more copies.
pub const MAX_COPIES: u32 = 256;

/// Chooses within one bucket.
pub struct Chooser<'a> {
    /// What the conjunctions demand.
    pub records: &'a Records,
    /// Of what.
    pub operands: &'a Operands,
    /// What is known of events.
    pub skew: Option<&'a Skew>,
    /// How often conditions occur in the bucket.
    pub census: &'a Census,
    /// The paths divided by on the way to the bucket.
    pub used: &'a [PathId],
}

/// Where a conjunction goes.
pub struct Found<'a> {
    /// How it is found.
    pub access: Access,
    /// Estimated share of events that satisfy that.
    pub share: f64,
    /// The fields whose conditions it is placed under.
    pub fields: Cow<'a, [FieldRec]>,
}

impl<'a> Chooser<'a> {
    /// The best field of a conjunction that has so many copies; `None`, if none is worth it.
    pub fn find(&self, conj: ConjId, copies: u32) -> Option<Found<'a>> {
        let records = self.records;
        let rec = &records.conjs[conj as usize];
        // At the root every conjunction has to go somewhere that its events reach; below, an unselective field is not worth a copy.
        let root = self.used.is_empty();
        let limit = if root { usize::MAX } else { (MAX_COPIES / copies).max(1) as usize };
        let fields = records.fields_of(rec);
        let mut best: Option<Found<'a>> = None;
        for (at, field) in fields.iter().enumerate() {
            if self.used.contains(&field.path()) || records.may_be_absent(field) || records.cond_count(field) > limit {
                continue;
            }
            let share = self.score(field);
            if best.as_ref().is_none_or(|best| share < best.share) {
                best = Some(Found { access: Access::Field(at as u32), share, fields: Cow::Borrowed(&fields[at..at + 1]) });
            }
        }
        if root
            && best.as_ref().is_none_or(|best| best.share > 0.5)
            && let Some(groups) = records.groups_of(rec)
        {
            for group in groups {
                let mut fields = Vec::new();
                if let Some(share) = self.score_group(group, &mut fields)
                    && best.as_ref().is_none_or(|best| share < best.share)
                {
                    best = Some(Found { access: Access::Groups, share, fields: Cow::Owned(fields) });
                }
            }
        }
        // Only absence can be asked for: at the root and without arrays in play that is a condition like any other.
        if root && best.is_none() && rec.flags == rec.flags & MANY_RULES && rec.field_count == 1 {
            best = Some(Found { access: Access::Field(0), share: 0.9, fields: Cow::Borrowed(fields) });
        }
        best.filter(|best| root || best.share <= UNSELECTIVE)
    }

    fn score(&self, field: &FieldRec) -> f64 {
        self.census.score(field, self.records, self.operands, self.skew)
    }

    /// The best field of every alternative of an `$or` group, if each has one that a value must satisfy.
    fn score_group(&self, group: &[Branch], fields: &mut Vec<FieldRec>) -> Option<f64> {
        let mut sum = 0.0;
        for branch in group {
            let mut best: Option<(f64, Vec<FieldRec>)> = None;
            for field in self.records.branch_fields(branch) {
                if self.records.may_be_absent(field) {
                    continue;
                }
                let score = self.score(field);
                if best.as_ref().is_none_or(|(s, _)| score < *s) {
                    best = Some((score, vec![*field]));
                }
            }
            for inner in &branch.groups {
                let mut found = Vec::new();
                if let Some(score) = self.score_group(inner, &mut found)
                    && best.as_ref().is_none_or(|(s, _)| score < *s)
                {
                    best = Some((score, found));
                }
            }
            let (score, mut found) = best?;
            sum += score;
            fields.append(&mut found);
        }
        Some(sum)
    }
}

/// How many conjunctions of a segment an event meets under the conditions by which they are found now, and how many it would
/// if they were chosen anew, as far as the root can tell; both are estimates by what is known of events.
/// COST: about half a microsecond a conjunction.
pub fn reconsider(segment: &Segment, skew: &Skew) -> (f64, f64) {
    let (records, operands) = (&segment.records, &segment.operands);
    let conjs = 0..records.conjs.len() as ConjId;
    let census = Census::new(conjs.clone(), records, operands.len(), &[]);
    let chooser = Chooser { records, operands, skew: Some(skew), census: &census, used: &[] };
    conjs.fold((0.0, 0.0), |(now, anew), conj| {
        let best = chooser.find(conj, 1).map_or(1.0, |found| found.share);
        let rec = &records.conjs[conj as usize];
        let held = match records.access_of(rec) {
            Access::Field(at) => chooser.score(&records.fields_of(rec)[at as usize]),
            Access::Groups => best,
            Access::Nothing => 1.0,
        };
        (now + held, anew + best)
    })
}
