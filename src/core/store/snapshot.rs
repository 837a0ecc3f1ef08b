//! The reading side: one immutable state of a rule set, and everything that can be asked of it.

use super::{
    RuleId,
    adapt::{Observer, Turns, adapt},
    costs::keep,
    group::Lane,
};
use crate::{
    error::EventError,
    index::{gate::Gate, operands::OperandHasher, range::sieves, segment::Segment, skew::Skew},
    limits::EventLimits,
    matcher::{
        hits::{Hits, Tally},
        values::Values,
        verify::Event,
        visit::{Roots, VisitScratch},
    },
    path::PathTrie,
    pattern::tree::Pattern,
    value::sieve::Sieves,
    walk::{self, Leaves, Validation, WalkState},
};
use std::sync::Arc;

/// One state of a rule set.
pub struct Snapshot {
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) trie: Arc<PathTrie>,
    /// By path: what any segment has to know about its values.
    pub(super) needs: Arc<[u8]>,
    /// Which numbers make no difference.
    pub(super) sieves: Arc<Sieves>,
    pub(super) version: u32,
    generation: u64,
    living: usize,
    pub(super) hasher: OperandHasher,
    pub(super) limits: EventLimits,
    /// Who observes events, if the set adapts to them.
    pub(super) observer: Option<Arc<Observer>>,
}

/// An event with more values is not looked at when it is observed.
const MOST_OBSERVED: usize = 4096;

/// Per-thread working memory; reused from event to event, also between rule sets.
#[derive(Default)]
pub struct Scratch {
    /// Where a caller that walks something other than text (a Python dict) puts what it found.
    pub leaves: Leaves,
    /// The rules that matched, in the order in which they were put, each once.
    pub matches: Vec<RuleId>,
    pub(super) walk: WalkState,
    values: Values,
    pub(super) visit: VisitScratch,
    roots: Roots,
    keys: Vec<u64>,
    pub(super) turns: Turns,
    /// Of a group of events, see `group`.
    pub(super) lanes: Vec<Lane>,
}

/// The rules of these keys, in the order of putting, each once.
pub(super) fn numbers_of(keys: &mut Vec<u64>, matches: &mut Vec<RuleId>) {
    if !keys.is_sorted_by(|a, b| a < b) {
        keys.sort_unstable();
        keys.dedup();
    }
    matches.extend(keys.iter().map(|key| *key as RuleId));
}

impl Scratch {
    /// Whether no event has made it so large that a thread should not keep it for the next ones: by what grows with an
    /// event's length, with its values, and with their texts.
    #[inline]
    pub fn is_small(&self) -> bool {
        const MOST: usize = 1 << 20;
        self.leaves.unescaped.capacity() <= MOST
            && self.leaves.leaves.capacity() <= MOST / 64
            && self.leaves.trails.capacity() <= MOST / 64
            && self.walk.size_bytes() <= MOST
    }
}

/// Sizes of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Living rules.
    pub rules: usize,
    /// Conjunctions stored; equal ones count once.
    pub conjunctions: usize,
    /// Nodes of the path trie.
    pub paths: usize,
    /// Different texts, numbers and addresses.
    pub operands: usize,
    /// Memory of the index and the trie, in bytes.
    pub size_bytes: usize,
    /// The generation.
    pub generation: u64,
    /// Number of segments.
    pub segments: usize,
    /// Events observed while they were matched, by a set that adapts to them.
    pub observed: u64,
    /// How often the index was built anew for events like those observed.
    pub adapted: u64,
}

impl Snapshot {
    pub(super) fn empty(hasher: OperandHasher, limits: EventLimits, observer: Option<Arc<Observer>>) -> Self {
        let trie = Arc::new(PathTrie::new());
        let (needs, sieves) = (vec![0; trie.len()].into(), Arc::default());
        Self { segments: vec![], needs, sieves, trie, version: 0, generation: 0, living: 0, hasher, limits, observer }
    }

