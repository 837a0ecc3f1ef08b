//! Reports on a snapshot: what each rule costs and why, and what a sample of events holds. Never on the path of a match.

use super::{
    RuleId,
    snapshot::{Scratch, Snapshot},
};
use crate::{
    index::{
        operands::OperandKind,
        record::Access,
        segment::Segment,
        skew::{Sample, Skew},
    },
    matcher::hits::Tally,
    path::PathId,
    pattern::{
        print,
        tree::{Item, Pattern},
    },
    value::{
        fold,
        ip::Ip,
        number::{self, Scanned},
    },
    walk::{Kind, Leaves, Validation, lines::lines},
};

/// What a rule costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The rule.
    pub rule: RuleId,
    /// The conditions under which it is looked up first, as the text of a pattern; `None` if it has none that could be
    /// looked up, so that every event has it as a candidate.
    pub access: Option<String>,
    /// Estimated share of events for which it is a candidate, that is for which its conditions are tried one by one; a
    /// rule of several conjunctions may be one more than once.
    pub expected: f64,
    /// For how many events of the sample it was a candidate, and how many it matched.
    pub observed: Option<(u64, u64)>,
}

impl Snapshot {
    /// The costs of all rules, in the order in which they were put. With a sample of JSON lines candidates and matches are
    /// counted, and the number of events is returned, too; lines that are no events do not count.
    /// COST: some microseconds a rule, and for an event of the sample what a match costs.
    pub fn costs(&self, sample: Option<(&[u8], Validation)>) -> (Vec<Cost>, usize) {
        let mut scratch = Scratch::default();
        let by_segment = self.segments().iter().map(|s| vec![0; s.records.conjs.len()]).collect();
        let mut tally = Tally { by_segment, ..Tally::default() };
        let mut matches: Vec<u64> = vec![];
        let mut events = 0;
        for (_, line) in sample.iter().flat_map(|(buffer, _)| lines(buffer)) {
            let level = sample.map_or(Validation::Checked, |(_, level)| level);
            if self.match_and_count(line, level, &mut tally, &mut scratch).is_ok() {
                events += 1;
                for &rule in &scratch.matches {
                    if matches.len() <= rule as usize {
                        matches.resize(rule as usize + 1, 0);
                    }
                    matches[rule as usize] += 1;
                }
            }
        }
        let mut all: Vec<(u64, Cost)> = vec![];
        for (segment, candidates) in self.segments().iter().zip(&tally.by_segment) {
            for (rule, rec) in segment.rules.iter().enumerate().filter(|(rule, _)| segment.alive(*rule as u32, self.version())) {
                let conjs = segment.conjunctions_of(rule as u32);
                let id = rec.key as RuleId;
                let observed = sample.map(|_| {
                    let candidates = conjs.iter().map(|conj| u64::from(candidates[*conj as usize])).sum();
                    (candidates, matches.get(id as usize).copied().unwrap_or(0))
                });
                let expected = conjs.iter().map(|conj| segment.records.conjs[*conj as usize].share.get()).sum();
                all.push((rec.key, Cost { rule: id, access: self.access(segment, conjs), expected, observed }));
            }
        }
        all.sort_unstable_by_key(|(key, _)| *key);
        (all.into_iter().map(|(_, cost)| cost).collect(), events)
    }

    /// The conditions under which conjunctions are looked up; `None` if one of them has none.
    fn access(&self, segment: &Segment, conjs: &[u32]) -> Option<String> {
        let mut alternatives: Vec<Vec<Item>> = Vec::with_capacity(conjs.len());
        for conj in conjs {
            let conjunction = segment.conjunction(*conj, self.trie());
            let rec = &segment.records.conjs[*conj as usize];
            alternatives.push(match segment.records.access_of(rec) {
                Access::Field(field) => conjunction.fields.into_iter().nth(field as usize).map(Item::Field).into_iter().collect(),
                Access::Groups => crate::index::decode::groups(conjunction.ors),
                Access::Nothing => return None,
            });
        }
        let items = if alternatives.len() == 1 { alternatives.swap_remove(0) } else { vec![Item::Or(alternatives)] };
        Some(print(&Pattern { items }))
    }

    /// Counts what the events of JSON lines hold on the paths of the rules.
    pub(super) fn count(&self, buffer: &[u8], level: Validation) -> Skew {
        let (mut skew, mut scratch, mut seen) = (Skew::default(), Scratch::default(), Vec::new());
        for (_, line) in lines(buffer) {
            if self.walk(line, level, &mut scratch).is_err() {
                continue;
            }
            self.see(line, &scratch.leaves, &mut seen);
            skew.add(&mut seen);
            keep(&mut skew, line, &scratch.leaves);
        }
        skew.end(self.trie().len());
        skew
    }

    /// Adds the paths of an event's leaves, and the hashes of its values as operands.
    pub(super) fn see(&self, text: &[u8], leaves: &Leaves, seen: &mut Vec<(PathId, Option<u64>)>) {
        let mut folded = Vec::new();
        for leaf in &leaves.leaves {
            let text: &[u8] = if leaf.copied { &leaves.unescaped } else { text };
            let bytes = &text[leaf.start as usize..(leaf.start + leaf.len) as usize];
            let mut see = |kind, bytes: &[u8]| seen.push((leaf.path, Some(self.hasher().hash(kind, bytes))));
            match leaf.kind {
                Kind::String => {
                    see(OperandKind::String, bytes);
                    if let Some(ip) = Ip::parse(bytes) {
                        see(OperandKind::Ip, &ip.bytes());
                    }
                    folded.clear();
                    fold::fold_into(bytes, &mut folded);
                    see(OperandKind::Folded, &folded);
                }
                Kind::Number => {
                    if let Scanned::Comparable(key) | Scanned::Near(key) = number::scan(bytes) {
                        see(OperandKind::Number, &key.to_be_bytes());
                    }
                }
                Kind::True => see(OperandKind::Literal, b"t"),
                Kind::False => see(OperandKind::Literal, b"f"),
                Kind::Null => see(OperandKind::Literal, b"n"),
            }
            seen.push((leaf.path, None));
        }
    }
}

/// Offers the values of an event to be kept.
pub(super) fn keep(skew: &mut Skew, text: &[u8], leaves: &Leaves) {
    for leaf in &leaves.leaves {
        let text: &[u8] = if leaf.copied { &leaves.unescaped } else { text };
        let bytes = &text[leaf.start as usize..(leaf.start + leaf.len) as usize];
        let value = match leaf.kind {
            Kind::String => Sample::Text(bytes),
            Kind::Number => match number::scan(bytes) {
                Scanned::Comparable(key) | Scanned::Near(key) => Sample::Number(key),
                Scanned::Not => Sample::Other,
            },
            _ => Sample::Other,
        };
        skew.keep(leaf.path, value);
    }
}
