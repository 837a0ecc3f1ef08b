//! Arrays whose elements are objects of the same keys with numbers, as coordinates and measurements have them: once one
//! was read, the next ones are compared with it, and only their numbers are looked at.
//!
//! Only ever a guess, as `shape` is: tokens are compared in full, and lead where they led as long as they stand in objects
//! of the same node and trie. A number ends the run unless the first bytes tell that it makes no difference, or nobody
//! asked for it, so a run leaves nothing behind but its length.

use super::blocks::Isa;
use super::cursor::{TRUSTED, Walker};
use super::shape::TOKEN;
use super::state::{DOTTED, Frame, KEY, NO_NODE, Place};
use crate::path::WANTED;
use crate::value::sieve::Heads;

/// More keys are not remembered.
const MOST: usize = 8;

/// A key of the elements.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// What stands before its value, from the value before it on.
    token: [u8; TOKEN],
    mask: u32,
    len: u32,
    /// The state behind the token, see `shape`.
    next: u32,
    place: Place,
    /// Which numbers make no difference, if it matters.
    wanted: bool,
    heads: Heads,
}

impl Member {
    pub(super) fn place(&self) -> Place {
        self.place
    }
}

/// The keys of the elements of an array.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    /// Where it counts: see `shape::object`, and the state before the first key.
    object: u64,
    state: u32,
    members: Vec<Member>,
    /// All keys of an element are there.
    whole: bool,
}

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The position: at the value of the member, or behind it.
    pub at: usize,
    /// Number of the member.
    pub member: usize,
    /// Elements begun.
    pub elements: usize,
    /// Whether the value was passed.
    pub passed: bool,
}

impl Template {
    /// Begins with an element.
    pub fn begin(&mut self, object: u64, state: u32) {
        (self.object, self.state, self.whole) = (object, state, false);
        self.members.clear();
    }

    /// Adds a key: what leads to its value stands in the text.
    pub fn add(&mut self, text: &[u8], from: usize, to: usize, next: u32, place: Place) {
        let (len, token) = (to - from, text.get(from..from + TOKEN).and_then(|token| token.first_chunk()));
        let known = place.flags & KEY != 0 && self.members.iter().any(|member| member.place.node == place.node);
        match token {
            Some(token) if len <= TOKEN && self.members.len() < MOST && !known && place.flags & DOTTED == 0 => {
                let (mask, wanted) = (!0 >> (TOKEN - len), place.flags & WANTED != 0);
                self.members.push(Member { token: *token, mask, len: len as u32, next, place, wanted, heads: Heads::default() });
            }
            // Never whole.
            _ => self.begin(u64::MAX, 0),
        }
    }

    /// The element is over.
    pub fn end(&mut self) {
        self.whole = !self.members.is_empty();
    }

    /// Whether the next element may be like those before.
    #[inline(always)]
    pub fn fits(&self, object: u64, state: u32) -> bool {
        self.whole && self.object == object && self.state == state
    }

    pub fn members(&self) -> &[Member] {
        &self.members
    }
}

impl<I: Isa, const LEVEL: u8> Walker<'_, I, LEVEL> {
    /// Runs over the elements that are like those before, from the bracket on that closes one of them; `here` is already
    /// the frame of the next.
    #[inline(never)]
    pub(super) fn run(&mut self, at: usize, frames: &mut [Frame]) -> Option<Run> {
        let [.., outer, here] = frames else { return None };
        if outer.array != 0 && here.node != NO_NODE {
            return None;
        }
        let mut wanted = 0;
        for member in self.template.members.iter_mut().filter(|member| member.wanted) {
            let passed = &self.passed[self.sieves.of(member.place.node)?];
            if passed.ready != self.started || passed.trail != here.trail {
                return None;
            }
            member.heads = passed.range;
            wanted += 1;
        }
        let room = self.max_leaves.saturating_sub(self.out.leaves.len() + self.sifted);
        let most = room.checked_div(wanted).unwrap_or(usize::MAX);
        // SAFETY: a walker exists only where its instruction set does.
        let run = unsafe { I::replay(self.text, at, self.template.members(), most) }?;
        // As if every element had been read.
        outer.index += run.elements as u32 - 1;
        for (n, member) in self.template.members[..=run.member].iter().enumerate() {
            if member.place.flags & KEY != 0 {
                let new = self.keys.meet(here.serial, member.place.node, member.place.flags, &self.out.leaves);
                here.left -= (LEVEL == TRUSTED && new) as u32;
            }
            self.sifted += (member.wanted && (n < run.member || run.passed)) as usize;
        }
        self.sifted += (run.elements - 1) * wanted;
        here.shape = self.template.members[run.member].next;
        Some(run)
    }
}

