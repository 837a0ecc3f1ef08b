//! From an event's bytes to the leaves that rules ask for: one pass that makes bitmaps of quotes and strings, one
//! walk along the trie that steps from bitmap to bitmap. No value is copied unless it holds an escape.

mod blocks;
mod cursor;
mod dispatch;
mod dotted;
mod elements;
pub mod grammar;
pub mod lines;
mod members;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod neon;
mod numerals;
mod scan;
mod shape;
mod skim;
mod state;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use dispatch::Instructions;
pub use state::WalkState;

use crate::error::{EventError, EventErrorCode};
use crate::limits::EventLimits;
use crate::path::PathTrie;
use crate::value::sieve::Sieves;

/// What stands at a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A string; the leaf's bytes are its text (WTF-8, unescaped, without quotes).
    String,
    /// A number; the leaf's bytes are its JSON text.
    Number,
    /// `true`.
    True,
    /// `false`.
    False,
    /// `null`.
    Null,
}

/// A value on a wanted path. Its bytes are `event[start..start + len]`, or the same range of `Leaves::unescaped`
/// when `copied` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The path (a wanted node of the trie).
    pub path: crate::path::PathId,
    /// First byte.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
    /// Index into `Leaves::trails`; 0 = not inside any array that matters.
    pub trail: u32,
    /// What it is.
    pub kind: Kind,
    /// Whether the bytes lie in `Leaves::unescaped`.
    pub copied: bool,
}

/// One step of a leaf's way through arrays: element `index` of array instance `array`, inside `parent`.
/// Only elements that are objects or arrays make a step; scalars of one array never exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trail {
    /// The trail around the array; 0 = none. Always smaller than this trail's own index.
    pub parent: u32,
    /// Number of the array instance, unique within the event, from 1.
    pub array: u32,
    /// The element.
    pub index: u32,
}

/// What a walk found; reused from event to event.
#[derive(Clone, Debug, Default)]
pub struct Leaves {
    /// In document order; values of duplicate keys already dropped (the last one counts).
    pub leaves: Vec<Leaf>,
    /// `trails[0]` is a placeholder for "none".
    pub trails: Vec<Trail>,
    /// Unescaped texts.
    pub unescaped: Vec<u8>,
}

/// How much of an event's text is checked; each level accepts every valid event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Validation {
    /// RFC 8259 in full: every token, UTF-8, depth, nothing after the object. The default: no answer and no error depends
    /// on what the rules ask for, and it costs little more.
    #[default]
    Strict,
    /// All bytes: strings closed, control characters, UTF-8, brackets balanced in number, nothing after the object;
    /// the full grammar of every object and array that the rules' paths enter, always including the outermost.
    Checked,
    /// Nothing beyond memory safety; stops reading when every wanted path was met. For events accepted before. Of equal
    /// keys either may count.
    Trusted,
}

impl Leaves {
    /// A leaf's bytes: the text of a string without quotes and escapes, the JSON text of anything else.
    #[inline]
    pub fn bytes<'a>(&'a self, leaf: &Leaf, text: &'a [u8]) -> &'a [u8] {
        let from = if leaf.copied { &self.unescaped } else { text };
        &from[leaf.start as usize..(leaf.start + leaf.len) as usize]
    }

    /// Empties everything for the next event.
    #[inline]
    pub fn clear(&mut self) {
        self.leaves.clear();
        self.unescaped.clear();
        self.trails.clear();
        self.trails.push(Trail { parent: 0, array: 0, index: 0 });
    }
}

/// Finds the leaves of `text` on the wanted paths of `trie`. `out` is emptied first; after an error its content means
/// nothing. The error names the first offending byte, whatever the rules ask for.
pub fn walk(
    text: &[u8],
    trie: &PathTrie,
    level: Validation,
    limits: &EventLimits,
    state: &mut WalkState,
    out: &mut Leaves,
) -> Result<(), EventError> {
    walk_sieved(text, (trie, &Sieves::default()), level, limits, state, out)
}

/// The same, leaving out numbers that make no difference to any condition of which the sieves know: the number before
/// them on the same path, in the same elements of arrays, meets all that they meet.
#[inline]
pub fn walk_sieved(
    text: &[u8],
    wanted: (&PathTrie, &Sieves),
    level: Validation,
    limits: &EventLimits,
    state: &mut WalkState,
    out: &mut Leaves,
) -> Result<(), EventError> {
    // SAFETY: no blocks are promised.
    unsafe { walk_ready(text, false, wanted, level, limits, state, out) }
}

/// The same for a text of which all blocks may have been made.
///
/// # Safety
/// If they were seen, they are those of the text, perhaps with blanks behind it.
#[inline]
unsafe fn walk_ready(
    text: &[u8],
    seen: bool,
    wanted: (&PathTrie, &Sieves),
    level: Validation,
    limits: &EventLimits,
    state: &mut WalkState,
    out: &mut Leaves,
) -> Result<(), EventError> {
    prepare(text, limits, out)?;
    // SAFETY: passed on to the caller.
    unsafe { dispatch::run((text, seen), wanted, level, limits, state, out) }.map_err(|stop| explain(stop, text, limits))?;
    if state.sifted != 0 && state.keys.repeated() { walk(text, wanted.0, level, limits, state, out) } else { Ok(()) }
}

/// The same with a given instruction set, so that tests and benches can compare them; `None` when this processor
/// lacks it.
#[doc(hidden)]
pub fn walk_with(
    instructions: Instructions,
    text: &[u8],
    trie: &PathTrie,
    level: Validation,
    limits: &EventLimits,
    state: &mut WalkState,
    out: &mut Leaves,
) -> Option<Result<(), EventError>> {
    if !Instructions::available().contains(&instructions) {
        return None;
    }
    if let Err(error) = prepare(text, limits, out) {
        return Some(Err(error));
    }
    // SAFETY: just looked up.
    let found = unsafe { dispatch::run_with(instructions, (text, false), (trie, &Sieves::default()), level, limits, state, out) };
    Some(found.map_err(|stop| explain(stop, text, limits)))
}

#[inline]
fn prepare(text: &[u8], limits: &EventLimits, out: &mut Leaves) -> Result<(), EventError> {
    out.clear();
    // Offsets are kept in 32 bits, with room for the last block.
    let most = limits.max_event_bytes.min(u32::MAX as usize - 128);
    if text.len() > most { Err(EventError { code: EventErrorCode::TooLarge, offset: most }) } else { Ok(()) }
}

#[cold]
fn explain(stop: cursor::Stop, text: &[u8], limits: &EventLimits) -> EventError {
    match (stop, grammar::check(text, limits)) {
        (cursor::Stop::TooManyValues(offset), _) => EventError { code: EventErrorCode::TooManyValues, offset },
        (cursor::Stop::Refused, Err(error)) => error,
        (cursor::Stop::Refused, Ok(())) => {
            debug_assert!(false, "the walk refuses what the grammar accepts");
            EventError { code: EventErrorCode::UnexpectedByte, offset: 0 }
        }
    }
}
