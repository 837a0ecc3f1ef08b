//! Measures the engine on files: `engine_bench EVENTS.jsonl RULES.jsonl [LIMIT [ROUNDS [THREADS [LEVEL]]]]` (one
//! pattern a line). Prints build time, memory, time per event (the sum of the chunks' best rounds), matches; for profiles
//! and quick comparisons.
//! The benches proper, with checked counts, are in `benches/`.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    store::{RuleSet, Scratch},
    walk::{Validation, lines::lines},
};
use std::time::Instant;

/// Events of a chunk: every chunk's best round counts, which takes the neighbours' load out of the figure.
const CHUNK: usize = 200;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let events = std::fs::read(&args[1]).expect("events file");
    let rules = std::fs::read(&args[2]).expect("rules file");
    let limit = args.get(3).map_or(usize::MAX, |n| n.parse().expect("a number"));
    let rounds = args.get(4).map_or(9, |n| n.parse().expect("a number"));
    let threads = args.get(5).map_or(1, |n| n.parse().expect("a number"));
    let texts: Vec<&[u8]> = lines(&rules).take(limit).map(|(_, line)| line).collect();
    let count = texts.len();
    let set = RuleSet::new(EventLimits::default());
    let start = Instant::now();
    let draft = set.read(&texts, |text| accept(text, &PatternLimits::default()), threads).expect("valid patterns");
    let parsed = start.elapsed();
    let start = Instant::now();
    set.put_draft(draft, &vec![None; count]).expect("within capacity");
    let built = start.elapsed();
    let snapshot = set.load();
    let stats = snapshot.stats();
    println!(
        "{count} rules: read {:.1} ms, placed {:.1} ms ({:.2} us a rule), {:.0} B a rule, {} conjunctions, {} paths",
        parsed.as_secs_f64() * 1e3,
        built.as_secs_f64() * 1e3,
        (parsed + built).as_secs_f64() * 1e6 / count as f64,
        stats.size_bytes as f64 / count as f64,
        stats.conjunctions,
        stats.paths
    );
    let events: Vec<&[u8]> = lines(&events).map(|(_, line)| line).collect();
    let wanted = args.get(6).cloned().unwrap_or_default();
    for level in [Validation::Checked, Validation::Strict, Validation::Trusted] {
        if !format!("{level:?}").eq_ignore_ascii_case(&wanted) && !wanted.is_empty() {
            continue;
        }
        let mut scratch = Scratch::default();
        let (mut times, mut matches) = (vec![f64::MAX; events.len().div_ceil(CHUNK)], 0usize);
        for _ in 0..rounds {
            matches = 0;
            for (chunk, best) in events.chunks(CHUNK).zip(&mut times) {
                let start = Instant::now();
                for event in chunk {
                    snapshot.match_text(event, level, &mut scratch).expect("a valid event");
                    matches += scratch.matches.len();
                }
                *best = best.min(start.elapsed().as_nanos() as f64);
            }
        }
        println!("{level:?}: {:.0} ns an event; {matches} matches", times.iter().sum::<f64>() / events.len() as f64);
    }
}
