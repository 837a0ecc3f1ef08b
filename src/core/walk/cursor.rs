//! The walk: steps from token to token of the containers on needed paths, and over everything else from bitmap to
//! bitmap. Says only whether the text is acceptable; `grammar` finds out what was wrong. No recursion: open containers
//! lie on a stack of their own.
//!
//! INVARIANT (bounds): `last` is the offset of the text's last byte, and that byte is `}`. While the outermost object
//! is open the position is at most `last`. It moves past a byte only when that byte was seen not to be the last
//! (any byte but `}`), or, past a closing bracket, after a comparison with `last`. So no scan needs to ask for the end.

use super::blocks::{self, Block, Isa, Summary};
use super::shape::{Shapes, TOKEN, mix, object};
use super::state::{DOTTED, EMPTY, Frame, KEY, Keys, NO_NODE, NOWHERE, Passed, Place, WalkState};
use super::{Kind, Leaf, Leaves, Trail};
use crate::json::string::unescape_into;
use crate::limits::EventLimits;
use crate::path::{INNER, KeyHit, PathTrie, ROOT, SHARED, WANTED};
use crate::value::sieve::Sieves;
use std::marker::PhantomData;

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
    (trie, sieves): (&PathTrie, &Sieves),
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
    let summary = unsafe {
        if LEVEL == TRUSTED { blocks::fill::<I, true>(text, &mut state.blocks) } else { blocks::fill::<I, false>(text, &mut state.blocks) }
    };
    if summary.unclosed || (LEVEL != TRUSTED && summary.control) {
        return Err(Stop::Refused);
    }
    if LEVEL != TRUSTED && summary.high && simdutf8::basic::from_utf8(text).is_err() {
        return Err(Stop::Refused);
    }
    state.keys.prepare(trie.len());
    state.sifted = 0;
    if state.passed.len() < sieves.len() {
        state.passed.resize(sieves.len(), Passed::default());
    }
    let mut walker = Walker::<I, LEVEL> {
        text,
        last: end,
        blocks: &state.blocks,
        summary,
        trie,
        max_depth: limits.max_event_depth,
        max_leaves: limits.max_event_values,
        keys: &mut state.keys,
        shapes: &mut state.shapes,
        version: trie.version(),
        isa: PhantomData,
        key: &mut state.key,
        arrays: 0,
        sieves,
        passed: &mut state.passed,
        sifted: 0,
        started: 0,
        out,
    };
    // SAFETY: the last byte is `}`, and `{` stands at `start`, before it.
    unsafe { walker.event(&mut state.frames, start + 1) }?;
    state.sifted = walker.sifted;
    state.keys.drop_dead(&mut out.leaves);
    Ok(())
}

pub(super) struct Walker<'a, I: Isa, const LEVEL: u8> {
    pub(super) text: &'a [u8],
    pub(super) last: usize,
    pub(super) blocks: &'a [Block],
    pub(super) summary: Summary,
    pub(super) trie: &'a PathTrie,
    pub(super) max_depth: usize,
    pub(super) max_leaves: usize,
    pub(super) keys: &'a mut Keys,
    pub(super) shapes: &'a mut Shapes,
    /// Of the trie.
    pub(super) version: u64,
    pub(super) isa: PhantomData<I>,
    pub(super) key: &'a mut Vec<u8>,
    pub(super) arrays: u32,
    pub(super) sieves: &'a Sieves,
    pub(super) passed: &'a mut [Passed],
    pub(super) sifted: usize,
    /// Serial number of the outermost object.
    pub(super) started: u64,
    pub(super) out: &'a mut Leaves,
}

