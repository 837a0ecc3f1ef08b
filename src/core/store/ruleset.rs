//! The writing side: changes are applied as one, merges keep the number of segments small, numbers of rules are given
//! back once no reader can name them.

use super::{
    RuleId,
    build::{RuleSource, build, living},
    snapshot::Snapshot,
};
use crate::{
    index::{
        encode::Paths,
        operands::OperandHasher,
        record::MAX_PATHS,
        segment::{ALIVE, Segment},
    },
    limits::EventLimits,
    map::Map,
    path::PathTrie,
    pattern::tree::Pattern,
};
use arc_swap::ArcSwap;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::Ordering},
};

/// A segment is merged with its neighbour unless that is more than this many times larger.
const GROWTH: usize = 8;
/// A segment is rebuilt when more than one in this many of its rules is dead.
const DEAD_SHARE: usize = 4;
/// Versions and places in the order are 32 bits; before they run out everything is rebuilt and counted anew.
const LAST_NUMBER: u32 = ALIVE - 2;

/// A rule to be put.
pub struct Put {
    /// The rule that this one replaces; it keeps its number and its place in the order.
    pub replaces: Option<RuleId>,
    /// The pattern, accepted by `compile::accept`.
    pub pattern: Pattern,
}

/// What is to happen as one.
#[derive(Default)]
pub struct Change {
    /// Rules to remove.
    pub remove: Vec<RuleId>,
    /// Rules to put.
    pub put: Vec<Put>,
}

/// What happened.
pub struct Applied {
    /// Numbers of the rules put, in the order of `Change::put`.
    pub ids: Vec<RuleId>,
    /// Numbers that no snapshot can name any more: whoever keeps names may drop theirs.
    pub released: Vec<RuleId>,
    /// The generation at which the change is visible.
    pub generation: u64,
}

/// A change that would exceed what a rule set can hold; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapacityError {
    /// More different paths than `MAX_PATHS`.
    TooManyPaths,
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyPaths => write!(f, "the rules name more than {MAX_PATHS} different paths; split them over several rule sets"),
        }
    }
}

impl std::error::Error for CapacityError {}

/// Where a living rule is.
#[derive(Clone, Copy)]
struct Location {
    /// Serial number of the segment.
    segment: u32,
    rule: u32,
}

struct Numbered {
    serial: u32,
    segment: Arc<Segment>,
    dead: usize,
}

struct Writer {
    segments: Vec<Numbered>,
    next_serial: u32,
    next_order: u32,
    /// By rule number; `None` = free or not yet released.
    locations: Vec<Option<Location>>,
    free: Vec<RuleId>,
    /// Removed rules with the version at which they died, oldest first.
    retired: VecDeque<(u64, RuleId)>,
    /// Published snapshots that may still be read, oldest first, by generation.
    published: VecDeque<(u64, Weak<Snapshot>)>,
    version: u32,
    generation: u64,
}

/// A live set of rules. Shared between threads; readers never wait.
pub struct RuleSet {
    current: ArcSwap<Snapshot>,
    writer: Mutex<Writer>,
    hasher: OperandHasher,
    limits: EventLimits,
}

impl RuleSet {
    /// An empty set.
    pub fn new(limits: EventLimits) -> Self {
        let hasher = OperandHasher::default();
        let first = Snapshot::new(vec![], Arc::new(PathTrie::new()), 0, 0, hasher.clone(), limits);
        Self {
            current: ArcSwap::from_pointee(first),
            writer: Mutex::new(Writer {
                segments: vec![],
                next_serial: 0,
                next_order: 0,
                locations: vec![],
                free: vec![],
                retired: VecDeque::new(),
                published: VecDeque::new(),
                version: 0,
                generation: 0,
            }),
            hasher,
            limits,
        }
    }

