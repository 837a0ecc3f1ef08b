//! The rule set: changes are applied as one and published without a lock on the match path; long merges go to a
//! background thread, so that no change waits for one.
//!
//! The background thread lives as long as there is something to merge. It holds the rule set only for the moment in
//! which it enters a result: a set that is dropped meanwhile is gone at once, and a process that ends waits for nobody.
//! After a fork the child begins with the last published state (see `process`).

use super::{
    RuleId,
    build::{RuleSource, build, merge},
    process::{Owned, PerProcess},
    snapshot::Snapshot,
    writer::{Due, Task, Writer},
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
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread,
};

/// Versions and places in the order are 32 bits; before they run out everything is rebuilt and counted anew.
const LAST_NUMBER: u32 = ALIVE - 2;
/// Turns that a background thread leaves to readers of what it replaced, so that it drops it and none of them.
const TURNS: usize = 1000;

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

/// What merges have cost so far, in rules rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Within changes.
    pub at_once: u64,
    /// Most within one change.
    pub most_at_once: u64,
    /// In the background.
    pub in_background: u64,
}

/// The writing side: the books, and a bell for those who wait for merges.
#[derive(Default)]
struct Desk {
    writer: Mutex<Writer>,
    merged: Condvar,
}

/// A live set of rules. Shared between threads; readers never wait.
pub struct RuleSet {
    shared: Arc<Shared>,
}

