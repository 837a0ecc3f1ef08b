//! The books of the writing side: which segments there are, which rules live in them, which numbers are free, which
//! merges are due and under way. Knows nothing of threads; whoever holds it holds the lock.
//!
//! Idea: the segments are of a few levels, the larger the older. A change makes a small segment and is merged with its
//! neighbours of the same level or below, so a rule is rebuilt a bounded number of times on its way up. Merges within
//! the two smallest levels are short and done at once; longer ones are jobs for a thread of their own, which takes
//! frozen segments and hands back another, and what died meanwhile is noted and entered at the end.

use super::{RuleId, snapshot::Snapshot};
use crate::index::segment::{ALIVE, Segment};
use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Weak, atomic::Ordering},
};

/// Most rules that a segment of the smallest level has.
const SMALLEST: usize = 16;
/// Most rules that are rebuilt within a change. COST: about a millisecond.
pub const AT_ONCE: usize = 512;
/// Most rules of the third level, unless the largest segment is more than `SHARE` times larger.
const THIRD: usize = 16_384;
const SHARE: usize = 32;
/// A segment is rebuilt when more than one in this many of its rules is dead.
const DEAD_SHARE: usize = 4;
/// So many merges may be under way: one of everything, and one of what came since it began.
const MOST_JOBS: usize = 2;
/// Marks a number that names no rule.
const FREE: u32 = u32::MAX;

/// A segment and what the books say of it.
pub struct Held {
    serial: u64,
    /// The segment.
    pub segment: Arc<Segment>,
    dead: usize,
}

/// A merge under way.
struct Job {
    number: u64,
    /// Serial numbers of the segments taken, a run of neighbours.
    serials: Vec<u64>,
    /// Keys of the rules in them that died since, with the versions at which they did.
    deaths: Vec<(u64, u32)>,
}

/// What a job has to do.
pub struct Task {
    /// Names the job.
    pub number: u64,
    /// The segments to be merged.
    pub segments: Vec<Arc<Segment>>,
    /// The version whose living rules go into the merge.
    pub version: u32,
}

/// What is to be merged now.
pub enum Due {
    /// Nothing.
    Nothing,
    /// These segments, within the change.
    AtOnce(Range<usize>),
    /// These segments, as a job.
    Job(Range<usize>),
}

/// The books.
#[derive(Default)]
pub struct Writer {
    /// The oldest and largest first.
    pub segments: Vec<Held>,
    next_serial: u64,
    /// Place in the order of the rule that is put next.
    pub next_order: u32,
    /// By rule number: its place in the order, or `FREE`.
    orders: Vec<u32>,
    free: Vec<RuleId>,
    /// Removed rules with the generation at which they went, oldest first.
    retired: VecDeque<(u64, RuleId)>,
    /// Published snapshots that may still be read, oldest first, by generation.
    published: VecDeque<(u64, Weak<Snapshot>)>,
    jobs: Vec<Job>,
    next_job: u64,
    /// The version of the last change.
    pub version: u32,
    /// The number of changes.
    pub generation: u64,
    /// Living rules.
    pub living: usize,
    /// Rules rebuilt so far within changes.
    pub rebuilt_at_once: u64,
    /// Most rules rebuilt within one change.
    pub most_at_once: u64,
    /// Rules rebuilt so far by jobs.
    pub rebuilt_by_jobs: u64,
}

