//! Rules are placed for the events that come. One event in many is observed while it is matched: what it holds, and how
//! many rules were tried for it in vain. When that has cost several times as much as a rebuild would, a background thread
//! looks whether other access conditions would have served these events better, and if so builds the index anew.
//!
//! What is bounded: the counts (`index::skew`), the share of events observed, and the work: a rebuild is begun only after
//! the waste of a multiple of its own cost, and of more each time that one did not help, so it never follows another in
//! vain for long. No event waits for anything: where the books are in use, an observation is dropped.

use super::{
    process::PerProcess,
    ruleset::{Shared, rebuild},
};
use crate::{
    index::{choose::reconsider, skew::Skew},
    path::PathId,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread,
};

/// One event in so many is observed.
const PERIOD: u32 = 4096;
/// The same until there are `KNOWN` observations, and while events meet many rules in vain.
const SHORT_PERIOD: u32 = 64;
/// So many events say enough for the next merge.
const KNOWN: u32 = 256;
/// So many events decide whether rules are placed badly.
const DECIDING: u32 = 48;
/// An event that tries no more rules than this in vain is no reason to do anything.
const LEAST_WASTE: u64 = 32;
/// The cost of placing a rule, in rules tried in vain, times how often that must have been wasted.
const REBUILD: u64 = 400;
/// Each rebuild that did not help multiplies that by four, up to this power of two.
const MOST_PATIENCE: u32 = 20;
/// After so many events without a reason, patience and counts begin anew.
const CALM: u32 = 1024;

/// The index is built anew if that leaves at most one in so many of the rules that events are expected to meet...
const GAIN: f64 = 2.0;
/// ... and spares an event so many.
const LEAST_GAIN: f64 = 8.0;

/// What was observed; shared by the snapshots of a set.
pub struct Observer {
    set: Weak<Shared>,
    seen: PerProcess<Mutex<Seen>>,
    period: AtomicU32,
}

#[derive(Default)]
struct Seen {
    skew: Skew,
    /// Events since the last decision, and what they tried in vain; the same for all events that they stand for.
    events: u32,
    wasted: u64,
    wasted_in_all: u64,
    /// What an event tried in vain before the last decision.
    before: u64,
    /// Power of two by which waste is borne longer.
    patience: u32,
    /// A thread is deciding.
    deciding: bool,
    observed: u64,
    adapted: u64,
}

impl Observer {
    /// Nothing was observed yet.
    pub fn new(set: Weak<Shared>) -> Self {
        Self { set, seen: PerProcess::new(Mutex::default()), period: AtomicU32::new(SHORT_PERIOD) }
    }

    /// How many events go by before the next observation, more or less.
    pub fn period(&self) -> u32 {
        self.period.load(Ordering::Relaxed)
    }

    /// Enters what an event holds (`seen`, which it leaves empty, and `keep`, which offers the values) and how many rules it
    /// met in vain, in a set of so many rules and paths. True if somebody should look whether rules are placed badly, and
    /// tell `decided`.
    pub fn observe(
        &self,
        seen: &mut Vec<(PathId, Option<u64>)>,
        keep: impl FnOnce(&mut Skew),
        wasted: u64,
        (rules, paths): (usize, usize),
    ) -> bool {
        let books = self.seen.get(Mutex::default);
        let Ok(mut books) = books.try_lock() else {
            seen.clear();
            return false;
        };
        books.skew.add_bounded(seen, paths);
        keep(&mut books.skew);
        books.observed += 1;
        books.events += 1;
        books.wasted += wasted;
        books.wasted_in_all += wasted * u64::from(self.period());
        let often = books.wasted >= LEAST_WASTE * u64::from(books.events);
        let period = if often || books.observed < u64::from(KNOWN) { SHORT_PERIOD } else { PERIOD };
        self.period.store(period, Ordering::Relaxed);
        if !often && books.events >= CALM {
            books.patience = books.patience.saturating_sub(2);
            books.restart();
        }
        let due = (REBUILD * rules as u64).saturating_mul(1 << books.patience);
        let decide = often && !books.deciding && books.events >= DECIDING && books.wasted_in_all >= due;
        books.deciding |= decide;
        decide
    }

