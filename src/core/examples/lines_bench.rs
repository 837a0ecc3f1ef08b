//! Measures `match_lines` on files: `lines_bench EVENTS.jsonl RULES.jsonl [LIMIT [ROUNDS [LEVEL [CHUNK]]]]` (one pattern
//! a line), in chunks of CHUNK events as the benches call it; prints time per event (the sum of the chunks' best rounds)
//! and matches. Under valgrind, collect in `measured` only.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    store::{RuleSet, Snapshot},
    walk::{Validation, lines::lines},
};
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let events = std::fs::read(&args[1]).expect("events file");
    let rules = std::fs::read(&args[2]).expect("rules file");
    let limit = args.get(3).map_or(usize::MAX, |n| n.parse().expect("a number"));
    let rounds = args.get(4).map_or(9, |n| n.parse().expect("a number"));
    let wanted = args.get(5).cloned().unwrap_or_else(|| "checked".to_owned());
    let chunk = args.get(6).map_or(1000, |n| n.parse().expect("a number"));
    let all = [Validation::Checked, Validation::Strict, Validation::Trusted];
    let level = all.into_iter().find(|level| format!("{level:?}").eq_ignore_ascii_case(&wanted)).expect("a level");
    let texts: Vec<&[u8]> = lines(&rules).take(limit).map(|(_, line)| line).collect();
    let set = RuleSet::new(EventLimits::default());
    let draft = set.read(&texts, |text| accept(text, &PatternLimits::default()), 2).expect("valid patterns");
    set.put_draft(draft, &vec![None; texts.len()]).expect("within capacity");
    let snapshot = set.load();
    let size = snapshot.stats().size_bytes as f64 / texts.len() as f64;
    let events: Vec<&[u8]> = lines(&events).map(|(_, line)| line).collect();
    let chunks: Vec<Vec<u8>> = events.chunks(chunk).map(|lines| lines.join(&b'\n')).collect();
    let (mut times, mut matches) = (vec![f64::MAX; chunks.len()], 0usize);
    for _ in 0..rounds {
        matches = 0;
        for (chunk, best) in chunks.iter().zip(&mut times) {
            let start = Instant::now();
            matches += measured(&snapshot, chunk, level);
            *best = best.min(start.elapsed().as_nanos() as f64);
        }
    }
    println!("{level:?}: {:.0} ns an event; {matches} matches; {size:.0} B a rule", times.iter().sum::<f64>() / events.len() as f64);
}

/// A function of its own, by whose name a profiler finds it.
#[inline(never)]
fn measured(snapshot: &Snapshot, lines: &[u8], level: Validation) -> usize {
    snapshot.match_lines(lines, level, 1).rules.len()
}
