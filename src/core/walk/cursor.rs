//! The walk: steps from token to token of the containers on needed paths, and over everything else from bitmap to
//! bitmap. Says only whether the text is acceptable; `grammar` finds out what was wrong. No recursion: open containers
//! lie on a stack of their own.
//!
//! INVARIANT (bounds): `last` is the offset of the text's last byte, and that byte is `}`. While the outermost object
//! is open the position is at most `last`. It moves past a byte only when that byte was seen not to be the last
//! (any byte but `}`), or, past a closing bracket, after a comparison with `last`. So no scan needs to ask for the end.

use super::blocks::{self, Block, Isa, Summary};
use super::state::{Frame, Keys, NO_NODE, Via, WalkState};
use super::{Kind, Leaf, Leaves, Trail};
use crate::json::string::unescape_into;
use crate::limits::EventLimits;
use crate::path::{KeyHit, PathTrie, ROOT};

pub(super) const STRICT: u8 = 0;
pub(super) const CHECKED: u8 = 1;
pub(super) const TRUSTED: u8 = 2;

/// Why a walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The text is no acceptable event.
    Refused,
    /// More values than allowed, at this offset.
    TooManyValues(usize),
}

/// Walks an event.
///
/// # Safety
/// The processor must have the instruction set `I`.
#[inline(always)]
pub(super) unsafe fn run<I: Isa, const LEVEL: u8>(
    text: &[u8],
    trie: &PathTrie,
    limits: &EventLimits,
    state: &mut WalkState,
    out: &mut Leaves,
) -> Result<(), Stop> {
    let end = text.iter().rposition(|b| !is_blank(*b)).ok_or(Stop::Refused)?;
    let text = &text[..=end];
    let start = text.iter().position(|b| !is_blank(*b)).ok_or(Stop::Refused)?;
    if text[start] != b'{' || text[end] != b'}' || limits.max_event_depth == 0 {
        return Err(Stop::Refused);
    }
    // SAFETY: passed on to the caller.
    let summary = unsafe { blocks::fill::<I>(text, &mut state.blocks) };
    if summary.unclosed || (LEVEL != TRUSTED && summary.control) {
        return Err(Stop::Refused);
    }
    if LEVEL != TRUSTED && summary.high && simdutf8::basic::from_utf8(text).is_err() {
        return Err(Stop::Refused);
    }
    state.frames.clear();
    state.keys.prepare(trie.len());
    let mut walker = Walker::<LEVEL> {
        text,
        last: end,
        blocks: &state.blocks,
        summary,
        trie,
        max_depth: limits.max_event_depth,
        max_leaves: limits.max_event_values,
        frames: &mut state.frames,
        keys: &mut state.keys,
        key: &mut state.key,
        arrays: 0,
        out,
    };
    // SAFETY: the last byte is `}`, and `{` stands at `start`, before it.
    unsafe { walker.event(start + 1) }?;
    state.keys.drop_dead(&mut out.leaves);
    Ok(())
}

struct Walker<'a, const LEVEL: u8> {
    text: &'a [u8],
    last: usize,
    blocks: &'a [Block],
    summary: Summary,
    trie: &'a PathTrie,
    max_depth: usize,
    max_leaves: usize,
    frames: &'a mut Vec<Frame>,
    keys: &'a mut Keys,
    key: &'a mut Vec<u8>,
    arrays: u32,
    out: &'a mut Leaves,
}

/// A value's place: what leads to it and where in the trie that is.
#[derive(Clone, Copy)]
struct Place {
    node: u32,
    via: Via,
}

const NOWHERE: Place = Place { node: NO_NODE, via: Via::Nothing };