    /// The current snapshot, to keep.
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The current snapshot, for the length of a call; cheaper than `load`.
    #[inline]
    pub fn guard(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Applies a change as one: a reader sees all of it or nothing. Writers wait for one another; readers never wait.
    ///
    /// Removing or replacing a number that names no rule is ignored: it was removed before.
    pub fn apply(&self, change: Change) -> Result<Applied, CapacityError> {
        // A writer that panicked left the last published state, which is whole.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = &mut *writer;
        let mut paths = Paths::new(self.current.load().trie().clone());
        let names: usize = change.put.iter().map(|p| count_segments(&p.pattern)).sum();
        if paths.trie().len() + names > MAX_PATHS && paths.trie().len() + count_new_paths(&change.put, paths.trie()) > MAX_PATHS {
            return Err(CapacityError::TooManyPaths);
        }
        if writer.version >= LAST_NUMBER || writer.next_order as usize + change.put.len() >= LAST_NUMBER as usize {
            writer.renumber(&self.hasher, &mut paths);
        }
        let version = writer.version + 1;
        writer.generation += 1;
        let generation = writer.generation;

        let mut died = Vec::new();
        for id in change.remove {
            if let Some(location) = writer.locations.get_mut(id as usize).and_then(Option::take) {
                died.push(location);
                writer.retired.push_back((generation, id));
            }
        }
        let mut ids = Vec::with_capacity(change.put.len());
        let mut sources: Vec<RuleSource> = Vec::with_capacity(change.put.len());
        // A rule replaced twice in one change: the last pattern counts.
        let mut replaced: Map<RuleId, usize> = Map::default();
        for put in change.put {
            if let Some(at) = put.replaces.and_then(|id| replaced.get(&id)) {
                ids.push(sources[*at].key as RuleId);
                sources[*at].pattern = put.pattern;
                continue;
            }
            let known = put.replaces.and_then(|id| writer.locations.get_mut(id as usize).and_then(Option::take).map(|l| (id, l)));
            let key = match known {
                Some((id, location)) => {
                    died.push(location);
                    replaced.insert(id, sources.len());
                    writer.key(location)
                }
                None => {
                    let id = writer.free.pop().unwrap_or_else(|| {
                        writer.locations.push(None);
                        writer.locations.len() as RuleId - 1
                    });
                    let order = writer.next_order;
                    writer.next_order += 1;
                    (order as u64) << 32 | id as u64
                }
            };
            ids.push(key as RuleId);
            sources.push(RuleSource { key, pattern: put.pattern });
        }
        for location in died {
            writer.bury(location, version);
        }
        writer.version = version;
        sources.sort_unstable_by_key(|s| s.key);
        if !sources.is_empty() {
            writer.add(build(sources.into_iter(), &self.hasher, &mut paths));
        }
        writer.merge(&self.hasher, &mut paths);
        let segments = writer.segments.iter().map(|s| s.segment.clone()).collect();
        let next = Arc::new(Snapshot::new(segments, paths.trie().clone(), version, generation, self.hasher.clone(), self.limits));
        writer.published.push_back((generation, Arc::downgrade(&next)));
        self.current.store(next);
        let released = writer.release();
        Ok(Applied { ids, released, generation })
    }
}

/// Upper bound of the trie nodes that a pattern adds.
fn count_segments(pattern: &Pattern) -> usize {
    use crate::pattern::tree::Item;
    fn count(items: &[Item]) -> usize {
        items
            .iter()
            .map(|item| match item {
                Item::Field(field) => 1 + field.path.iter().filter(|b| **b == b'.').count(),
                Item::Or(alternatives) => alternatives.iter().map(|a| count(a)).sum(),
            })
            .sum()
    }
    count(&pattern.items)
}

/// The trie nodes that patterns really add; asked only when the upper bound is too high, which repeated paths make it.
#[cold]
fn count_new_paths(put: &[Put], trie: &PathTrie) -> usize {
    use crate::pattern::tree::Item;
    fn add(items: &[Item], known: &PathTrie, new: &mut PathTrie) {
        for item in items {
            match item {
                Item::Field(field) if known.find(&field.path).is_none() => {
                    if new.len() <= MAX_PATHS {
                        new.intern(&field.path);
                    }
                }
                Item::Field(_) => {}
                Item::Or(alternatives) => alternatives.iter().for_each(|a| add(a, known, new)),
            }
        }
    }
    let mut new = PathTrie::new();
    put.iter().for_each(|p| add(&p.pattern.items, trie, &mut new));
    // Nodes that only lead to new paths may be known already; counting them again errs on the safe side.
    new.len() - 1
}

impl Writer {
    fn segment(&mut self, serial: u32) -> &mut Numbered {
        self.segments.iter_mut().find(|s| s.serial == serial).expect("a living rule's segment is there")
    }

