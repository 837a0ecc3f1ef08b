//! Rules change while others match: any history equals a fresh build, every answer equals some state between its
//! start and its end, numbers are not given out again while a reader can name them.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    store::{Change, Put, RuleId, RuleSet, Scratch},
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
        let mut next = random(seed * 7919);
        let set = RuleSet::new(EventLimits::default());
        let mut scratch = Scratch::default();
        // Rules in the order of their first putting.
        let mut living: Vec<(RuleId, String)> = vec![];
        for step in 0..300 {
            let mut change = Change::default();
            let mut added = vec![];
            for _ in 0..1 + next(if step % 50 == 0 { 60 } else { 3 }) {
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
            if step % 10 == 0 {
                let rebuilt = RuleSet::new(EventLimits::default());
                let ids = rebuilt
                    .apply(Change { remove: vec![], put: living.iter().map(|(_, p)| put(p, None)).collect() })
                    .expect("capacity")
                    .ids;
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
            }
        }
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