/// Compares elements with the members from `start` on, at most so many. `None` if not even the first key is there.
///
/// # Safety
/// The processor must have the instruction set `I`.
#[inline(always)]
pub(super) unsafe fn replay<I: Isa + ?Sized>(text: &[u8], start: usize, members: &[Member], most: usize) -> Option<Run> {
    let mut at = start;
    // What no digit is in the 64 bytes from `base` on. To wait for it once an element and not once a number is what counts.
    let (mut base, mut others) = (start, 0);
    // The value met last; whether it ends before `at` the next token tells, or the byte there.
    let mut run = Run { at, member: 0, elements: 0, passed: false };
    'elements: while run.elements < most && !members.is_empty() {
        for (n, member) in members.iter().enumerate() {
            // A token, and some of a number behind it.
            let Some(bytes) = text.get(at..at + 2 * TOKEN) else { break 'elements };
            // SAFETY: passed on to the caller; the token has at most 32 bytes.
            unsafe {
                if n == 0 || at + TOKEN - base >= 64 {
                    (base, others) = (at, !I::digits_of_64(bytes.first_chunk().expect("so many")));
                }
                if !I::same(bytes.first_chunk().expect("so many"), &member.token, member.mask) {
                    break 'elements;
                }
                let value = at + member.len as usize;
                run = Run { at: value, member: n, elements: run.elements + (n == 0) as usize, passed: false };
                let bytes: &[u8; 32] = &*bytes.as_ptr().add(member.len as usize).cast();
                let mut len = number(bytes, others >> (value - base), member);
                if len == 0 || value + len >= base + 64 {
                    // Perhaps it goes on behind the 64 bytes.
                    len = number(bytes, !(I::digits(bytes) as u64), member);
                    if len == 0 || len > 31 {
                        return Some(run);
                    }
                }
                at = value + len;
            }
        }
    }
    if run.elements == 0 {
        return None;
    }
    let over = matches!(text.get(at), Some(b',' | b'}' | b' ' | b'\n' | b'\r' | b'\t'));
    Some(if over { Run { at, passed: true, ..run } } else { run })
}

/// The length of a number at the beginning of the bytes, if what follows ends it; 0 if it is none, or is wanted and may make
/// a difference. `others` are those that are no digits.
#[inline(always)]
fn number(bytes: &[u8; 32], others: u64, member: &Member) -> usize {
    // The first two bytes that are no digits, but for a minus: the point and what ends the number, or only that.
    let sign = others & 1;
    let others = others ^ sign;
    let (point, second) = (others.trailing_zeros(), (others & others.wrapping_sub(1)).trailing_zeros());
    let dotted = bytes[point as usize & 31] == b'.';
    if sign != 0 && bytes[0] != b'-' {
        return none();
    }
    if member.wanted {
        // First bytes that the heads hold have as many digits before the point, and no zero too many.
        let part = if dotted { second - point - 1 } else { 0 };
        if !member.heads.hold(bytes, point, part) || dotted && part == 0 {
            return none();
        }
    } else if point == sign as u32 || bytes[sign as usize] == b'0' && point > sign as u32 + 1 || dotted && second == point + 1 {
        return none();
    }
    if dotted { second as usize } else { point as usize }
}

/// Rare.
#[cold]
fn none() -> usize {
    0
}