    /// What was observed so far, for somebody who was asked to decide.
    pub fn skew(&self) -> Skew {
        let mut skew = self.seen.get(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner).skew.clone();
        skew.end(0);
        skew
    }

    /// What was observed so far, if that is enough to place rules by.
    pub fn known(&self) -> Option<Arc<Skew>> {
        let skew = self.skew();
        (skew.events() >= KNOWN).then(|| Arc::new(skew))
    }

    /// Ends a decision: whether the index was built anew.
    pub fn decided(&self, rebuilt: bool) {
        let books = self.seen.get(Mutex::default);
        let mut books = books.lock().unwrap_or_else(PoisonError::into_inner);
        let waste = books.wasted / u64::from(books.events.max(1));
        // The rebuild before did not help, or there is nothing better to be had.
        if !rebuilt || 2 * waste > books.before && books.before > 0 {
            books.patience = (books.patience + 2).min(MOST_PATIENCE);
        }
        books.before = if rebuilt { waste } else { books.before };
        books.adapted += u64::from(rebuilt);
        books.deciding = false;
        books.restart();
    }

    /// Events observed, and how often the index was built anew for them.
    pub fn stats(&self) -> (u64, u64) {
        let books = self.seen.get(Mutex::default);
        let books = books.lock().unwrap_or_else(PoisonError::into_inner);
        (books.observed, books.adapted)
    }
}

impl Seen {
    fn restart(&mut self) {
        (self.events, self.wasted, self.wasted_in_all) = (0, 0, 0);
    }
}

/// Starts the thread that decides for an observer which found that rules are placed badly.
#[cold]
pub fn adapt(observer: &Arc<Observer>) {
    let decider = observer.clone();
    let decide = move || decider.decided(decide(&decider).is_some());
    if thread::Builder::new().name("rulebus-adapt".to_owned()).spawn(decide).is_err() {
        observer.decided(false);
    }
}

/// Looks whether other access conditions serve the events observed better, and builds the index anew if so. The set is
/// held only for moments, as by any thread in the background.
fn decide(observer: &Observer) -> Option<()> {
    let skew = observer.skew();
    let snapshot = observer.set.upgrade()?.snapshot();
    let estimates = snapshot.segments().iter().map(|segment| reconsider(segment, &skew));
    let (now, anew) = estimates.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    drop(snapshot);
    (now >= GAIN * anew && now - anew >= LEAST_GAIN).then(|| rebuild(&observer.set, Some(skew)))?
}

/// When a thread's next observation is due. Turns come every `SHORT_PERIOD` events and are taken by chance, so that one event
/// in a period is observed however few of them a thread or a set gets.
pub struct Turns {
    left: u32,
    random: u64,
    /// A turn is taken, and the observation not made yet.
    taken: bool,
}

/// Where the next thread's turns begin.
static BEGIN: AtomicU64 = AtomicU64::new(0);

impl Default for Turns {
    fn default() -> Self {
        let random = BEGIN.fetch_add(0xd1b5_4a32_d192_ed03, Ordering::Relaxed);
        let mut new = Self { left: 0, random, taken: false };
        new.left = new.draw() % SHORT_PERIOD;
        new
    }
}

impl Turns {
    /// Whether an event is to be observed by this observer; stays so until `end`.
    #[inline(always)]
    pub fn is_due(&mut self, observer: &Observer) -> bool {
        // With a branch: subtracting the truth of `left > 0` instead is lost in a loop by the optimiser of rustc 1.95.
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        self.take(observer.period())
    }

    #[cold]
    fn take(&mut self, period: u32) -> bool {
        self.taken = self.taken || self.draw() % period < SHORT_PERIOD;
        if !self.taken {
            self.end();
        }
        self.taken
    }