struct Shared {
    current: ArcSwap<Snapshot>,
    desk: PerProcess<Desk>,
    hasher: OperandHasher,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Writer> {
        // A writer that panicked left the last published state, which is whole.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RuleSet {
    /// An empty set.
    pub fn new(limits: EventLimits) -> Self {
        let hasher = OperandHasher::default();
        let current = ArcSwap::from_pointee(Snapshot::empty(hasher.clone(), limits));
        Self { shared: Arc::new(Shared { current, desk: PerProcess::new(Desk::default()), hasher }) }
    }

    /// The current snapshot, to keep.
    pub fn load(&self) -> Arc<Snapshot> {
        self.shared.current.load_full()
    }

    /// The current snapshot, for the length of a call; cheaper than `load`.
    #[inline]
    pub fn guard(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.shared.current.load()
    }

    /// The pattern of a living rule (equal in meaning to what was put). COST: its own size, and a search by number.
    pub fn pattern(&self, rule: RuleId) -> Option<Pattern> {
        let (key, snapshot) = {
            let desk = self.shared.desk();
            let writer = desk.lock();
            (writer.key(rule)?, self.load())
        };
        snapshot.pattern(key)
    }

    /// Applies a change as one: a reader sees all of it or nothing. Writers wait for one another; readers never wait.
    ///
    /// Removing or replacing a number that names no rule is ignored: it was removed before.
    /// COST: what is put, and at times the rebuilding of up to `AT_ONCE` rules more; whatever is longer is left to a
    /// background thread.
    pub fn apply(&self, change: Change) -> Result<Applied, CapacityError> {
        let shared = &self.shared;
        let desk = shared.desk();
        let mut writer = desk.lock();
        let writer = &mut *writer;
        let mut paths = Paths::new(shared.current.load().trie().clone());
        let names: usize = change.put.iter().map(|p| count_segments(&p.pattern)).sum();
        if paths.trie().len() + names > MAX_PATHS && paths.trie().len() + count_new_paths(&change.put, paths.trie()) > MAX_PATHS {
            return Err(CapacityError::TooManyPaths);
        }
        if writer.version >= LAST_NUMBER || writer.next_order as usize + change.put.len() >= LAST_NUMBER as usize {
            writer.give_up(None);
            let mut merged = shared.merge(&writer.begin(0..writer.segments.len()), paths.trie().len());
            writer.give_up(None);
            writer.renumber(&mut merged);
        }
        let version = writer.version + 1;
        writer.generation += 1;

        let mut died: Vec<u64> = change.remove.into_iter().filter_map(|id| writer.retire(id)).collect();
        let mut ids = Vec::with_capacity(change.put.len());
        let mut sources: Vec<RuleSource> = Vec::with_capacity(change.put.len());
        // A rule replaced twice in one change: the last pattern counts.
        let mut replaced: Map<RuleId, usize> = Map::default();
        for Put { replaces, pattern } in change.put {
            if let Some(at) = replaces.and_then(|id| replaced.get(&id)) {
                ids.push(sources[*at].key as RuleId);
                sources[*at].pattern = pattern;
                continue;
            }
            let known = replaces.and_then(|id| writer.key(id));
            let key = known.unwrap_or_else(|| writer.number());
            if known.is_some() {
                died.push(key);
                replaced.insert(key as RuleId, sources.len());
            }
            ids.push(key as RuleId);
            sources.push(RuleSource { key, pattern });
        }
        died.into_iter().for_each(|key| writer.bury(key, version));
        writer.version = version;
        sources.sort_unstable_by_key(|s| s.key);
        if !sources.is_empty() {
            writer.add(build(sources.into_iter(), &shared.hasher, &mut paths));
        }
        let task = shared.tidy(writer, &paths);
        shared.publish(writer, paths.trie());
        let applied = Applied { ids, released: writer.release(), generation: writer.generation };
        if let Some(task) = task {
            Shared::start(shared, &desk, task, writer);
        }
        Ok(applied)
    }

    /// Merges everything into one segment, in the calling thread. Changes and readers go on meanwhile.
    pub fn compact(&self) {
        let shared = &self.shared;
        let desk = shared.desk();
        let task = {
            let mut writer = desk.lock();
            writer.give_up(None);
            if writer.is_compact() {
                return;
            }
            let all = 0..writer.segments.len();
            writer.begin(all)
        };
        work(&Arc::downgrade(shared), &desk, task, &shared.hasher);
    }

    /// Waits until no merge is under way.
    pub fn wait_for_merges(&self) {
        let desk = self.shared.desk();
        let mut writer = desk.lock();
        while writer.is_merging() {
            writer = desk.merged.wait(writer).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What merges have cost so far in this process.
    pub fn work(&self) -> Work {
        let desk = self.shared.desk();
        let writer = desk.lock();
        Work { at_once: writer.rebuilt_at_once, most_at_once: writer.most_at_once, in_background: writer.rebuilt_by_jobs }
    }
}

impl Shared {
    fn desk(&self) -> Arc<Owned<Desk>> {
        self.desk.get(|| Desk { writer: Mutex::new(Writer::of(&self.current.load())), merged: Condvar::new() })
    }

    /// Merges what is due at once; what is due for a job is returned.
    fn tidy(&self, writer: &mut Writer, paths: &Paths) -> Option<Task> {
        match writer.due() {
            Due::Nothing => None,
            Due::AtOnce(range) => {
                let task = writer.begin(range);
                self.merge_at_once(writer, &task, paths.trie().len());
                None
            }
            Due::Job(range) => Some(writer.begin(range)),
        }
    }

    fn merge_at_once(&self, writer: &mut Writer, task: &Task, paths: usize) {
        let merged = self.merge(task, paths);
        let rules = merged.as_ref().map_or(0, |segment| segment.rules.len() as u64);
        writer.rebuilt_at_once += rules;
        writer.most_at_once = writer.most_at_once.max(rules);
        writer.finish(task.number, merged);
    }

    fn merge(&self, task: &Task, paths: usize) -> Option<Segment> {
        merge(&task.segments, task.version, &self.hasher, paths)
    }

    fn publish(&self, writer: &mut Writer, trie: &Arc<PathTrie>) {
        let segments = writer.segments.iter().map(|held| held.segment.clone()).collect();
        let next = Arc::new(self.current.load().next(segments, trie, writer.version, writer.generation, writer.living));
        writer.publish(&next);
        self.current.store(next);
    }

    /// Starts a background thread with a task. Where there can be none the task is done here.
    fn start(shared: &Arc<Self>, desk: &Arc<Owned<Desk>>, task: Task, writer: &mut Writer) {
        let (number, weak, desk) = (task.number, Arc::downgrade(shared), desk.clone());
        let hasher = shared.hasher.clone();
        let started = thread::Builder::new().name("rulebus-merge".to_owned()).spawn(move || work(&weak, &desk, task, &hasher));
        if started.is_err() {
            writer.give_up(Some(number));
            if let Due::Job(range) | Due::AtOnce(range) = writer.due() {
                let (task, trie) = (writer.begin(range), shared.current.load().trie().clone());
                shared.merge_at_once(writer, &task, trie.len());
                shared.publish(writer, &trie);
            }
        }
    }

    /// Enters the result of a task; returns what it replaced and what is due then.
    fn enter(&self, desk: &Desk, task: Task, merged: Option<Segment>) -> (Vec<Arc<Segment>>, Option<Task>) {
        let mut writer = desk.lock();
        let rules = merged.as_ref().map_or(0, |segment| segment.rules.len() as u64);
        let mut next = None;
        if writer.finish(task.number, merged) {
            writer.rebuilt_by_jobs += rules;
            let trie = self.current.load().trie().clone();
            next = self.tidy(&mut writer, &Paths::new(trie.clone()));
            self.publish(&mut writer, &trie);
        }
        drop(writer);
        desk.merged.notify_all();
        (task.segments, next)
    }
}

/// What a background thread does: one task, and what is due after it.
fn work(shared: &Weak<Shared>, desk: &Desk, first: Task, hasher: &OperandHasher) {
    let mut next = Some(first);
    while let Some(task) = next {
        // Should this thread panic, nobody may wait for it.
        let claim = Claim { desk, number: task.number };
        let Some(paths) = shared.upgrade().map(|shared| shared.current.load().trie().len()) else { return };
        let merged = merge(&task.segments, task.version, hasher, paths);
        let Some(shared) = shared.upgrade() else { return };
        let old;
        (old, next) = shared.enter(desk, task, merged);
        std::mem::forget(claim);
        drop(shared);
        for _ in 0..TURNS {
            if old.iter().all(|segment| Arc::strong_count(segment) == 1) {
                break;
            }
            thread::yield_now();
        }
    }
}

/// A job that is given up unless it was finished.
struct Claim<'a> {
    desk: &'a Desk,
    number: u64,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.desk.lock().give_up(Some(self.number));
        self.desk.merged.notify_all();
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