    /// The state after this one.
    pub(super) fn next(&self, segments: Vec<Arc<Segment>>, trie: &Arc<PathTrie>, version: u32, generation: u64, living: usize) -> Self {
        // Only a new segment may ask for more than those before did, be it one of the same rules.
        let known = |segment: &Arc<Segment>| self.segments.iter().any(|old| Arc::ptr_eq(old, segment));
        let covers = |segment: &Arc<Segment>| segment.needs.iter().zip(&self.needs[..]).all(|(one, all)| one & !all == 0);
        let needs = if trie.len() == self.needs.len() && segments.iter().all(|segment| known(segment) || covers(segment)) {
            self.needs.clone()
        } else {
            let mut needs = vec![0; trie.len()];
            for segment in &segments {
                needs.iter_mut().zip(&segment.needs).for_each(|(all, one)| *all |= one);
            }
            needs.into()
        };
        // The same; points of rules that left only make the classes finer.
        let sieves = match segments.last() {
            Some(newest) if !newest.asked.is_empty() => Arc::new(sieves(segments.iter().map(|s| &**s))),
            _ => self.sieves.clone(),
        };
        let (trie, hasher, observer) = (trie.clone(), self.hasher.clone(), self.observer.clone());
        Self { segments, trie, needs, sieves, version, generation, living, hasher, limits: self.limits, observer }
    }

    /// The segments, the oldest first.
    pub(super) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// The version that rules' deaths are compared with.
    pub(super) fn version(&self) -> u32 {
        self.version
    }

    /// Counts the changes of the set; every change that was made before a call is visible to it.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The paths that rules ask for.
    pub fn trie(&self) -> &Arc<PathTrie> {
        &self.trie
    }

    /// The limits on events.
    pub fn limits(&self) -> &EventLimits {
        &self.limits
    }

    /// Fills `scratch.matches` with the rules that match the event.
    #[inline]
    pub fn match_text(&self, event: &[u8], level: Validation, scratch: &mut Scratch) -> Result<(), EventError> {
        walk::walk_sieved(event, (&self.trie, &self.sieves), level, &self.limits, &mut scratch.walk, &mut scratch.leaves)?;
        self.find(event, false, scratch)
    }

    /// Same as `match_text`, with every value of the event in `scratch`, also those that make no difference.
    pub(crate) fn match_whole(&self, event: &[u8], level: Validation, scratch: &mut Scratch) -> Result<(), EventError> {
        walk::walk(event, &self.trie, level, &self.limits, &mut scratch.walk, &mut scratch.leaves)?;
        self.find(event, false, scratch)
    }

    /// Whether any rule matches.
    pub fn match_any(&self, event: &[u8], level: Validation, scratch: &mut Scratch) -> Result<bool, EventError> {
        walk::walk_sieved(event, (&self.trie, &self.sieves), level, &self.limits, &mut scratch.walk, &mut scratch.leaves)?;
        self.find(event, true, scratch)?;
        Ok(!scratch.matches.is_empty())
    }

    /// Same as `match_text`; counts candidates.
    pub(super) fn match_and_count(
        &self,
        event: &[u8],
        level: Validation,
        tally: &mut Tally,
        scratch: &mut Scratch,
    ) -> Result<(), EventError> {
        walk::walk(event, &self.trie, level, &self.limits, &mut scratch.walk, &mut scratch.leaves)?;
        self.find_and_count(event, false, Some(tally), scratch)
    }

    /// Finds the values of an event on the rules' paths; they stand in `scratch.leaves`.
    pub(super) fn walk(&self, event: &[u8], level: Validation, scratch: &mut Scratch) -> Result<(), EventError> {
        walk::walk(event, &self.trie, level, &self.limits, &mut scratch.walk, &mut scratch.leaves)
    }

    /// What operands are hashed with.
    pub(super) fn hasher(&self) -> &OperandHasher {
        &self.hasher
    }

    /// Same as `match_text` for leaves already in `scratch.leaves`, all of them marked as copied.
    pub fn match_leaves(&self, scratch: &mut Scratch) -> Result<(), EventError> {
        self.find(&[], false, scratch)
    }

    #[inline]
    pub(super) fn find(&self, text: &[u8], first_only: bool, scratch: &mut Scratch) -> Result<(), EventError> {
        if let Some(observer) = &self.observer
            && scratch.turns.is_due(observer)
        {
            return self.find_observed(text, first_only, observer, scratch);
        }
        self.find_and_count(text, first_only, None, scratch)
    }

    /// Finds the rules, and tells what the event holds and how many of them it met in vain.
    #[cold]
    #[inline(never)]
    fn find_observed(&self, text: &[u8], first_only: bool, observer: &Arc<Observer>, scratch: &mut Scratch) -> Result<(), EventError> {
        let mut tally = Tally::default();
        let result = self.find_and_count(text, first_only, Some(&mut tally), scratch);
        let (mut seen, leaves) = (Vec::new(), &scratch.leaves);
        let small = leaves.leaves.len() <= MOST_OBSERVED;
        if small {
            self.see(text, leaves, &mut seen);
        }
        let keep = |skew: &mut Skew| {
            if small {
                keep(skew, text, leaves);
            }
        };
        let wasted = tally.all.saturating_sub(scratch.matches.len() as u64);
        if observer.observe(&mut seen, keep, wasted, (self.living, self.trie.len())) {
            adapt(observer);
        }
        scratch.turns.end();
        result
    }

