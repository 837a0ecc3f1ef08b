//! Rules change while others match: any history equals a fresh build, every answer equals some state between its
//! start and its end, numbers are not given out again while a reader can name them.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    pattern::print,
    store::{Change, Put, RuleId, RuleSet, Scratch, Work},
    walk::Validation,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

fn put(pattern: &str, replaces: Option<RuleId>) -> Put {
    Put { replaces, pattern: accept(pattern.as_bytes(), &PatternLimits::default()).expect("valid") }
}

fn matches(set: &RuleSet, event: &str, scratch: &mut Scratch) -> Vec<RuleId> {
    set.load().match_text(event.as_bytes(), Validation::Checked, scratch).expect("a valid event");
    scratch.matches.clone()
}

fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut x = seed | 1;
    move |n| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x >> 11) as usize % n
    }
}

fn some_pattern(next: &mut impl FnMut(usize) -> usize) -> String {
    let a = next(6);
    match next(9) {
        0 => format!(r#"{{"k":["v{a}"]}}"#),
        1 => format!(r#"{{"k":[{{"prefix":"v{}"}}],"n":[{a}]}}"#, next(3)),
        2 => format!(r#"{{"n":[{{"numeric":[">=",{a}]}}]}}"#),
        3 => format!(r#"{{"k":[{{"anything-but":"v{a}"}}]}}"#),
        4 => format!(r#"{{"p{}":[{{"exists":false}}],"n":[{a}]}}"#, next(4)),
        5 => format!(r#"{{"k":[{{"suffix":"{a}"}}],"p{}":[true]}}"#, next(40)),
        6 => format!(r#"{{"k":[{{"wildcard":"*{a}*"}}]}}"#),
        7 => format!(r#"{{"$or":[{{"k":["v{a}"]}},{{"n":[{}]}}]}}"#, next(6)),
        _ => format!(r#"{{"k":["v{a}","v{}"],"n":[{{"anything-but":{}}}]}}"#, next(6), next(6)),
    }
}

fn some_event(next: &mut impl FnMut(usize) -> usize) -> String {
    format!(r#"{{"k":"v{}","n":{},"p{}":true}}"#, next(7), next(7), next(40))
}

#[test]
fn any_history_equals_a_fresh_build() {
    for seed in 1..40u64 {
        history(seed, 300, 10, |next, step| 1 + next(if step % 50 == 0 { 60 } else { 3 }));
    }
}

#[test]
fn a_history_with_merges_in_the_background_equals_a_fresh_build() {
    for seed in 1..5u64 {
        let work = history(seed, 300, 100, |next, _| 1 + next(80));
        assert!(work.in_background > 1000 && work.most_at_once <= 512, "{work:?}");
    }
}

/// Random changes of so many rules, compared with a fresh build every so many steps.
fn history(seed: u64, steps: usize, every: usize, rules: impl Fn(&mut dyn FnMut(usize) -> usize, usize) -> usize) -> Work {
    let mut next = random(seed * 7919);
    let set = RuleSet::new(EventLimits::default());
    let mut scratch = Scratch::default();
    // Rules in the order of their first putting.
    let mut living: Vec<(RuleId, String)> = vec![];
    for step in 0..steps {
        let mut change = Change::default();
        let mut added = vec![];
        for _ in 0..rules(&mut next, step) {
            let pattern = some_pattern(&mut next);
            match next(5) {
                0 if !living.is_empty() => {
                    let (id, _) = living.remove(next(living.len()));
                    if !change.put.iter().any(|p| p.replaces == Some(id)) {
                        change.remove.push(id)
                    } else {
                        change.remove.push(id);
                        change.put.retain(|p| p.replaces != Some(id));
                    }
                }
                1 if !living.is_empty() => {
                    let at = next(living.len());
                    change.put.push(put(&pattern, Some(living[at].0)));
                    living[at].1 = pattern;
                }
                _ => {
                    change.put.push(put(&pattern, None));
                    added.push(pattern);
                }
            }
        }
        let fresh: Vec<bool> = change.put.iter().map(|p| p.replaces.is_none()).collect();
        let applied = set.apply(change).expect("within capacity");
        let ids = applied.ids.iter().zip(fresh).filter(|(_, f)| *f).map(|(id, _)| *id);
        living.extend(ids.zip(added));
        let distinct: BTreeSet<RuleId> = living.iter().map(|(id, _)| *id).collect();
        assert_eq!(distinct.len(), living.len(), "a number was given out twice");
        match next(60) {
            0 => set.compact(),
            1 => set.wait_for_merges(),
            _ => {}
        }
        if step % every == 0 {
            let rebuilt = RuleSet::new(EventLimits::default());
            let ids =
                rebuilt.apply(Change { remove: vec![], put: living.iter().map(|(_, p)| put(p, None)).collect() }).expect("capacity").ids;
            for _ in 0..20 {
                let event = some_event(&mut next);
                let got: Vec<usize> = matches(&set, &event, &mut scratch)
                    .iter()
                    .map(|id| living.iter().position(|(i, _)| i == id).expect("living"))
                    .collect();
                let want: Vec<usize> =
                    matches(&rebuilt, &event, &mut scratch).iter().map(|id| ids.iter().position(|i| i == id).expect("put")).collect();
                assert_eq!(got, want, "seed {seed} step {step} {event}");
            }
            assert_eq!(set.load().rules(), living.iter().map(|(id, _)| *id).collect::<Vec<_>>());
            assert_eq!(set.load().stats().rules, living.len());
            for (id, pattern) in living.iter().step_by(7) {
                let at = living.iter().position(|(i, _)| i == id).expect("living");
                // The members of a list may stand in another order.
                let letters = |set: &RuleSet, id| {
                    let mut text = print(&set.pattern(id).expect("living")).into_bytes();
                    text.sort_unstable();
                    text
                };
                assert_eq!(letters(&set, *id), letters(&rebuilt, ids[at]), "{pattern}");
            }
        }
    }
    set.wait_for_merges();
    set.work()
}

#[test]
fn a_change_beside_many_rules_rebuilds_few_and_waits_for_no_merge() {
    const RULES: usize = 40_000;
    let set = RuleSet::new(EventLimits::default());
    let pattern = |n: usize| format!(r#"{{"k":["v{n}"],"n":[{}]}}"#, n % 100);
    set.apply(Change { remove: vec![], put: (0..RULES).map(|n| put(&pattern(n), None)).collect() }).expect("capacity");
    assert_eq!((set.work(), set.load().stats().segments), (Work { at_once: 0, most_at_once: 0, in_background: 0 }, 1));
    let mut ids = vec![];
    for n in 0..4_000 {
        ids.extend(set.apply(Change { remove: vec![], put: vec![put(&pattern(RULES + n), None)] }).expect("capacity").ids);
        if n % 4 == 3 {
            set.apply(Change { remove: vec![ids[n - 2]], put: vec![] }).expect("capacity");
        }
    }
    set.wait_for_merges();
    let work = set.work();
    assert!(work.most_at_once <= 512, "a change rebuilt {} rules", work.most_at_once);
    // On the way up each rule is rebuilt within changes some times in the first level and some in the second.
    assert!(work.at_once <= 4_000 * (16 + 32), "{work:?}");
    assert!(work.in_background > 0 && set.load().stats().segments <= 4, "{work:?}, {:?}", set.load().stats());
    set.compact();
    let stats = set.load().stats();
    assert_eq!((stats.segments, stats.rules, stats.conjunctions), (1, RULES + 3_000, RULES + 3_000));
    let mut scratch = Scratch::default();
    for n in (0..RULES + 4_000).step_by(61) {
        let gone = n >= RULES && (n - RULES) % 4 == 1;
        let found = matches(&set, &format!(r#"{{"k":"v{n}","n":{}}}"#, n % 100), &mut scratch).len();
        assert_eq!(found, !gone as usize, "rule {n}");
    }
}

#[test]
fn a_set_that_is_dropped_while_it_merges_is_gone() {
    for _ in 0..20 {
        let set = RuleSet::new(EventLimits::default());
        for n in 0..3 {
            let rules = (0..2_000).map(|k| put(&format!(r#"{{"k":["v{n}-{k}"]}}"#), None)).collect();
            set.apply(Change { remove: vec![], put: rules }).expect("capacity");
        }
        let snapshot = set.load();
        drop(set);
        let mut scratch = Scratch::default();
        snapshot.match_text(br#"{"k":"v2-7"}"#, Validation::Checked, &mut scratch).expect("valid");
        assert_eq!(scratch.matches.len(), 1);
    }
}

#[test]
fn every_answer_is_a_state_between_start_and_end() {
    // One writer puts and removes 10,000 rules that all match; rule i carries its number in the order of putting.
    // After change c the living rules are those of `states[c]`; a reader notes the changes done before and after its call.
    const RULES: usize = 10_000;
    let set = RuleSet::new(EventLimits::default());
    let done = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    let answers: Vec<(u64, u64, u64, usize)> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut scratch = Scratch::default();
                    let mut answers = vec![];
                    while !stop.load(Ordering::Relaxed) {
                        let before = done.load(Ordering::SeqCst);
                        let snapshot = set.load();
                        snapshot.match_text(br#"{"k":"v"}"#, Validation::Checked, &mut scratch).expect("valid");
                        answered.fetch_add(1, Ordering::Relaxed);
                        let after = done.load(Ordering::SeqCst);
                        answers.push((before, after, snapshot.generation(), scratch.matches.len()));
                    }
                    answers
                })
            })
            .collect();
        let mut window: std::collections::VecDeque<RuleId> = Default::default();
        for n in 0..RULES {
            // Even changes put two rules, odd ones replace one and remove one: the count tells the state.
            let mut change = Change::default();
            if n % 2 == 0 {
                change.put =
                    vec![put(r#"{"k":["v"]}"#, None), put(&format!(r#"{{"k":["v"],"absent{}":[{{"exists":false}}]}}"#, n % 50), None)];
            } else {
                change.remove = window.pop_front().into_iter().collect();
                change.put = vec![put(r#"{"k":[{"prefix":"v"}]}"#, window.front().copied())];
            }
            let fresh = n % 2 == 0 || change.put[0].replaces.is_none();
            let applied = set.apply(change).expect("capacity");
            if fresh {
                window.extend(applied.ids);
            }
            while window.len() > 60 {
                let id = window.pop_front().expect("long");
                set.apply(Change { remove: vec![id], put: vec![] }).expect("capacity");
            }
            done.store(applied.generation, Ordering::SeqCst);
            if n % 200 == 0 {
                // On a busy machine the readers get their turn before the rules have changed for good.
                let seen = answered.load(Ordering::Relaxed);
                while answered.load(Ordering::Relaxed) == seen {
                    std::thread::yield_now();
                }
            }
        }
        stop.store(true, Ordering::SeqCst);
        readers.into_iter().flat_map(|r| r.join().expect("a reader")).collect()
    });
    // The same generation always gives the same number of matches, and never an older one than was done before the call.
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for (before, _after, generation, count) in &answers {
        assert!(generation >= before, "a change that was done was not seen");
        assert_eq!(*counts.entry(*generation).or_insert(*count), *count, "half of a change was seen");
        assert!(*count <= 62);
    }
    assert!(answers.len() > 100 && counts.len() > 20, "the readers saw the rules change");
}

#[test]
fn numbers_wait_for_the_last_reader() {
    let set = RuleSet::new(EventLimits::default());
    let first = set.apply(Change { remove: vec![], put: vec![put(r#"{"a":[1]}"#, None)] }).unwrap().ids[0];
    let reader = set.load();
    let removed = set.apply(Change { remove: vec![first], put: vec![] }).unwrap();
    assert!(removed.released.is_empty());
    let second = set.apply(Change { remove: vec![], put: vec![put(r#"{"a":[2]}"#, None)] }).unwrap();
    assert!(second.released.is_empty() && second.ids[0] != first);
    let mut scratch = Scratch::default();
    reader.match_text(br#"{"a":1}"#, Validation::Checked, &mut scratch).unwrap();
    assert_eq!(scratch.matches, [first]);
    drop(reader);
    let third = set.apply(Change::default()).unwrap();
    assert_eq!(third.released, [first]);
    assert_eq!(set.apply(Change { remove: vec![], put: vec![put(r#"{"a":[3]}"#, None)] }).unwrap().ids, [first]);
    // Removing what is gone, or replacing what never was, disturbs nothing.
    assert!(set.apply(Change { remove: vec![first + 99], put: vec![] }).unwrap().ids.is_empty());
}
