//! JSON lines in one call: the buffer is cut into pieces at line ends, threads take pieces in turn, and the results
//! are joined in the order of the lines. A bad line is a value in the result, never the loss of the batch.

use super::{
    RuleId,
    ruleset::processors,
    snapshot::{Scratch, Snapshot},
};
use crate::{
    error::EventError,
    walk::{Validation, lines},
};
use std::{
    cell::Cell,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A line that is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineError {
    /// Index of the event, from 0; blank lines do not count.
    pub event: usize,
    /// Where its line begins in the buffer, in bytes.
    pub offset: usize,
    /// What is wrong; its offset is within the line.
    pub error: EventError,
}

/// Matches of many events.
#[derive(Default)]
pub struct Lines {
    /// `rules[offsets[i]..offsets[i + 1]]` are the matches of event i.
    pub offsets: Vec<u64>,
    /// All matches.
    pub rules: Vec<RuleId>,
    /// Lines that are no events.
    pub errors: Vec<LineError>,
}

/// Matches of many events, counted.
#[derive(Default)]
pub struct Counts {
    /// By rule number: how many events it matched.
    pub by_rule: Vec<u64>,
    /// Number of events, bad ones included.
    pub events: usize,
    /// Lines that are no events.
    pub errors: Vec<LineError>,
}

/// No rule matches the line.
pub const NO_MATCH: u8 = 0;
/// Some rule matches it.
pub const MATCH: u8 = 1;
/// It is no event.
pub const NO_EVENT: u8 = 255;

/// Size of a piece: large enough to make taking one cheap, small enough to divide the work evenly.
const PIECE: usize = 256 << 10;

thread_local! {
    /// The working memory of a thread's last call: to make it anew costs as much as the matching of 20 lines, and it
    /// knows what events look like.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

impl Snapshot {
    /// Matches every line, on `threads` threads (0 = as many as there are processors).
    pub fn match_lines(&self, buffer: &[u8], level: Validation, threads: usize) -> Lines {
        let parts = run(buffer, threads, |piece, base, scratch| {
            let mut part = Lines { offsets: Vec::with_capacity(piece.len() / 512), ..Lines::default() };
            self.match_each(lines::events(piece), level, false, scratch, |line, found| {
                match found {
                    Ok(rules) => part.rules.extend_from_slice(rules),
                    Err(error) => part.errors.push(LineError { event: part.offsets.len(), offset: base + place(line, piece), error }),
                }
                part.offsets.push(part.rules.len() as u64);
            });
            part
        });
        let mut all = Lines {
            offsets: Vec::with_capacity(1 + parts.iter().map(|p| p.offsets.len()).sum::<usize>()),
            rules: Vec::with_capacity(parts.iter().map(|p| p.rules.len()).sum()),
            errors: Vec::new(),
        };
        all.offsets.push(0);
        for part in parts {
            let (events, matches) = (all.offsets.len() - 1, all.rules.len() as u64);
            all.errors.extend(part.errors.into_iter().map(|e| LineError { event: e.event + events, ..e }));
            all.offsets.extend(part.offsets.into_iter().map(|o| o + matches));
            all.rules.extend(part.rules);
        }
        all
    }

    /// Says of every line whether any rule matches it: `NO_MATCH`, `MATCH` or `NO_EVENT`.
    pub fn any_lines(&self, buffer: &[u8], level: Validation, threads: usize) -> Vec<u8> {
        let parts = run(buffer, threads, |piece, _, scratch| {
            let mut answers = Vec::with_capacity(piece.len() / 512);
            self.match_each(lines::events(piece), level, true, scratch, |_, found| {
                answers.push(match found {
                    Ok([]) => NO_MATCH,
                    Ok(_) => MATCH,
                    Err(_) => NO_EVENT,
                });
            });
            answers
        });
        parts.concat()
    }

    /// Counts the matches of every line, building no lists.
    pub fn count_lines(&self, buffer: &[u8], level: Validation, threads: usize) -> Counts {
        let parts = run(buffer, threads, |piece, base, scratch| {
            let mut part = Counts::default();
            self.match_each(lines::events(piece), level, false, scratch, |line, found| {
                match found {
                    Ok(rules) => add(&mut part.by_rule, rules.iter().map(|rule| (*rule, 1))),
                    Err(error) => part.errors.push(LineError { event: part.events, offset: base + place(line, piece), error }),
                }
                part.events += 1;
            });
            part
        });
        let mut all = Counts::default();
        for part in parts {
            all.errors.extend(part.errors.into_iter().map(|e| LineError { event: e.event + all.events, ..e }));
            all.events += part.events;
            add(&mut all.by_rule, part.by_rule.into_iter().enumerate().map(|(rule, n)| (rule as RuleId, n)));
        }
        all
    }
}

/// Where a line of a piece begins.
fn place(line: &[u8], piece: &[u8]) -> usize {
    line.as_ptr() as usize - piece.as_ptr() as usize
}

fn add(counts: &mut Vec<u64>, more: impl Iterator<Item = (RuleId, u64)>) {
    for (rule, n) in more {
        if counts.len() <= rule as usize {
            counts.resize(rule as usize + 1, 0);
        }
        counts[rule as usize] += n;
    }
}

/// Runs `work` over the pieces of the buffer (with each piece's place) and returns the results in order. This thread takes
/// its share: to begin another costs as much as some tens of lines.
fn run<T: Send>(buffer: &[u8], threads: usize, work: impl Fn(&[u8], usize, &mut Scratch) -> T + Sync) -> Vec<T> {
    let threads = processors(threads);
    let pieces = cut(buffer, threads);
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(pieces.len()));
    let take_pieces = |scratch: &mut Scratch| {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(start, end)) = pieces.get(at) else { return };
            let result = work(&buffer[start..end], start, scratch);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(pieces.len()) {
            // Where there can be no more threads, those that are there do the work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, || take_pieces(&mut Scratch::default()));
        }
        let mut scratch = SCRATCH.take().unwrap_or_default();
        take_pieces(&mut scratch);
        if scratch.is_small() {
            SCRATCH.set(Some(scratch));
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_unstable_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Ranges of about `PIECE` bytes that end at line ends; smaller ones where that makes the threads end together.
fn cut(buffer: &[u8], threads: usize) -> Vec<(usize, usize)> {
    let size = if threads == 1 { PIECE } else { (buffer.len() / (16 * threads)).clamp(PIECE / 8, PIECE) };
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < buffer.len() {
        let end = match buffer.get(start + size..) {
            Some(rest) => memchr::memchr(b'\n', rest).map_or(buffer.len(), |at| start + size + at + 1),
            None => buffer.len(),
        };
        pieces.push((start, end));
        start = end;
    }
    pieces
}