    /// Finds the rules, and counts candidates.
    #[inline(always)]
    fn find_and_count(&self, text: &[u8], first_only: bool, tally: Option<&mut Tally>, scratch: &mut Scratch) -> Result<(), EventError> {
        let Scratch { leaves, matches, values, visit, roots, keys, .. } = scratch;
        keys.clear();
        matches.clear();
        values.prepare(text, leaves, &self.needs, &self.hasher);
        let steps = self.limits.max_array_steps;
        let mut hits = Hits { keys, version: self.version, first_only, steps, tally };
        for (at, segment) in self.segments.iter().enumerate() {
            if let Some(tally) = &mut hits.tally {
                tally.segment = at;
            }
            let event = |values| Event { segment, values, text, unescaped: &leaves.unescaped, trails: &leaves.trails };
            if gate_of(at, segment).is_some_and(|gate| event(values).passes_by(gate, visit)) {
                continue;
            }
            if segment.is_large() {
                values.expect(segment);
            }
            values.begin(segment, text, &leaves.unescaped);
            let event = Event { segment, values, text, unescaped: &leaves.unescaped, trails: &leaves.trails };
            event.find_roots(false, roots, visit);
            event.visit(roots, visit, &mut hits).map_err(|code| EventError { code, offset: 0 })?;
        }
        numbers_of(keys, matches);
        Ok(())
    }

    /// The first segment with the event's values begun in it, after a match; for explanations of a single rule.
    pub(crate) fn prepared<'a>(&'a self, scratch: &'a Scratch) -> Option<(&'a Segment, &'a Values, &'a Leaves)> {
        Some((self.segments.first()?, &scratch.values, &scratch.leaves))
    }

    /// The living rules in the order in which they were put.
    pub fn rules(&self) -> Vec<RuleId> {
        let mut keys: Vec<u64> = self
            .segments
            .iter()
            .flat_map(|s| (0..s.rules.len() as u32).filter(|r| s.alive(*r, self.version)).map(|r| s.rules[r as usize].key))
            .collect();
        keys.sort_unstable();
        keys.into_iter().map(|key| key as RuleId).collect()
    }

    /// The pattern of the living rule of a key.
    pub(super) fn pattern(&self, key: u64) -> Option<Pattern> {
        self.segments.iter().rev().find_map(|segment| {
            let rule = segment.rule_of(key).filter(|rule| segment.alive(*rule, self.version))?;
            Some(segment.pattern(rule, &self.trie))
        })
    }

    /// All living rules with their patterns, in the order in which they were put.
    pub fn patterns(&self) -> Vec<(RuleId, Pattern)> {
        let mut living: Vec<(u64, &Segment, u32)> = Vec::with_capacity(self.living);
        for segment in &self.segments {
            let rules = (0..segment.rules.len() as u32).filter(|rule| segment.alive(*rule, self.version));
            living.extend(rules.map(|rule| (segment.rules[rule as usize].key, &**segment, rule)));
        }
        living.sort_by_key(|(key, ..)| *key);
        living.into_iter().map(|(key, segment, rule)| (key as RuleId, segment.pattern(rule, &self.trie))).collect()
    }

    /// Sizes. COST: a few steps a segment.
    pub fn stats(&self) -> Stats {
        let (observed, adapted) = self.observer.as_ref().map_or((0, 0), |observer| observer.stats());
        let sum = |f: &dyn Fn(&Segment) -> usize| self.segments.iter().map(|s| f(s)).sum();
        Stats {
            rules: self.living,
            conjunctions: sum(&|s| s.records.conjs.len()),
            paths: self.trie.len() - 1,
            operands: sum(&|s| s.operands.len() - 3),
            size_bytes: sum(&|s| s.bytes) + self.trie.bytes() + self.needs.len(),
            generation: self.generation,
            segments: self.segments.len(),
            observed,
            adapted,
        }
    }
}

/// The gate at which events are to be asked whether they pass a segment by: what most of them only pass by costs least when
/// they do not look at it. The oldest segment is not one of that kind.
#[inline]
pub(super) fn gate_of(at: usize, segment: &Segment) -> Option<&Gate> {
    segment.gate.as_ref().filter(|_| at > 0)
}
