//! The walk: steps from token to token of the containers on needed paths, and over everything else from bitmap to
//! bitmap. Says only whether the text is acceptable; `grammar` finds out what was wrong. No recursion: open containers
//! lie on a stack of their own.
//!
//! INVARIANT (bounds): `last` is the offset of the text's last byte, and that byte is `}`. While the outermost object
//! is open the position is at most `last`. It moves past a byte only when that byte was seen not to be the last
//! (any byte but `}`), or, past a closing bracket, after a comparison with `last`. So no scan needs to ask for the end.

use super::blocks::{Blocks, Isa};
use super::dotted::Look;
use super::elements::Template;
use super::members::element;
use super::scan::{is_blank, valid_escapes};
use super::shape::{Shapes, TOKEN, mix, object};
use super::state::{DOTTED, EMPTY, Frame, Keys, NO_NODE, Passed, Place, WalkState};
use super::{Kind, Leaf, Leaves, Trail};
use crate::json::string::unescape_into;
use crate::limits::EventLimits;
use crate::path::{INNER, PathTrie, ROOT, SHARED, WANTED};
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
/// The processor must have the instruction set `I`. If the text was seen, the state holds its blocks, made of it or of it and
/// blanks behind it.
#[inline(always)]
pub(super) unsafe fn run<I: Isa, const LEVEL: u8>(
    (text, seen): (&[u8], bool),
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
    let blocks = &mut state.blocks;
    if !seen {
        blocks.clear();
        if LEVEL != TRUSTED {
            // SAFETY: passed on to the caller.
            unsafe { I::fill(text, blocks, usize::MAX) };
        }
    }
    if LEVEL != TRUSTED {
        let summary = blocks.summary();
        if summary.unclosed || summary.control || summary.high && simdutf8::basic::from_utf8(text).is_err() {
            return Err(Stop::Refused);
        }
    }
    state.keys.prepare(trie.len());
    state.sifted = 0;
    if state.passed.len() < sieves.len() {
        state.passed.resize(sieves.len(), Passed::default());
    }
    let (inside, quotes, made, backslash) = (blocks.inside().as_ptr(), blocks.quotes().as_ptr(), blocks.len(), blocks.backslash());
    let mut walker = Walker::<I, LEVEL> {
        text,
        tokens: (text.len() + 1).saturating_sub(TOKEN),
        inside,
        quotes,
        made,
        backslash,
        last: end,
        blocks,
        look: Look::default(),
        unsure: 0,
        trie,
        max_depth: limits.max_event_depth,
        max_leaves: limits.max_event_values,
        keys: &mut state.keys,
        shapes: &mut state.shapes,
        template: &mut state.template,
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
    /// From here on there is no room for a token.
    pub(super) tokens: usize,
    pub(super) blocks: &'a mut Blocks,
    /// What `blocks` say of strings, how many they are, and whether they hold a backslash: see `reach`.
    pub(super) inside: *const u64,
    pub(super) quotes: *const u64,
    pub(super) made: usize,
    pub(super) backslash: bool,
    pub(super) look: Look,
    /// Before it containers are walked in full, see `skim`.
    pub(super) unsure: usize,
    pub(super) trie: &'a PathTrie,
    pub(super) max_depth: usize,
    pub(super) max_leaves: usize,
    pub(super) keys: &'a mut Keys,
    pub(super) shapes: &'a mut Shapes,
    pub(super) template: &'a mut Template,
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
                object: object(self.version, ROOT, false),
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
            if next.flags & EMPTY != 0 {
                return self.closes(frames, p + 1).map(|_| ());
            }
            loop {
                let place = next;
                let byte = self.at(p);
                if byte == b'"' && here.close == b'}' {
                    if let Some(place) = self.strings(&mut p, place, here)? {
                        next = place;
                        continue;
                    }
                } else {
                    match byte {
                        b'"' => {
                            let end = self.string_end(p)?;
                            self.string(p + 1, end, place, here)?;
                            p = end + 1;
                        }
                        b'{' | b'[' => {
                            let inner = match self.enters(byte, place, here) {
                                None if LEVEL == STRICT => {
                                    let passed = self.skim(p, frames.len())?;
                                    here = frames.last_mut().expect("a container is open");
                                    p = passed.unwrap_or(p);
                                    if passed.is_none() { Some(self.unseen(byte, here)) } else { None }
                                }
                                None => {
                                    p = self.skip(p + 1, 1)?;
                                    None
                                }
                                inner => inner,
                            };
                            if let Some(inner) = inner {
                                if frames.len() + 1 > self.max_depth {
                                    return Err(Stop::Refused);
                                }
                                frames.push(inner);
                                here = frames.last_mut().expect("just pushed");
                                p += 1;
                                next = self.first(&mut p, here)?;
                                if next.flags & EMPTY == 0 {
                                    continue;
                                }
                            }
                        }
                        b'-' | b'0'..=b'9' if here.close == b'}' => {
                            let found = self.figures(&mut p, place, frames)?;
                            here = frames.last_mut().expect("a container is open");
                            if let Some(place) = found
                                && place.flags & EMPTY == 0
                            {
                                next = place;
                                continue;
                            }
                        }
                        b'-' | b'0'..=b'9' => self.figure(&mut p, place, here)?,
                        b' ' | b'\t' | b'\n' | b'\r' => {
                            p = self.blanks(p);
                            continue;
                        }
                        _ => self.word(byte, &mut p, place, here)?,
                    }
                }
                // After a value, or in an empty container: what comes next, closing what ends here.
                next = loop {
                    if LEVEL == TRUSTED && self.is_done(here, p) {
                        let mut done = 1;
                        while done < frames.len() && self.is_done(&frames[frames.len() - done - 1], p) {
                            done += 1;
                        }
                        if done == frames.len() {
                            return Ok(());
                        }
                        p = self.skip(p, done as u32)?;
                        for _ in 1..done {
                            self.closes(frames, p)?;
                        }
                        match self.closes(frames, p)? {
                            Some(outer) => here = outer,
                            None => return Ok(()),
                        }
                        continue;
                    }
                    if here.close == b'}'
                        && self.at(p) != b'}'
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
                        let place = self.first(&mut p, here)?;
                        if place.flags & EMPTY == 0 {
                            break place;
                        }
                        continue;
                    }
                    match self.closes(frames, p)? {
                        Some(outer) => here = outer,
                        None => return Ok(()),
                    }
                };
            }
        }
    }

    /// A string and, as long as that is what is expected, the members behind it that are strings. Returns the place of a
    /// value at `p` that is none, or nothing behind a value.
    ///
    /// # Safety
    /// A quote stands at `p`; the container at hand is an object.
    #[inline(always)]
    unsafe fn strings(&mut self, p: &mut usize, mut place: Place, here: &mut Frame) -> Result<Option<Place>, Stop> {
        loop {
            // SAFETY: a quote stands there; past a string and past a token the position is at most `last`.
            unsafe {
                let mut passed = false;
                if LEVEL != TRUSTED && place.flags == 0 && !self.backslash {
                    match self.unwanted_strings(p, here)? {
                        Some(next) if self.at(*p) == b'"' => place = next,
                        Some(next) => return Ok(Some(next)),
                        None => passed = true,
                    }
                }
                if !passed {
                    let end = self.string_end(*p)?;
                    self.string(*p + 1, end, place, here)?;
                    *p = end + 1;
                }
                // Where every key was met, perhaps nothing more has to be read.
                let next = if LEVEL == TRUSTED && here.left == 0 { None } else { self.expected(p, here, false) };
                match next {
                    Some(next) if self.at(*p) == b'"' => place = next,
                    _ => return Ok(next),
                }
            }
        }
    }

    /// Members that are strings and that nobody asks for, as far as they are what came the last time: most of the members of
    /// most events, so nothing is done here but what has to be. Returns the place of another value at `p`, or nothing behind a
    /// value.
    ///
    /// # Safety
    /// A quote stands at `p`; no backslash in the text; all blocks were made.
    #[inline(always)]
    unsafe fn unwanted_strings(&mut self, p: &mut usize, here: &mut Frame) -> Result<Option<Place>, Stop> {
        // What does not change is kept apart from what might be changed elsewhere.
        let (text, quotes, tokens, object) = (self.text.as_ptr(), self.quotes, self.tokens, here.object);
        let (mut at, mut shape) = (*p, here.shape);
        let next = loop {
            // SAFETY: the quotes are those of the walker; there is room for a token, and behind it the position is at most
            // `last`; the caller vouches for `I`.
            unsafe {
                at = self.string_end_by(quotes, at)? + 1;
                if at >= tokens {
                    break None;
                }
                let Some(slot) = self.shapes.last::<I>(shape, &*text.add(at).cast(), object) else { break None };
                at += slot.len as usize;
                shape = slot.next;
                if slot.place.flags != 0 || *text.add(at) != b'"' {
                    break Some(slot.place);
                }
            }
        };
        (here.shape, *p) = (shape, at);
        if let Some(place) = next {
            self.meet(place, here);
        }
        Ok(next)
    }

    /// Passes a string between its quotes.
    #[inline(always)]
    fn string(&mut self, start: usize, end: usize, place: Place, here: &Frame) -> Result<(), Stop> {
        let escaped = self.has_backslash(start, end);
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

    /// Reads `true`, `false` or `null`; `p` moves behind it.
    ///
    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    unsafe fn word(&mut self, byte: u8, p: &mut usize, place: Place, here: &Frame) -> Result<(), Stop> {
        let start = *p;
        let (kind, end) = match byte {
            b't' => (Kind::True, self.word_end(start, b"true")?),
            b'f' => (Kind::False, self.word_end(start, b"false")?),
            b'n' => (Kind::Null, self.word_end(start, b"null")?),
            _ => return Err(Stop::Refused),
        };
        *p = end;
        if place.flags & WANTED != 0 {
            self.emit(place, here, kind, start, end, false)?;
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn emit(&mut self, place: Place, here: &Frame, kind: Kind, start: usize, end: usize, copied: bool) -> Result<(), Stop> {
        if self.out.leaves.len() + self.sifted >= self.max_leaves {
            return Err(Stop::TooManyValues(start));
        }
        let leaf = Leaf { path: place.node, start: start as u32, len: (end - start) as u32, trail: here.trail, kind, copied };
        self.out.leaves.push(leaf);
        if place.flags & DOTTED != 0 {
            self.keys.leave(here.serial, place.node, place.flags, self.out.leaves.len());
        }
        Ok(())
    }

    /// The frame of a container that has to be entered; `None` when it can be skipped.
    #[inline(always)]
    fn enters(&mut self, bracket: u8, place: Place, here: &Frame) -> Option<Frame> {
        let node = place.node;
        let is_object = bracket == b'{';
        // Elements of one array begin alike.
        let shape = mix(here.shape, bracket as u64);
        let needed = place.flags & (if is_object { INNER } else { INNER | WANTED }) != 0;
        if !needed {
            return None;
        }
        let mut trail = here.trail;
        if here.array != 0 {
            trail = self.out.trails.len() as u32;
            self.out.trails.push(Trail { parent: here.trail, array: here.array, index: here.index });
        }
        let mut array = 0;
        if !is_object && place.flags & SHARED != 0 {
            self.arrays += 1;
            array = self.arrays;
        }
        let serial = if is_object { self.serial() } else { 0 };
        let left = if LEVEL == TRUSTED { self.trie.children(node) } else { 0 };
        Some(Frame {
            serial,
            node,
            object: object(self.version, node, false),
            trail,
            array,
            index: 0,
            shape,
            left,
            close: bracket + 2,
            flags: place.flags,
        })
    }

    /// The frame of a container that nobody wants and that has to be walked all the same.
    #[cold]
    fn unseen(&self, bracket: u8, here: &Frame) -> Frame {
        let (object, shape) = (object(self.version, NO_NODE, false), mix(here.shape, bracket as u64));
        Frame { serial: 0, node: NO_NODE, object, trail: 0, array: 0, index: 0, shape, left: 0, close: bracket + 2, flags: 0 }
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
    pub(super) fn another(&mut self, frames: &mut [Frame], p: usize) -> bool {
        let [.., outer, here] = frames else { return false };
        if outer.close != b']' || (here.node == NO_NODE && LEVEL != STRICT) || self.text.get(p..p + 2) != Some(b",{") {
            return false;
        }
        outer.index += 1;
        here.trail = outer.trail;
        if outer.array != 0 && (LEVEL != STRICT || here.node != NO_NODE) {
            here.trail = self.out.trails.len() as u32;
            self.out.trails.push(Trail { parent: outer.trail, array: outer.array, index: outer.index });
        }
        here.serial = self.serial();
        here.shape = mix(outer.shape, b'{' as u64);
        here.left = if LEVEL == TRUSTED { self.trie.children(here.node) } else { 0 };
        true
    }

    #[inline(always)]
    fn serial(&mut self) -> u64 {
        self.keys.serial += 1;
        self.keys.serial
    }
}
