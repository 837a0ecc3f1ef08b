//! Times the walk alone: ns an event, single thread. The lines of a file are cut into chunks and every chunk's best of
//! several rounds counts, which takes the neighbours' load out of the figure.
//! Usage: `walk_bench FILE [ROUNDS] PATH…`; shared paths (array trails) are written with a leading `+`.
//! Prints one line for each instruction set and level with the number of leaves, so that figures can be compared.

use rulebus_core::limits::EventLimits;
use rulebus_core::path::PathTrie;
use rulebus_core::walk::{Instructions, Leaves, Validation, WalkState, lines, walk_with};
use std::time::Instant;

const CHUNK: usize = 200;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: walk_bench FILE [ROUNDS] PATH...");
        std::process::exit(2);
    };
    let (rounds, paths) = match rest.first().and_then(|a| a.parse::<usize>().ok()) {
        Some(rounds) => (rounds, &rest[1..]),
        None => (15, rest),
    };
    let mut trie = PathTrie::new();
    for path in paths {
        let node = trie.intern(path.trim_start_matches('+').as_bytes());
        trie.set_wanted(node);
        if path.starts_with('+') {
            trie.set_shared(node);
        }
    }
    let text = std::fs::read(file).expect("the file can be read");
    let events: Vec<&[u8]> = lines::lines(&text).map(|(_, line)| line).collect();
    println!("{} events, {} bytes on average, {} paths", events.len(), text.len() / events.len().max(1), paths.len());
    let limits = EventLimits::default();
    let (mut state, mut out) = (WalkState::default(), Leaves::default());
    for instructions in Instructions::available() {
        for level in [Validation::Trusted, Validation::Checked, Validation::Strict] {
            let (mut best, mut leaves, mut refused) = (vec![f64::MAX; events.len().div_ceil(CHUNK)], 0, 0);
            for _ in 0..rounds {
                (leaves, refused) = (0, 0);
                for (chunk, best) in events.chunks(CHUNK).zip(&mut best) {
                    let start = Instant::now();
                    for event in chunk {
                        match walk_with(instructions, event, &trie, level, &limits, &mut state, &mut out) {
                            Some(Ok(())) => leaves += out.leaves.len(),
                            _ => refused += 1,
                        }
                    }
                    *best = best.min(start.elapsed().as_nanos() as f64);
                }
            }
            let best = best.iter().sum::<f64>() / events.len() as f64;
            let name = format!("{instructions:?} {level:?}");
            println!("{name:20} {best:8.1} ns/event   {leaves} leaves, {refused} refused");
        }
    }
}
