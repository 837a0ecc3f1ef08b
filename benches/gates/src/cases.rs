//! The cases: matching at several sizes and levels, operators that once were slow, building, putting, parsing.
//!
//! Sizes are chosen so that all of them take well under a minute under valgrind. Hash seeds differ from process to
//! process: a case that depends on them runs on several sets of the same rules. Must never measure input that is not a
//! file of FOLDER.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    pattern::tree::Pattern,
    store::{Change, Put, RuleSet, Scratch},
    walk::{Validation, lines::lines},
};
use std::{fs, path::Path};

/// Sets of the same rules, each with seeds of its own.
const SETS: usize = 4;

/// Called with each case's name and work, which returns a count.
pub type Visit<'a> = dyn FnMut(&str, &mut dyn FnMut() -> usize) + 'a;

/// Goes through all cases in a fixed order.
pub fn each(folder: &Path, visit: &mut Visit<'_>) {
    let read = |name: &str| fs::read(folder.join(name)).expect("gates.py wrote the inputs");
    // First, while the heap is as every process finds it: what sets of other seeds leave behind shifts the allocator's
    // work by three percent of this.
    let rules = read("full-1000.jsonl");
    visit("parse-1000", &mut || (0..SETS).map(|_| patterns(&rules).len()).sum());
    let envelopes = read("envelopes.jsonl");
    for size in [10, 1000, 10_000] {
        let sets = if size > 1000 { 1 } else { SETS };
        let full = sets_of(&read(&format!("full-{size}.jsonl")), sets);
        matching(visit, &format!("match-full-{size}"), &full, &envelopes, Validation::Checked);
        if size <= 1000 {
            matching(visit, &format!("match-full-{size}-strict"), &full, &envelopes, Validation::Strict);
        }
        if size == 1000 {
            matching(visit, "match-full-1000-trusted", &full, &envelopes, Validation::Trusted);
        }
    }
    let lots = read("lots.jsonl");
    for name in ["EXACT", "ANYTHING_BUT", "COMPLEX_ARRAYS", "COMBO"] {
        let sets = sets_of(&read(&format!("lots-{name}.jsonl")), SETS);
        matching(visit, &format!("match-lots-{name}"), &sets, &lots, Validation::Checked);
    }
    for name in ["needles-789", "sibling-arrays", "or-product"] {
        let sets = sets_of(&read(&format!("{name}.jsonl")), SETS);
        matching(visit, &format!("match-{name}"), &sets, &read(&format!("{name}-events.jsonl")), Validation::Checked);
    }
    changing(visit, &rules);
}

/// Matches the events of one file against the patterns of another.
pub fn one(rules: &Path, events: &Path, visit: &mut Visit<'_>) {
    let read = |path: &Path| fs::read(path).expect("a file of JSON lines");
    matching(visit, "match", &sets_of(&read(rules), 1), &read(events), Validation::Checked);
}

fn patterns(rules: &[u8]) -> Vec<Pattern> {
    lines(rules).map(|(_, line)| accept(line, &PatternLimits::default()).expect("a valid pattern")).collect()
}

fn built(patterns: Vec<Pattern>) -> RuleSet {
    let set = RuleSet::new(EventLimits::default());
    let put = patterns.into_iter().map(|pattern| Put { replaces: None, pattern }).collect();
    set.apply(Change { remove: vec![], put }).expect("within capacity");
    set
}

fn sets_of(rules: &[u8], count: usize) -> Vec<RuleSet> {
    (0..count).map(|_| built(patterns(rules))).collect()
}

/// Every event through every set.
fn matching(visit: &mut Visit<'_>, name: &str, sets: &[RuleSet], events: &[u8], level: Validation) {
    let mut scratch = Scratch::default();
    visit(name, &mut || {
        let mut matches = 0;
        for set in sets {
            let snapshot = set.load();
            for (_, event) in lines(events) {
                snapshot.match_text(event, level, &mut scratch).expect("a valid event");
                matches += scratch.matches.len();
            }
        }
        matches
    });
}

/// Building a set of patterns, putting some one by one into it and removing them again.
fn changing(visit: &mut Visit<'_>, rules: &[u8]) {
    // Two rounds: one to warm up, one to be measured.
    let mut ready: Vec<Vec<Pattern>> = (0..2 * SETS).map(|_| patterns(rules)).collect();
    let mut sets = Vec::new();
    visit("build-1000", &mut || {
        sets = (0..SETS).filter_map(|_| ready.pop()).map(built).collect();
        sets.iter().map(|set| set.load().rules().len()).sum()
    });
    let mut single: Vec<Pattern> = (0..2 * SETS).flat_map(|_| patterns(rules).into_iter().take(50)).collect();
    visit("put-and-remove-50-in-1000", &mut || {
        let mut done = 0;
        for set in &sets {
            let mut ids = Vec::new();
            for _ in 0..50 {
                let pattern = single.pop().expect("enough patterns");
                let applied = set.apply(Change { remove: vec![], put: vec![Put { replaces: None, pattern }] });
                ids.extend(applied.expect("within capacity").ids);
            }
            for id in ids {
                done += set.apply(Change { remove: vec![id], put: vec![] }).is_ok() as usize;
            }
        }
        done
    });
}
