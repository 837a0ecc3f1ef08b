//! Measures what the segments of a live set cost its readers: `segments_bench EVENTS.jsonl RULES.jsonl [LIMIT [ROUNDS]]`.
//! The same rules in one segment, then the last 16,264 of them in three smaller ones. The sum of the chunks' best rounds
//! counts, which takes the neighbours' load out of the figure.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    store::{RuleSet, Scratch, Snapshot},
    walk::{Validation, lines::lines},
};
use std::time::Instant;

const CHUNK: usize = 200;

fn measure(what: &str, snapshot: &Snapshot, events: &[&[u8]], rounds: usize) {
    let mut scratch = Scratch::default();
    let (mut times, mut matches) = (vec![f64::MAX; events.len().div_ceil(CHUNK)], 0usize);
    for _ in 0..rounds {
        matches = 0;
        for (chunk, best) in events.chunks(CHUNK).zip(&mut times) {
            let start = Instant::now();
            for event in chunk {
                snapshot.match_text(event, Validation::Checked, &mut scratch).expect("a valid event");
                matches += scratch.matches.len();
            }
            *best = best.min(start.elapsed().as_nanos() as f64);
        }
    }
    let segments = snapshot.stats().segments;
    println!("{what}, {segments} segments: {:.0} ns an event; {matches} matches", times.iter().sum::<f64>() / events.len() as f64);
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let events = std::fs::read(&args[1]).expect("events file");
    let rules = std::fs::read(&args[2]).expect("rules file");
    let limit = args.get(3).map_or(usize::MAX, |n| n.parse().expect("a number"));
    let rounds = args.get(4).map_or(15, |n| n.parse().expect("a number"));
    let texts: Vec<&[u8]> = lines(&rules).take(limit).map(|(_, line)| line).collect();
    let events: Vec<&[u8]> = lines(&events).map(|(_, line)| line).collect();
    let set = RuleSet::new(EventLimits::default());
    let mut rest = &texts[..];
    for part in [texts.len() - 16_264, 16_000, 256, 8] {
        let (now, later) = rest.split_at(part);
        let draft = set.read(now, |text| accept(text, &PatternLimits::default()), 0).expect("valid patterns");
        set.put_draft(draft, &vec![None; now.len()]).expect("within capacity");
        measure("live", &set.load(), &events, rounds);
        rest = later;
    }
    set.compact();
    measure("compact", &set.load(), &events, rounds);
}
