//! A set that adapts to its events: rules move away from what most events hold, without anybody asking, and no answer
//! changes by it. Must never rely on when a background thread is done, only on its being done in time.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    store::{Change, Put, RuleId, RuleSet, Scratch},
    walk::Validation,
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

/// Rules of one tenant, all of one kind.
const CROWD: usize = 10_000;
/// Events that must be enough for the set to find out.
const ENOUGH: usize = 100_000;

fn put(pattern: &str) -> Put {
    Put { replaces: None, pattern: accept(pattern.as_bytes(), &PatternLimits::default()).expect("valid") }
}

/// Rules say that one in ten asks for the tenant "big" and one in ten for the kind "k0", and that there are many tenants:
/// by them, the tenant divides better. In the end it is the same rules that ask for both.
fn rules() -> Vec<String> {
    rules_of_kind(r#""k0""#)
}

/// The same with another condition for the kind "k0".
fn rules_of_kind(condition: &str) -> Vec<String> {
    let crowd = (0..CROWD).map(|n| format!(r#"{{"tenant":["big"],"kind":[{condition}],"note":[{{"anything-but":"x{n}"}}]}}"#));
    let others = (0..9 * CROWD).map(|n| format!(r#"{{"tenant":["t{n}"],"kind":["k{}"]}}"#, 1 + n % 9));
    crowd.chain(others).collect()
}

/// Nine of ten events are of the tenant that one in ten rules asks for, but of a kind that none of these asks for.
fn event(n: usize) -> String {
    match n % 1_000 {
        999 => format!(r#"{{"tenant":"big","kind":"k0","note":"x{}"}}"#, n % CROWD),
        _ if n % 10 < 9 => format!(r#"{{"tenant":"big","kind":"k{}","note":"y"}}"#, 1 + n % 9),
        _ => format!(r#"{{"tenant":"t{n}","kind":"k{}"}}"#, 1 + n % 9),
    }
}

fn filled(set: RuleSet) -> RuleSet {
    filled_with(set, &rules())
}

fn filled_with(set: RuleSet, rules: &[String]) -> RuleSet {
    set.apply(Change { remove: vec![], put: rules.iter().map(|rule| put(rule)).collect() }).expect("capacity");
    set
}

fn found(set: &RuleSet, event: &str, scratch: &mut Scratch) -> Vec<RuleId> {
    set.load().match_text(event.as_bytes(), Validation::Checked, scratch).expect("valid");
    scratch.matches.clone()
}

/// Matches until the set has adapted so often, and all is done; how many events that took.
fn match_until_adapted(set: &RuleSet, times: u64) -> usize {
    let mut scratch = Scratch::default();
    let taken = (0..ENOUGH).take_while(|n| {
        found(set, &event(*n), &mut scratch);
        set.load().stats().adapted < times
    });
    taken.count()
}

/// Seconds that an event of the crowd's tenant takes; the least of many.
fn seconds(set: &RuleSet) -> f64 {
    let mut scratch = Scratch::default();
    let round = |_| {
        let start = Instant::now();
        (0..9).for_each(|n| drop(found(set, &event(n), &mut scratch)));
        start.elapsed().as_secs_f64()
    };
    (0..30).map(round).fold(f64::MAX, f64::min)
}

#[test]
fn rules_move_away_from_what_most_events_hold_and_then_stay() {
    let (set, still) = (filled(RuleSet::adapting(EventLimits::default())), filled(RuleSet::new(EventLimits::default())));
    let before = seconds(&set);
    assert!(match_until_adapted(&set, 1) < ENOUGH, "{:?}", set.load().stats());
    let after = seconds(&set);
    assert!(after * 5.0 < before, "{before} before, {after} after");
    // Only where rules are found has changed, and it stays so.
    assert_eq!(match_until_adapted(&set, 2), ENOUGH);
    let stats = (set.load().stats(), still.load().stats());
    assert_eq!((stats.0.generation, stats.0.rules, stats.0.segments), (stats.1.generation, stats.1.rules, 1));
    assert!(stats.0.observed > 50 && stats.0.observed < 20_000 && stats.1.observed == 0, "{stats:?}");
    let mut scratch = Scratch::default();
    for n in 0..3_000 {
        assert_eq!(found(&set, &event(n), &mut scratch), found(&still, &event(n), &mut scratch), "{n}");
    }
}

#[test]
fn answers_hold_while_threads_match_and_put_and_the_index_is_built_anew() {
    answers_hold(rules());
}

/// What the index that is built anew has to know about values nobody had to know before.
#[test]
fn answers_hold_where_the_index_built_anew_asks_for_other_things() {
    answers_hold(rules_of_kind(r#"{"equals-ignore-case":"K0"}"#));
}

fn answers_hold(rules: Vec<String>) {
    let (set, done) = (filled_with(RuleSet::adapting(EventLimits::default()), &rules), AtomicBool::new(false));
    let still = filled(RuleSet::new(EventLimits::default()));
    let want: Vec<Vec<RuleId>> = (0..1_000).map(|n| found(&still, &event(n), &mut Scratch::default())).collect();
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (set, done, want) = (&set, &done, &want);
            scope.spawn(move || {
                let mut scratch = Scratch::default();
                let mut n = thread;
                while !done.load(Ordering::Relaxed) {
                    let mut got = found(set, &event(n % 1_000), &mut scratch);
                    // Rules that came later match, too.
                    got.retain(|rule| (*rule as usize) < 10 * CROWD);
                    assert_eq!(got, want[n % 1_000], "{n}");
                    n += 1;
                }
            });
        }
        let mut n = 0;
        while set.load().stats().adapted == 0 && n < ENOUGH {
            set.apply(Change { remove: vec![], put: vec![put(&format!(r#"{{"tenant":["big"],"late":[{n}]}}"#))] }).expect("capacity");
            std::thread::yield_now();
            n += 1;
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(set.load().stats().adapted > 0);
    set.wait_for_merges();
}

#[test]
fn merges_place_rules_by_what_was_observed() {
    // Few rules, so that nothing is worth a rebuild, but the events are known when others come.
    let rule = |tenant: &str, n: usize| format!(r#"{{"tenant":["{tenant}"],"kind":["k0"],"n":[{{"numeric":[">",{n}]}}]}}"#);
    let fill = |set: &RuleSet| {
        for from in [0, 400, 800] {
            // By the rules, one in forty asks for the tenant, and all for the kind.
            let some = (from..from + 400).map(|n| rule(if n % 40 == 0 { "big" } else { "t" }, n));
            set.apply(Change { remove: vec![], put: some.map(|rule| put(&rule)).collect() }).expect("capacity");
            set.wait_for_merges();
        }
        set.load().costs(None).0.iter().find(|cost| cost.rule == 41).and_then(|cost| cost.access.clone()).expect("an access condition")
    };
    let set = RuleSet::adapting(EventLimits::default());
    set.apply(Change { remove: vec![], put: vec![put(&rule("big", 0))] }).expect("capacity");
    let mut scratch = Scratch::default();
    for n in 0..ENOUGH {
        found(&set, &format!(r#"{{"tenant":"big","kind":"k{}","n":500}}"#, 1 + n % 9), &mut scratch);
    }
    let still = RuleSet::new(EventLimits::default());
    still.apply(Change { remove: vec![], put: vec![put(&rule("big", 0))] }).expect("capacity");
    assert_eq!((&*fill(&still), &*fill(&set)), (r#"{"tenant":["big"]}"#, r#"{"kind":["k0"]}"#));
    assert_eq!(set.load().stats().adapted, 0);
}

#[test]
fn a_set_that_is_dropped_while_it_adapts_is_gone() {
    for _ in 0..3 {
        let set = filled(RuleSet::adapting(EventLimits::default()));
        let mut scratch = Scratch::default();
        (0..4_000).for_each(|n| drop(found(&set, &event(n), &mut scratch)));
    }
}
