//! Runs a target: first the kept corpus, then mutations of the pool until the budget is used up. A finding is shortened
//! and written into the corpus, where every later run meets it again. Relies on the target panicking when it finds
//! something; must never end without saying how many inputs it tried.

use crate::{choices::Rng, mutate::mutate, targets::Target};
use std::{
    collections::HashSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long to search.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// So many inputs: the same inputs for the same seed and corpus.
    Inputs(u64),
    /// So long.
    Time(Duration),
}

/// What a run tried and found.
#[derive(Debug)]
pub struct Report {
    /// Inputs run, the corpus included.
    pub inputs: u64,
    /// Kinds of input seen.
    pub kinds: usize,
    /// The shortest input found that makes the target panic, and the file that keeps it.
    pub finding: Option<(Vec<u8>, PathBuf)>,
}

/// The corpus folder of a target.
pub fn corpus(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// Replays the corpus, then mutates; with `keep`, inputs of new kinds are written into the corpus.
pub fn run(target: &Target, budget: Budget, seed: u64, keep: bool) -> Report {
    let folder = corpus(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut pool: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).expect("a corpus file can be read")).collect();
    pool.push(Vec::new());
    let (mut kinds, mut inputs) = (HashSet::new(), 0);
    for input in &pool {
        inputs += 1;
        match attempt(target, input) {
            Some(kind) => drop(kinds.insert(kind)),
            None => return Report { inputs, kinds: kinds.len(), finding: Some(keep_finding(target, input)) },
        }
    }
    let mut rng = Rng::new(seed);
    let start = Instant::now();
    let more = |done: u64| match budget {
        Budget::Inputs(count) => done < count,
        Budget::Time(limit) => start.elapsed() < limit,
    };
    let replayed = inputs;
    while more(inputs - replayed) {
        // Two of three inputs grow from the young end of the pool, where the new kinds are.
        let young = pool.len().min(64);
        let at = if rng.below(3) == 0 { rng.below(pool.len()) } else { pool.len() - 1 - rng.below(young) };
        let other = rng.below(pool.len());
        let input = mutate(&mut rng, &pool[at], &pool[other]);
        inputs += 1;
        match attempt(target, &input) {
            None => return Report { inputs, kinds: kinds.len(), finding: Some(keep_finding(target, &input)) },
            Some(kind) if kinds.insert(kind) => {
                if keep {
                    fs::write(folder.join(format!("{kind:016x}")), &input).expect("the corpus folder can be written");
                }
                pool.push(input);
            }
            Some(_) => {}
        }
    }
    Report { inputs, kinds: kinds.len(), finding: None }
}

/// The kind of the input, or `None` when the target panicked.
fn attempt(target: &Target, input: &[u8]) -> Option<u64> {
    catch_unwind(AssertUnwindSafe(|| (target.run)(input))).ok()
}

/// Cuts pieces out of the input as long as the target still panics, then writes it down.
fn keep_finding(target: &Target, input: &[u8]) -> (Vec<u8>, PathBuf) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut best = input.to_vec();
    let mut piece = best.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at + piece <= best.len() {
            let mut shorter = best.clone();
            shorter.drain(at..at + piece);
            if attempt(target, &shorter).is_none() {
                best = shorter;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    std::panic::set_hook(hook);
    let kind = best.iter().fold(0u64, |h, b| h.wrapping_mul(0x100_0000_01b3) ^ *b as u64);
    let file = corpus(target).join(format!("finding-{kind:016x}"));
    fs::write(&file, &best).expect("the corpus folder can be written");
    (best, file)
}