    /// Ends a turn.
    pub fn end(&mut self) {
        self.taken = false;
        self.left = SHORT_PERIOD / 2 + self.draw() % SHORT_PERIOD;
    }

    /// SOURCE: splitmix64.
    fn draw(&mut self) -> u32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ self.random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observes events that waste so much each until somebody has to decide; how many that takes, if any of `most` does.
    fn until_due(observer: &Observer, wasted: u64, rules: usize, most: u32) -> Option<u32> {
        (1..=most).find(|n| observer.observe(&mut vec![(1, Some(u64::from(*n)))], |_| {}, wasted, (rules, 2)))
    }

    #[test]
    fn a_rebuild_is_due_after_a_multiple_of_its_cost_and_later_each_time_it_does_not_help() {
        let observer = Observer::new(Weak::new());
        let first = until_due(&observer, 10_000, 10_000, 10_000).expect("due");
        assert_eq!(first, DECIDING);
        // Nobody else is asked meanwhile.
        assert_eq!(until_due(&observer, 10_000, 10_000, 500), None);
        observer.decided(true);
        let mut last = 0;
        for _ in 0..6 {
            let next = until_due(&observer, 10_000, 10_000, 100_000).expect("due");
            assert!(next >= last, "{next} after {last}");
            last = next;
            observer.decided(true);
        }
        assert!(last > 20 * DECIDING, "{last}");
        assert_eq!(observer.stats().1, 7);
    }

    #[test]
    fn few_rules_tried_in_vain_are_no_reason_and_calm_ends_patience() {
        let observer = Observer::new(Weak::new());
        assert_eq!(until_due(&observer, LEAST_WASTE - 1, 10, 100_000), None);
        assert_eq!(observer.period(), PERIOD);
        for _ in 0..8 {
            until_due(&observer, 1_000, 1_000, u32::MAX).expect("due");
            observer.decided(false);
        }
        let weary = until_due(&observer, 1_000, 1_000, u32::MAX).expect("due");
        observer.decided(false);
        assert_eq!(until_due(&observer, 0, 1_000, 20 * CALM), None);
        let fresh = until_due(&observer, 1_000, 1_000, u32::MAX).expect("due");
        assert!(fresh * 10 < weary, "{fresh} {weary}");
        assert_eq!(observer.stats().1, 0);
    }

    #[test]
    fn what_is_known_is_bounded() {
        let observer = Observer::new(Weak::new());
        for n in 0..20_000u64 {
            let mut seen: Vec<(u32, Option<u64>)> = (0..20).map(|path| (path, Some(n * 20 + u64::from(path)))).collect();
            seen.push((20, Some(7)));
            observer.observe(&mut seen, |_| {}, 0, (1, 21));
            assert!(seen.is_empty());
        }
        let skew = observer.skew();
        assert!(skew.len() < 40_000 && skew.events() < 10_000, "{} {}", skew.len(), skew.events());
    }

    #[test]
    fn one_event_in_a_period_is_observed_however_short_a_life_is() {
        let observer = Observer::new(Weak::new());
        for (period, events) in [(SHORT_PERIOD, 10), (SHORT_PERIOD, 5_000), (PERIOD, 10), (PERIOD, 500), (PERIOD, 50_000)] {
            observer.period.store(period, Ordering::Relaxed);
            let (mut observed, lives) = (0, 10_000_000 / events);
            for _ in 0..lives {
                let mut turns = Turns::default();
                for _ in 0..events {
                    if turns.is_due(&observer) {
                        assert!(turns.is_due(&observer), "a turn that is taken stays so");
                        turns.end();
                        observed += 1;
                    }
                }
            }
            let want = 10_000_000 / period;
            assert!((want * 4 / 5..want * 6 / 5).contains(&observed), "{observed} instead of {want}");
        }
    }
}