    fn key(&mut self, location: Location) -> u64 {
        self.segment(location.segment).segment.rules[location.rule as usize].key
    }

    fn bury(&mut self, location: Location, version: u32) {
        let numbered = self.segment(location.segment);
        numbered.dead += 1;
        numbered.segment.died[location.rule as usize].store(version, Ordering::Release);
    }

    /// Adds a segment and notes where its rules are.
    fn add(&mut self, segment: Segment) {
        let serial = self.next_serial;
        self.next_serial = self.next_serial.wrapping_add(1);
        for (rule, rec) in segment.rules.iter().enumerate() {
            self.locations[rec.key as u32 as usize] = Some(Location { segment: serial, rule: rule as u32 });
        }
        self.segments.push(Numbered { serial, segment: Arc::new(segment), dead: 0 });
    }

    /// Restores the invariant: sizes fall by more than `GROWTH` from one segment to the next, few dead in each.
    fn merge(&mut self, hasher: &OperandHasher, paths: &mut Paths) {
        let size = |s: &Numbered| s.segment.rules.len() - s.dead;
        let mut from = self.segments.len();
        let mut total = 0;
        for at in (0..self.segments.len()).rev() {
            let numbered = &self.segments[at];
            let crowded = numbered.dead * DEAD_SHARE > numbered.segment.rules.len();
            let near = at + 1 < self.segments.len() && size(numbered) <= total * GROWTH;
            total += size(numbered);
            if crowded || near {
                from = at;
            }
        }
        let alone = from + 1 == self.segments.len() && self.segments[from].dead * DEAD_SHARE <= self.segments[from].segment.rules.len();
        if from < self.segments.len() && !alone {
            self.rebuild(from, hasher, paths);
        }
    }

    /// Rebuilds all segments from `from` on as one.
    fn rebuild(&mut self, from: usize, hasher: &OperandHasher, paths: &mut Paths) {
        let old: Vec<Arc<Segment>> = self.segments.drain(from..).map(|s| s.segment).collect();
        let rules = living(&old, self.version, paths.trie());
        if !rules.is_empty() {
            self.add(build(rules.into_iter(), hasher, paths));
        }
    }

    /// Counts versions and orders anew.
    fn renumber(&mut self, hasher: &OperandHasher, paths: &mut Paths) {
        let old: Vec<Arc<Segment>> = self.segments.drain(..).map(|s| s.segment).collect();
        let mut rules = living(&old, self.version, paths.trie());
        for (order, rule) in rules.iter_mut().enumerate() {
            rule.key = (order as u64) << 32 | rule.key & u32::MAX as u64;
        }
        self.next_order = rules.len() as u32;
        self.version = 0;
        if !rules.is_empty() {
            self.add(build(rules.into_iter(), hasher, paths));
        }
    }

    /// Numbers that no reader can name any more.
    fn release(&mut self) -> Vec<RuleId> {
        while self.published.front().is_some_and(|(_, snapshot)| snapshot.strong_count() == 0) {
            self.published.pop_front();
        }
        if self.published.len() > 1024 && self.published.len().is_power_of_two() {
            self.published.retain(|(_, snapshot)| snapshot.strong_count() != 0);
        }
        let oldest = self.published.front().map_or(self.generation, |(generation, _)| *generation);
        let mut released = Vec::new();
        while self.retired.front().is_some_and(|(generation, _)| *generation <= oldest) {
            released.extend(self.retired.pop_front().map(|(_, id)| id));
        }
        self.free.extend_from_slice(&released);
        released
    }
}
