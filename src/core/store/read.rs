//! Many patterns read at once. Threads take pieces of the rules in turn, small enough to stay in a processor's cache,
//! and write each down by itself; the pieces are copied into the whole in the order of the rules, by whichever thread
//! finds their turn come. So no more trees are alive at a time than there are threads, and no piece waits long.
//!
//! COST: about two microseconds a rule on one thread; copying, which is not done in parallel, is a fifth of that.

use super::{CapacityError, draft::Draft, ruleset::processors};
use crate::{index::operands::OperandHasher, path::PathTrie, pattern::tree::Pattern};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Rules of a piece.
const PIECE: usize = 1024;

/// Why rules cannot be put.
#[derive(Debug)]
pub enum Refused<E> {
    /// Bad patterns, by their index.
    Patterns(Vec<(usize, E)>),
    /// They would exceed what a set can hold.
    Capacity(CapacityError),
}

/// What the threads share.
struct Desk<E> {
    next: AtomicUsize,
    refused: AtomicBool,
    errors: Mutex<Vec<(usize, E)>>,
    whole: Mutex<Whole>,
    /// By number, the pieces that are written and not copied yet.
    ready: Mutex<Vec<Option<Draft>>>,
}

struct Whole {
    draft: Draft,
    /// The piece whose turn it is.
    turn: usize,
    full: Result<(), CapacityError>,
}

/// Reads and writes down the rules of `sources`, on at most `threads` threads (0 = as many as there are processors).
pub(super) fn read<S: Sync, E: Send>(
    sources: &[S],
    pattern: impl Fn(&S) -> Result<Pattern, E> + Sync,
    hasher: &OperandHasher,
    threads: usize,
) -> Result<Draft, Refused<E>> {
    let pieces = sources.len().div_ceil(PIECE);
    let threads = if pieces <= 1 { 1 } else { processors(threads).min(pieces) };
    let empty = || Draft::new(hasher.clone(), Arc::new(PathTrie::new()));
    let desk = Desk {
        next: AtomicUsize::new(0),
        refused: AtomicBool::new(false),
        errors: Mutex::new(vec![]),
        whole: Mutex::new(Whole { draft: empty(), turn: 0, full: Ok(()) }),
        ready: Mutex::new((0..pieces).map(|_| None).collect()),
    };
    let work = || {
        loop {
            let at = desk.next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = sources.chunks(PIECE).nth(at) else { return };
            match piece_of(piece, &pattern, empty(), &desk, at * PIECE) {
                Ok(draft) => desk.ready.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(draft),
                Err(error) => desk.whole.lock().unwrap_or_else(PoisonError::into_inner).full = Err(error),
            }
            desk.copy();
        }
    };
    let mut whole = empty();
    whole.reserve(sources.len());
    if threads == 1 {
        let draft = piece_of(sources, &pattern, whole, &desk, 0).map_err(Refused::Capacity)?;
        return desk.end(Whole { draft, turn: 0, full: Ok(()) });
    }
    desk.whole.lock().unwrap_or_else(PoisonError::into_inner).draft = whole;
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Where there can be no more threads, those that are there do the work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    desk.copy();
    let whole =
        std::mem::replace(&mut *desk.whole.lock().unwrap_or_else(PoisonError::into_inner), Whole { draft: empty(), turn: 0, full: Ok(()) });
    desk.end(whole)
}

/// Reads the rules of a piece and writes them down, unless some rule was refused: then it only looks for more errors.
fn piece_of<S, E>(
    sources: &[S],
    pattern: &impl Fn(&S) -> Result<Pattern, E>,
    mut draft: Draft,
    desk: &Desk<E>,
    first: usize,
) -> Result<Draft, CapacityError> {
    for (at, source) in sources.iter().enumerate() {
        match pattern(source) {
            Ok(pattern) if !desk.refused.load(Ordering::Relaxed) => {
                draft.has_room_for([&pattern].into_iter())?;
                draft.push(pattern);
            }
            Ok(_) => {}
            Err(error) => {
                desk.refused.store(true, Ordering::Relaxed);
                desk.errors.lock().unwrap_or_else(PoisonError::into_inner).push((first + at, error));
            }
        }
    }
    Ok(draft)
}

impl<E> Desk<E> {
    /// Copies the pieces whose turn has come, unless another thread is at it.
    fn copy(&self) {
        while let Ok(mut whole) = self.whole.try_lock() {
            let turn = whole.turn;
            let Some(piece) = self.ready.lock().unwrap_or_else(PoisonError::into_inner).get_mut(turn).and_then(Option::take) else {
                return;
            };
            whole.turn += 1;
            if whole.full.is_ok() && !self.refused.load(Ordering::Relaxed) {
                whole.full = whole.draft.absorb(&piece);
            }
        }
    }

    fn end(self, whole: Whole) -> Result<Draft, Refused<E>> {
        let mut errors = self.errors.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !errors.is_empty() {
            errors.sort_unstable_by_key(|(at, _)| *at);
            return Err(Refused::Patterns(errors));
        }
        whole.full.map(|()| whole.draft).map_err(Refused::Capacity)
    }
}
