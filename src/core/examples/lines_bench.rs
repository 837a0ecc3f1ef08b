//! Times whole calls with JSON lines as the Python benches make them: `lines_bench EVENTS.jsonl RULES.jsonl [ROUNDS [LEVEL]]`.
//! Chunks of 2,500 lines, each chunk's best round counts. The file as a whole should not fit the cache, so that events come
//! from memory as they do in use.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    store::RuleSet,
    walk::{Validation, lines::lines},
};
use std::time::Instant;

const CHUNK: usize = 2_500;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let text = std::fs::read(&args[1]).expect("events file");
    let rules = std::fs::read(&args[2]).expect("rules file");
    let rounds = args.get(3).map_or(9, |n| n.parse().expect("a number"));
    let wanted = args.get(4).cloned().unwrap_or_default();
    let texts: Vec<&[u8]> = lines(&rules).map(|(_, line)| line).collect();
    let set = RuleSet::new(EventLimits::default());
    let draft = set.read(&texts, |text| accept(text, &PatternLimits::default()), 1).expect("valid patterns");
    set.put_draft(draft, &vec![None; texts.len()]).expect("within capacity");
    let snapshot = set.load();
    let events: Vec<&[u8]> = lines(&text).map(|(_, line)| line).collect();
    let chunks: Vec<Vec<u8>> = events.chunks(CHUNK).map(|lines| lines.join(&b'\n')).collect();
    for level in [Validation::Checked, Validation::Strict, Validation::Trusted] {
        if !format!("{level:?}").eq_ignore_ascii_case(&wanted) && !wanted.is_empty() {
            continue;
        }
        let (mut times, mut matches) = (vec![f64::MAX; chunks.len()], 0);
        for _ in 0..rounds {
            matches = 0;
            for (chunk, best) in chunks.iter().zip(&mut times) {
                let start = Instant::now();
                let found = snapshot.match_lines(chunk, level, 1);
                *best = best.min(start.elapsed().as_nanos() as f64);
                assert!(found.errors.is_empty(), "valid events");
                matches += found.rules.len();
            }
        }
        println!("{level:?}: {:.0} ns an event; {matches} matches", times.iter().sum::<f64>() / events.len() as f64);
    }
}