impl<I: Isa, const LEVEL: u8> Walker<'_, I, LEVEL> {
    /// From just after the outermost `{` to the end.
    ///
    /// # Safety
    /// `p <= self.last`, as for every function below that takes a position; the processor must have the instruction
    /// set `I`, as for all of them.
    #[inline(always)]
    unsafe fn event(&mut self, frames: &mut Vec<Frame>, mut p: usize) -> Result<(), Stop> {
        // SAFETY: the bounds invariant of this file, step by step.
        unsafe {
            // The container at hand is the last of the frames and stays there: copying it in and out would wait for
            // what was just written.
            self.started = self.serial();
            frames.clear();
            frames.push(Frame {
                serial: self.started,
                node: ROOT,
                trail: 0,
                array: 0,
                index: 0,
                shape: 0,
                left: self.trie.children(ROOT),
                close: b'}',
                flags: 0,
            });
            let mut here = &mut frames[0];
            let mut next = self.first(&mut p, here)?;
            loop {
                if next.flags & EMPTY == 0 {
                    let place = next;
                    let byte = self.at(p);
                    match byte {
                        b'"' => self.string(&mut p, place, here)?,
                        b'{' | b'[' => {
                            if let Some(inner) = self.enters(byte, place, here) {
                                if frames.len() + 1 > self.max_depth {
                                    return Err(Stop::Refused);
                                }
                                frames.push(inner);
                                here = frames.last_mut().expect("just pushed");
                                p += 1;
                                next = self.first(&mut p, here)?;
                                continue;
                            }
                            p = self.skip(p + 1)?;
                        }
                        _ => self.scalar(byte, &mut p, place, here)?,
                    }
                } else {
                    p += 1;
                    match self.closes(frames, p)? {
                        Some(outer) => here = outer,
                        None => return Ok(()),
                    }
                }
                // After a value: what comes next, closing what ends here.
                next = loop {
                    if LEVEL == TRUSTED && here.left == 0 && here.close == b'}' && self.nothing_dotted(p) {
                        if frames.len() == 1 {
                            return Ok(());
                        }
                        p = self.skip(p)?;
                        match self.closes(frames, p)? {
                            Some(outer) => here = outer,
                            None => return Ok(()),
                        }
                        continue;
                    }
                    if here.close == b'}'
                        && let Some(place) = self.expected(&mut p, here, false)
                    {
                        break place;
                    }
                    let from = p;
                    p = self.blanks(p);
                    let byte = self.at(p);
                    if byte == b',' {
                        p = self.blanks(p + 1);
                        if here.close == b'}' {
                            break self.member(from, &mut p, here, false)?;
                        }
                        here.index += 1;
                        break element(here);
                    }
                    if byte != here.close {
                        return Err(Stop::Refused);
                    }
                    p += 1;
                    if byte == b'}' && self.another(frames, p) {
                        p += 2;
                        here = frames.last_mut().expect("the next element");
                        break self.first(&mut p, here)?;
                    }
                    match self.closes(frames, p)? {
                        Some(outer) => here = outer,
                        None => return Ok(()),
                    }
                };
            }
        }
    }

    /// From just after an opening bracket to the first value, or, if there is none (`EMPTY`), to the closing bracket.
    ///
    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    unsafe fn first(&mut self, p: &mut usize, here: &mut Frame) -> Result<Place, Stop> {
        // SAFETY: `p <= last` throughout.
        unsafe {
            if here.close == b'}'
                && let Some(place) = self.expected(p, here, true)
            {
                return Ok(place);
            }
            let from = *p;
            *p = self.blanks(from);
            if self.at(*p) == here.close {
                return Ok(Place { node: NO_NODE, flags: EMPTY });
            }
            if here.close == b'}' { self.member(from, p, here, true) } else { Ok(element(here)) }
        }
    }

    /// Passes the token that was met last in this state, if it stands here too; `p` moves to the value.
    ///
    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    unsafe fn expected(&mut self, p: &mut usize, here: &mut Frame, first: bool) -> Option<Place> {
        let slot = self.shapes.expected(here.shape);
        let bytes = self.text.get(*p..*p + TOKEN)?.first_chunk()?;
        // SAFETY: the caller vouches for `I`. A token ends with a colon or a blank, which is not the last byte.
        unsafe {
            if slot.object != object(self.version, here.node, first) || !I::same(bytes, &slot.token, slot.mask) {
                return None;
            }
            // There may be more blanks than the last time.
            *p = self.blanks(*p + slot.len as usize);
        }
        here.shape = slot.next;
        let place = slot.place;
        if place.flags & KEY != 0 {
            let new = self.keys.meet(here.serial, place.node, place.flags, self.out.leaves.len());
            here.left -= (LEVEL == TRUSTED && new) as u32;
        }
        Some(place)
    }

    /// Reads a key and its colon; `p` moves to the value. What leads from the value before (or from the opening brace)
    /// to the key begins at `from`.
    ///
    /// # Safety
    /// `p <= last`.
    #[inline(never)]
    unsafe fn member(&mut self, from: usize, p: &mut usize, here: &mut Frame, first: bool) -> Result<Place, Stop> {
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
            let escaped = self.summary.backslash && self.has_backslash(start, end);
            let hit = if escaped {
                self.escaped_key(start, end, here.node)?
            } else if LEVEL == STRICT && here.node == NO_NODE {
                None
            } else {
                self.trie.follow(here.node, self.text, start, end, self.word(start))
            };
            let place = match hit {
                Some(KeyHit { node, dotted }) => {
                    let flags = self.trie.flags(node) | if dotted { KEY | DOTTED } else { KEY };
                    let new = self.keys.meet(here.serial, node, flags, self.out.leaves.len());
                    here.left -= (LEVEL == TRUSTED && new) as u32;
                    Place { node, flags }
                }
                None => NOWHERE,
            };
            here.shape = match self.text.get(from..from + TOKEN).and_then(|t| t.first_chunk()) {
                Some(token) if !escaped && *p - from <= TOKEN => {
                    self.shapes.learn(here.shape, token, *p - from, object(self.version, here.node, first), place)
                }
                _ => mix(here.shape, self.word(start)),
            };
            Ok(place)
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
        if place.flags & WANTED != 0 {
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
        let wanted = place.flags & WANTED != 0;
        let (kind, end) = match byte {
            b'-' | b'0'..=b'9' => {
                // SAFETY: `p <= last`.
                let form = unsafe { self.number(start) }?;
                let end = start + form.len;
                if wanted && form.whole != 0 && self.sifts(place, here.trail, start, form) {
                    self.sifted += 1;
                    *p = end;
                    return Ok(());
                }
                (Kind::Number, end)
            }
            b't' => (Kind::True, self.word_end(start, b"true")?),
            b'f' => (Kind::False, self.word_end(start, b"false")?),
            b'n' => (Kind::Null, self.word_end(start, b"null")?),
            _ => return Err(Stop::Refused),
        };
        *p = end;
        if wanted {
            self.emit(place, here, kind, start, end, false)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn emit(&mut self, place: Place, here: &Frame, kind: Kind, start: usize, end: usize, copied: bool) -> Result<(), Stop> {
        if self.out.leaves.len() + self.sifted >= self.max_leaves {
            return Err(Stop::TooManyValues(start));
        }
        let leaf = Leaf { path: place.node, start: start as u32, len: (end - start) as u32, trail: here.trail, kind, copied };
        self.out.leaves.push(leaf);
        self.keys.leave(here.serial, place.node, place.flags, self.out.leaves.len());
        Ok(())
    }

    /// The frame of a container that has to be entered; `None` when it can be skipped.
    #[inline(always)]
    fn enters(&mut self, bracket: u8, place: Place, here: &Frame) -> Option<Frame> {
        let node = place.node;
        let object = bracket == b'{';
        // Elements of one array begin alike.
        let shape = mix(here.shape, bracket as u64);
        let needed = place.flags & (if object { INNER } else { INNER | WANTED }) != 0;
        if !needed {
            let unseen = Frame { serial: 0, node: NO_NODE, trail: 0, array: 0, index: 0, shape, left: 0, close: bracket + 2, flags: 0 };
            return (LEVEL == STRICT).then_some(unseen);
        }
        let mut trail = here.trail;
        if here.array != 0 {
            trail = self.out.trails.len() as u32;
            self.out.trails.push(Trail { parent: here.trail, array: here.array, index: here.index });
        }
        let mut array = 0;
        if !object && place.flags & SHARED != 0 {
            self.arrays += 1;
            array = self.arrays;
        }
        let serial = if object { self.serial() } else { 0 };
        let left = if LEVEL == TRUSTED { self.trie.children(node) } else { 0 };
        Some(Frame { serial, node, trail, array, index: 0, shape, left, close: bracket + 2, flags: place.flags })
    }

    /// Whether no key from here on can lead over several levels: then an object of which every child was met has nothing
    /// more to give. A dot may also hide behind an escape.
    #[inline(always)]
    fn nothing_dotted(&self, p: usize) -> bool {
        !self.summary.backslash && p >> 6 >= self.summary.undotted
    }

    /// Leaves a container; `p` is the position after its bracket. Returns the one around it, or nothing when it was the
    /// outermost one and nothing follows.
    #[inline(always)]
    fn closes<'f>(&mut self, frames: &'f mut Vec<Frame>, p: usize) -> Result<Option<&'f mut Frame>, Stop> {
        let inner = frames.pop().expect("a container is open");
        let Some(outer) = frames.last_mut() else {
            return if p > self.last { Ok(None) } else { Err(Stop::Refused) };
        };
        if p > self.last {
            return Err(Stop::Refused);
        }
        self.keys.leave(outer.serial, inner.node, inner.flags, self.out.leaves.len());
        Ok(Some(outer))
    }

    /// Whether an object, closed just before `p`, is an element that rules ask for and another object follows at once. Its
    /// frame then becomes that of the next: as `closes` and `enters` would have it, in fewer steps.
    #[inline(always)]
    fn another(&mut self, frames: &mut [Frame], p: usize) -> bool {
        let [.., outer, here] = frames else { return false };
        if outer.close != b']' || here.node == NO_NODE || self.text.get(p..p + 2) != Some(b",{") {
            return false;
        }
        outer.index += 1;
        here.trail = outer.trail;
        if outer.array != 0 {
            here.trail = self.out.trails.len() as u32;
            self.out.trails.push(Trail { parent: outer.trail, array: outer.array, index: outer.index });
        }
        here.serial = self.serial();
        here.shape = mix(outer.shape, b'{' as u64);
        here.left = if LEVEL == TRUSTED { self.trie.children(here.node) } else { 0 };
        true
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
        // Sixty-four bytes from `start` on: whether a string crosses from one block into the next cannot be foretold.
        let (block, shift) = (start >> 6, start & 63);
        let quotes = self.blocks[block].quote >> shift | self.blocks[block + 1].quote << 1 << (63 - shift);
        if quotes == 0 {
            return self.far_string_end(block + 1);
        }
        let end = start + quotes.trailing_zeros() as usize;
        if end < self.last { Ok(end) } else { Err(Stop::Refused) }
    }

    /// The first quote of a block or of those after it.
    #[inline(never)]
    fn far_string_end(&self, mut block: usize) -> Result<usize, Stop> {
        let mut quotes = self.blocks[block].quote;
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
    pub(super) unsafe fn at(&self, p: usize) -> u8 {
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

/// The place of an array's elements.
#[inline(always)]
fn element(array: &Frame) -> Place {
    Place { node: array.node, flags: array.flags & (WANTED | SHARED | INNER) }
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