impl<const LEVEL: u8> Walker<'_, LEVEL> {
    /// From just after the outermost `{` to the end.
    ///
    /// # Safety
    /// `p <= self.last`, as for every function below that takes a position.
    #[inline(always)]
    unsafe fn event(&mut self, mut p: usize) -> Result<(), Stop> {
        // SAFETY: the bounds invariant of this file, step by step.
        unsafe {
            let mut here = Frame { serial: self.serial(), node: ROOT, trail: 0, array: 0, index: 0, close: b'}', via: Via::Nothing };
            let mut fresh = true;
            loop {
                p = self.blanks(p);
                if !fresh || self.at(p) != here.close {
                    let place = if here.close == b'}' { self.member(&mut p, &here)? } else { Place { node: here.node, via: Via::Nothing } };
                    let byte = self.at(p);
                    match byte {
                        b'"' => self.string(&mut p, place, &here)?,
                        b'{' | b'[' => {
                            if let Some(inner) = self.enters(byte, place, &here) {
                                if self.frames.len() + 2 > self.max_depth {
                                    return Err(Stop::Refused);
                                }
                                self.frames.push(here);
                                here = inner;
                                fresh = true;
                                p += 1;
                                continue;
                            }
                            p = self.skip(p + 1)?;
                        }
                        _ => self.scalar(byte, &mut p, place, &here)?,
                    }
                } else {
                    p += 1;
                    if self.closes(&mut here, p)? {
                        return Ok(());
                    }
                }
                // After a value: close what ends here, up to the next comma.
                loop {
                    p = self.blanks(p);
                    let byte = self.at(p);
                    if byte == b',' {
                        p += 1;
                        here.index += 1;
                        fresh = false;
                        break;
                    }
                    if byte != here.close {
                        return Err(Stop::Refused);
                    }
                    p += 1;
                    if self.closes(&mut here, p)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Reads a key and its colon; `p` moves to the value.
    ///
    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    unsafe fn member(&mut self, p: &mut usize, here: &Frame) -> Result<Place, Stop> {
        // SAFETY: `p <= last`; then past a quote, blanks and a colon, none of which is the last byte.
        unsafe {
            if self.at(*p) != b'"' {
                return Err(Stop::Refused);
            }
            let start = *p + 1;
            let end = self.string_end(start)?;
            *p = self.blanks(end + 1);
            if self.at(*p) != b':' {
                return Err(Stop::Refused);
            }
            *p = self.blanks(*p + 1);
            let hit = if self.summary.backslash && self.has_backslash(start, end) {
                self.escaped_key(start, end, here.node)?
            } else if LEVEL == STRICT && here.node == NO_NODE {
                None
            } else {
                self.trie.follow(here.node, self.text, start, end, self.word(start))
            };
            let Some(KeyHit { node, dotted }) = hit else { return Ok(NOWHERE) };
            let via = if dotted { Via::DottedKey } else { Via::Key };
            self.keys.meet(here.serial, node, via, self.out.leaves.len());
            Ok(Place { node, via })
        }
    }

    #[cold]
    fn escaped_key(&mut self, start: usize, end: usize, node: u32) -> Result<Option<KeyHit>, Stop> {
        self.key.clear();
        unescape_into(&self.text[start..end], self.key).map_err(|_| Stop::Refused)?;
        Ok(if node == NO_NODE { None } else { self.trie.follow_slow(node, self.key) })
    }

    /// Reads a string value; `p` moves from its opening quote past the closing one.
    ///
    /// # Safety
    /// A quote stands at `p`.
    #[inline(always)]
    unsafe fn string(&mut self, p: &mut usize, place: Place, here: &Frame) -> Result<(), Stop> {
        let start = *p + 1;
        let end = self.string_end(start)?;
        *p = end + 1;
        let escaped = self.summary.backslash && self.has_backslash(start, end);
        if place.node != NO_NODE && self.trie.is_wanted(place.node) {
            if escaped {
                let from = self.out.unescaped.len();
                unescape_into(&self.text[start..end], &mut self.out.unescaped).map_err(|_| Stop::Refused)?;
                self.emit(place, here, Kind::String, from, self.out.unescaped.len(), true)?;
            } else {
                self.emit(place, here, Kind::String, start, end, false)?;
            }
        } else if LEVEL != TRUSTED && escaped && !valid_escapes(&self.text[start..end]) {
            return Err(Stop::Refused);
        }
        Ok(())
    }

    /// Reads a number or a word; `p` moves behind it.
    ///
    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    unsafe fn scalar(&mut self, byte: u8, p: &mut usize, place: Place, here: &Frame) -> Result<(), Stop> {
        let start = *p;
        let (kind, end) = match byte {
            // SAFETY: `p <= last`.
            b'-' | b'0'..=b'9' => (Kind::Number, unsafe { self.number_end(start) }?),
            b't' => (Kind::True, self.word_end(start, b"true")?),
            b'f' => (Kind::False, self.word_end(start, b"false")?),
            b'n' => (Kind::Null, self.word_end(start, b"null")?),
            _ => return Err(Stop::Refused),
        };
        *p = end;
        if place.node != NO_NODE && self.trie.is_wanted(place.node) {
            self.emit(place, here, kind, start, end, false)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn emit(&mut self, place: Place, here: &Frame, kind: Kind, start: usize, end: usize, copied: bool) -> Result<(), Stop> {
        if self.out.leaves.len() >= self.max_leaves {
            return Err(Stop::TooManyValues(start));
        }
        let leaf = Leaf { path: place.node, start: start as u32, len: (end - start) as u32, trail: here.trail, kind, copied };
        self.out.leaves.push(leaf);
        self.keys.leave(here.serial, place.node, place.via, self.out.leaves.len());
        Ok(())
    }

    /// The frame of a container that has to be entered; `None` when it can be skipped.
    #[inline(always)]
    fn enters(&mut self, bracket: u8, place: Place, here: &Frame) -> Option<Frame> {
        let node = place.node;
        let object = bracket == b'{';
        let needed = node != NO_NODE && (self.trie.is_inner(node) || (!object && self.trie.is_wanted(node)));
        if !needed {
            let unseen = Frame { serial: 0, node: NO_NODE, trail: 0, array: 0, index: 0, close: bracket + 2, via: Via::Nothing };
            return (LEVEL == STRICT).then_some(unseen);
        }
        let mut trail = here.trail;
        if here.array != 0 {
            trail = self.out.trails.len() as u32;
            self.out.trails.push(Trail { parent: here.trail, array: here.array, index: here.index });
        }
        let mut array = 0;
        if !object && self.trie.is_shared(node) {
            self.arrays += 1;
            array = self.arrays;
        }
        let serial = if object { self.serial() } else { 0 };
        Some(Frame { serial, node, trail, array, index: 0, close: bracket + 2, via: place.via })
    }

    /// Leaves a container; `p` is the position after its bracket. True when it was the outermost one and nothing follows.
    #[inline(always)]
    fn closes(&mut self, here: &mut Frame, p: usize) -> Result<bool, Stop> {
        let Some(outer) = self.frames.pop() else {
            return if p > self.last { Ok(true) } else { Err(Stop::Refused) };
        };
        if p > self.last {
            return Err(Stop::Refused);
        }
        self.keys.leave(outer.serial, here.node, here.via, self.out.leaves.len());
        *here = outer;
        Ok(false)
    }

    /// From just after an opening bracket to just after its closing one, by counting: brackets inside strings are not
    /// in the bitmaps. Refuses when that would be the end of the text or beyond.
    #[inline(always)]
    fn skip(&self, start: usize) -> Result<usize, Stop> {
        let mut block = start >> 6;
        let from = !0u64 << (start & 63);
        let mut depth = 1u32;
        let first = &self.blocks[block];
        let (mut open, mut close) = (first.open & from, first.close & from);
        loop {
            let closing = close.count_ones();
            if closing >= depth {
                // The wanted one is the first that closes more than was opened.
                let (mut rest, mut nth) = (close, 0);
                while rest != 0 {
                    let low = rest & rest.wrapping_neg();
                    nth += 1;
                    if depth + (open & (low - 1)).count_ones() == nth {
                        let after = (block << 6) + low.trailing_zeros() as usize + 1;
                        return if after <= self.last { Ok(after) } else { Err(Stop::Refused) };
                    }
                    rest &= rest - 1;
                }
            }
            depth = depth + open.count_ones() - closing;
            block += 1;
            let Some(next) = self.blocks.get(block) else { return Err(Stop::Refused) };
            (open, close) = (next.open, next.close);
        }
    }

    /// The closing quote of the string whose text begins at `start`.
    #[inline(always)]
    fn string_end(&self, start: usize) -> Result<usize, Stop> {
        let mut block = start >> 6;
        let mut quotes = self.blocks[block].quote & (!0u64 << (start & 63));
        while quotes == 0 {
            block += 1;
            quotes = self.blocks[block].quote; // the sentinel stops this
        }
        let end = (block << 6) + quotes.trailing_zeros() as usize;
        if end < self.last { Ok(end) } else { Err(Stop::Refused) }
    }

    #[cold]
    #[inline(never)]
    fn has_backslash(&self, start: usize, end: usize) -> bool {
        let (first, last) = (start >> 6, end >> 6);
        (first..=last).any(|i| {
            let mut bits = self.blocks[i].backslash;
            if i == first {
                bits &= !0 << (start & 63);
            }
            if i == last {
                bits &= !(!0 << (end & 63));
            }
            bits != 0
        })
    }

    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    unsafe fn number_end(&self, mut p: usize) -> Result<usize, Stop> {
        // SAFETY: only digits, signs, points and the letter e are passed, none of which is the last byte.
        unsafe {
            p += (self.at(p) == b'-') as usize;
            if self.at(p) == b'0' {
                p += 1;
            } else {
                p = self.digits(p)?;
            }
            if self.at(p) == b'.' {
                p = self.digits(p + 1)?;
            }
            if self.at(p) | 0x20 == b'e' {
                p += 1;
                p += matches!(self.at(p), b'+' | b'-') as usize;
                p = self.digits(p)?;
            }
            Ok(p)
        }
    }

    /// At least one digit.
    ///
    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    unsafe fn digits(&self, start: usize) -> Result<usize, Stop> {
        let mut p = start;
        // SAFETY: a digit is not the last byte.
        while unsafe { self.at(p) }.is_ascii_digit() {
            p += 1;
        }
        if p > start { Ok(p) } else { Err(Stop::Refused) }
    }

    #[inline(always)]
    fn word_end(&self, start: usize, word: &[u8]) -> Result<usize, Stop> {
        if self.text[start..].starts_with(word) { Ok(start + word.len()) } else { Err(Stop::Refused) }
    }

    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    unsafe fn blanks(&self, mut p: usize) -> usize {
        // SAFETY: a blank is not the last byte.
        while is_blank(unsafe { self.at(p) }) {
            p += 1;
        }
        p
    }

    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    unsafe fn at(&self, p: usize) -> u8 {
        debug_assert!(p <= self.last);
        // SAFETY: `last` is within the text.
        unsafe { *self.text.get_unchecked(p) }
    }

    /// Eight bytes from `p` on, zeros beyond the text.
    #[inline(always)]
    fn word(&self, p: usize) -> u64 {
        match self.text.get(p..p + 8) {
            Some(bytes) => u64::from_le_bytes(bytes.try_into().expect("eight bytes")),
            None => self.text[p..].iter().rev().fold(0, |w, b| w << 8 | *b as u64),
        }
    }

    #[inline(always)]
    fn serial(&mut self) -> u64 {
        self.keys.serial += 1;
        self.keys.serial
    }
}

#[inline(always)]
fn is_blank(b: u8) -> bool {
    b <= b' ' && matches!(b, b' ' | b'\n' | b'\r' | b'\t')
}

/// Whether every backslash begins an escape that JSON has.
#[cold]
fn valid_escapes(raw: &[u8]) -> bool {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let len = match rest.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') if rest.get(at + 2..at + 6).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => 6,
            _ => return false,
        };
        rest = &rest[at + len..];
    }
    true
}