impl Writer {
    /// The books as a published snapshot tells them. What a change that was never published did to its segments is
    /// undone; numbers that name no rule are released with the next change.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut new = Self { version: snapshot.version(), generation: snapshot.generation(), ..Self::default() };
        for segment in snapshot.segments() {
            let mut dead = 0;
            for rec in &segment.rules {
                let (order, id) = ((rec.key >> 32) as u32, rec.key as u32 as usize);
                new.next_order = new.next_order.max(order + 1);
                if new.orders.len() <= id {
                    new.orders.resize(id + 1, FREE);
                }
                if rec.died.load(Ordering::Acquire) > new.version {
                    rec.died.store(ALIVE, Ordering::Release);
                    new.orders[id] = order;
                    new.living += 1;
                } else {
                    dead += 1;
                }
            }
            new.hold(segment.clone(), dead);
        }
        let unused = (0..new.orders.len() as RuleId).filter(|id| new.orders[*id as usize] == FREE);
        new.retired = unused.map(|id| (new.generation, id)).collect();
        new
    }

    /// The key of a living rule.
    pub fn key(&self, id: RuleId) -> Option<u64> {
        let order = *self.orders.get(id as usize)?;
        (order != FREE).then_some((order as u64) << 32 | id as u64)
    }

    /// Makes room for so many new rules; for many exactly, as they seldom grow by as many again.
    pub fn reserve(&mut self, rules: usize) {
        if rules > self.orders.len() / 8 {
            self.orders.reserve_exact(rules);
        }
    }

    /// A number and a place in the order for a new rule; its key.
    pub fn number(&mut self) -> u64 {
        let id = self.free.pop().unwrap_or_else(|| {
            self.orders.push(FREE);
            self.orders.len() as RuleId - 1
        });
        let order = self.next_order;
        self.next_order += 1;
        self.orders[id as usize] = order;
        (order as u64) << 32 | id as u64
    }

    /// Takes a number from its rule, which must still be buried; its key.
    pub fn retire(&mut self, id: RuleId) -> Option<u64> {
        let key = self.key(id)?;
        self.orders[id as usize] = FREE;
        self.retired.push_back((self.generation, id));
        Some(key)
    }

    /// Lets the living rule of this key die.
    pub fn bury(&mut self, key: u64, version: u32) {
        for held in self.segments.iter_mut().rev() {
            let Some(rule) = held.segment.rule_of(key).filter(|rule| held.segment.alive(*rule, ALIVE - 1)) else { continue };
            held.segment.rules[rule as usize].died.store(version, Ordering::Release);
            held.dead += 1;
            self.living -= 1;
            if let Some(job) = self.jobs.iter_mut().find(|job| job.serials.contains(&held.serial)) {
                job.deaths.push((key, version));
            }
            return;
        }
    }

    /// Adds a segment of rules that are new.
    pub fn add(&mut self, segment: Segment) {
        self.living += segment.rules.len();
        self.hold(Arc::new(segment), 0);
    }

    fn hold(&mut self, segment: Arc<Segment>, dead: usize) {
        let held = self.held(segment, dead);
        self.segments.push(held);
    }

    fn held(&mut self, segment: Arc<Segment>, dead: usize) -> Held {
        self.next_serial += 1;
        Held { serial: self.next_serial, segment, dead }
    }

    fn level(&self, rules: usize) -> usize {
        let largest = self.segments.first().map_or(0, Held::living);
        [SMALLEST, AT_ONCE, THIRD.max(largest / SHARE)].iter().take_while(|most| rules > **most).count()
    }

    /// What is to be merged now.
    pub fn due(&self) -> Due {
        let len = self.segments.len();
        let taken = |held: &Held| self.jobs.iter().any(|job| job.serials.contains(&held.serial));
        let first = self.segments.iter().rposition(taken).map_or(0, |at| at + 1);
        // The run that is to be merged with its rules, and the longest run that can be merged at once.
        let (mut from, mut rules, mut short, mut seen) = (len, 0, len, 0);
        for at in (first..len).rev() {
            let held = &self.segments[at];
            seen += held.living();
            let joins = from == at + 1 && self.level(held.living()) <= self.level(rules);
            if at + 1 == len || joins || held.is_crowded() {
                (from, rules) = (at, seen);
            }
            if seen <= AT_ONCE {
                short = at;
            }
        }
        let alone = |from: usize| from >= len || from + 1 == len && !self.segments[from].is_crowded();
        if alone(from) {
            return self.due_between(first);
        }
        if rules <= AT_ONCE {
            return Due::AtOnce(from..len);
        }
        if self.jobs.len() < MOST_JOBS {
            return Due::Job(from..len);
        }
        if alone(short) { Due::Nothing } else { Due::AtOnce(short..len) }
    }

    /// What is to be merged among the segments from `first` on when the newest are in order: neighbours of one level, which
    /// a job leaves behind that took longer than it took others to come. Every segment costs readers.
    fn due_between(&self, first: usize) -> Due {
        let level = |at: usize| self.level(self.segments[at].living());
        let Some(at) = (first + 1..self.segments.len()).rev().find(|at| level(*at) >= level(at - 1)) else { return Due::Nothing };
        let rules = self.segments[at].living() + self.segments[at - 1].living();
        match rules {
            _ if rules <= AT_ONCE => Due::AtOnce(at - 1..at + 1),
            _ if self.jobs.len() < MOST_JOBS => Due::Job(at - 1..at + 1),
            _ => Due::Nothing,
        }
    }

    /// Takes segments for a job.
    pub fn begin(&mut self, range: Range<usize>) -> Task {
        self.next_job += 1;
        let taken = &self.segments[range];
        self.jobs.push(Job { number: self.next_job, serials: taken.iter().map(|held| held.serial).collect(), deaths: vec![] });
        let segments = taken.iter().map(|held| held.segment.clone()).collect();
        Task { number: self.next_job, segments, version: self.version }
    }

    /// Ends a job: its segments give way to what they were merged into. False if the job was given up meanwhile.
    pub fn finish(&mut self, number: u64, merged: Option<Segment>) -> bool {
        let Some(at) = self.jobs.iter().position(|job| job.number == number) else { return false };
        let job = self.jobs.swap_remove(at);
        let start = self.segments.iter().position(|held| held.serial == job.serials[0]).expect("a job's segments are there");
        let merged = merged.map(|segment| {
            for (key, version) in &job.deaths {
                let rule = segment.rule_of(*key).expect("a rule that died since was merged");
                segment.rules[rule as usize].died.store(*version, Ordering::Release);
            }
            self.held(Arc::new(segment), job.deaths.len())
        });
        self.segments.splice(start..start + job.serials.len(), merged);
        true
    }

    /// Gives a job up, or all.
    pub fn give_up(&mut self, number: Option<u64>) {
        self.jobs.retain(|job| number.is_some_and(|number| job.number != number));
    }

    /// Whether a merge is under way.
    pub fn is_merging(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Whether there is nothing to merge, and nothing dead.
    pub fn is_compact(&self) -> bool {
        self.segments.len() <= 1 && self.segments.iter().all(|held| held.dead == 0)
    }

    /// Counts the orders anew: `segment` holds all living rules and gets new keys.
    pub fn renumber(&mut self, segment: &mut Option<Segment>) {
        self.segments.clear();
        self.next_order = 0;
        for rec in segment.iter_mut().flat_map(|segment| &mut segment.rules) {
            let id = rec.key as u32;
            rec.key = (self.next_order as u64) << 32 | id as u64;
            self.orders[id as usize] = self.next_order;
            self.next_order += 1;
        }
        self.version = 0;
        if let Some(segment) = segment.take() {
            self.hold(Arc::new(segment), 0);
        }
    }

    /// Notes a snapshot that readers may hold from now on.
    pub fn publish(&mut self, snapshot: &Arc<Snapshot>) {
        self.published.push_back((snapshot.generation(), Arc::downgrade(snapshot)));
    }

    /// Numbers that no reader can name any more.
    pub fn release(&mut self) -> Vec<RuleId> {
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

impl Held {
    fn living(&self) -> usize {
        self.segment.rules.len() - self.dead
    }

    fn is_crowded(&self) -> bool {
        self.dead * DEAD_SHARE > self.segment.rules.len()
    }
}
