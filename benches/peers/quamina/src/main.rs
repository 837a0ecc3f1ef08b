//! `peer-quamina RULES EVENTS ROUNDS SECONDS`: JSON lines of patterns and of events; prints one JSON line.
//!
//! Measured as benches/target_measure.py measures rulebus: chunks of 2,500 events, each chunk's fastest round in processor
//! time; within SECONDS, so a slow set sees fewer events, and then of each chunk only what it saw. Patterns that are refused are counted. Must
//! never report a time without the number of matches.

use cpu_time::ThreadTime;
use quamina::Quamina;
use std::{
    env, fs,
    time::{Duration, Instant},
};

const CHUNK: usize = 2_500;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [rules, events, rounds, seconds] = &arguments[..] else {
        panic!("usage: peer-quamina RULES EVENTS ROUNDS SECONDS");
    };
    let rules = fs::read_to_string(rules).expect("rules are read");
    let events = fs::read(events).expect("events are read");
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let budget = Duration::from_secs_f64(seconds.parse().expect("a number of seconds"));

    let mut engine = Quamina::new();
    let (mut taken, begin) = (0, Instant::now());
    for (number, rule) in rules.lines().enumerate() {
        taken += engine.add_pattern(number, rule).is_ok() as usize;
    }
    let built = begin.elapsed().as_secs_f64();

    let lines: Vec<&[u8]> = events.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let (mut fastest, mut matches, mut seen) = (Vec::new(), 0, 0);
    let begin = Instant::now();
    'rounds: for round in 0..rounds {
        for (number, chunk) in lines.chunks(CHUNK).enumerate() {
            if begin.elapsed() > budget && round > 0 {
                break 'rounds;
            }
            let (start, mut count, mut done) = (ThreadTime::now(), 0, 0);
            for event in chunk {
                count += engine.matches_for_event(event).map_or(0, |found| found.len());
                done += 1;
                if round == 0 && done % 16 == 0 && begin.elapsed() > budget {
                    break;
                }
            }
            let spent = start.elapsed().as_secs_f64();
            if round == 0 {
                fastest.push((spent, done));
                matches += count;
                seen += done;
                if begin.elapsed() > budget {
                    break 'rounds;
                }
            } else {
                fastest[number].0 = spent.min(fastest[number].0);
            }
        }
    }
    let total: f64 = fastest.iter().map(|(spent, _)| spent).sum();
    let ns = 1e9 * total / seen.max(1) as f64;
    println!("{{\"taken\": {taken}, \"build_s\": {built}, \"ns_per_event\": {ns}, \"events\": {seen}, \"matches\": {matches}}}");
}
