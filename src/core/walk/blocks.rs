//! Stage 1: for every 64 bytes of the text, bitmaps of the quotes and of what lies inside strings, and once for the whole
//! text whether strings are closed, hold raw control characters, or anything is a backslash or not ASCII. Brackets and
//! backslashes are looked for where somebody asks for them: most text is never skipped and holds no escape.
//! One bit a byte, the lowest first. The instruction set is a type parameter; everything here is inlined into a
//! function that was compiled for it (see `dispatch`), so that the bit counts are single instructions too.
//!
//! SOURCE: Langdale & Lemire, "Parsing gigabytes of JSON per second" (2019), sections 3.1.1 and 3.1.2.
//! INVARIANT: after `fill` of everything there is one block for every started 64 bytes and then a sentinel whose quotes are
//! all set, so that a scan for one stops without asking for the end of the text.

use super::dotted::dotted;
use super::elements::{Member, Run, replay};
use super::scan::closing;
use super::skim::{Skimmed, skim};
use crate::memory;
use crate::path::ByteSet;

/// How far behind its end the text is read ahead where lines are looked for: a few lines.
const AHEAD: usize = 4096;

/// The strings in 64 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Block {
    /// Set from each opening quote to just before its closing one.
    inside: u64,
    /// Quotes that open or close a string (not the escaped ones).
    quotes: u64,
}

/// Sixty-four bytes seen by an instruction set: one mask for each question.
#[derive(Clone, Copy, Debug)]
pub struct Masks {
    /// Equal to `"`.
    pub quote: u64,
    /// Equal to a backslash.
    pub backslash: u64,
    /// Equal to `{` or `[`.
    pub open: u64,
    /// Equal to `}` or `]`.
    pub close: u64,
    /// Below 0x20.
    pub control: u64,
    /// Equal to `.`.
    pub dot: u64,
    /// Equal to a newline.
    pub newline: u64,
    /// Not zero when any byte is above 0x7f.
    pub high: u64,
}

/// What is to be seen of sixty-four bytes at a glance.
#[derive(Clone, Copy, Debug)]
pub struct Glance {
    /// Equal to `"`.
    pub quote: u64,
    /// Zero when there is no backslash, no control character and no byte above 0x7f: as in most blocks.
    pub odd: u64,
}

impl Masks {
    /// Of the bytes from a position on, followed by bytes of no interest; `high` stays as it is.
    #[inline(always)]
    fn behind(self, start: u32) -> Self {
        Self {
            quote: self.quote >> start,
            backslash: self.backslash >> start,
            open: self.open >> start,
            close: self.close >> start,
            control: self.control >> start,
            dot: self.dot >> start,
            newline: self.newline >> start,
            high: self.high,
        }
    }

    /// Of the bytes before a position; `high` stays as it is.
    #[inline(always)]
    fn before(self, end: u32) -> Self {
        let kept = !(!0 << end);
        Self {
            quote: self.quote & kept,
            backslash: self.backslash & kept,
            open: self.open & kept,
            close: self.close & kept,
            control: self.control & kept,
            dot: self.dot & kept,
            newline: 0,
            high: self.high,
        }
    }
}

/// An instruction set.
pub trait Isa {
    /// Looks at 64 bytes.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    unsafe fn masks(bytes: &[u8; 64]) -> Masks;

    /// Looks at 64 bytes for no more than most of them hold.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    unsafe fn glance(bytes: &[u8; 64]) -> Glance;

    /// Bit i of the result is the parity of bits 0..=i: set from each opening quote to just before its closing one.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    unsafe fn prefix_parity(bits: u64) -> u64;

    /// Whether the bytes equal the token's wherever `mask` has a bit.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    unsafe fn same(bytes: &[u8; 32], token: &[u8; 32], mask: u32) -> bool;

    /// Which of the bytes are digits.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    unsafe fn digits(bytes: &[u8; 32]) -> u32;

    /// The same for 64 bytes.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    #[inline(always)]
    unsafe fn digits_of_64(bytes: &[u8; 64]) -> u64 {
        let ([low, high], []) = bytes.as_chunks::<32>() else { unreachable!("twice thirty-two bytes") };
        // SAFETY: passed on to the caller.
        unsafe { Self::digits(low) as u64 | (Self::digits(high) as u64) << 32 }
    }

    /// See [`fill`]: a function of its own, compiled for the instruction set if that is not the target's.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    #[inline(never)]
    unsafe fn fill(text: &[u8], blocks: &mut Blocks, until: usize) {
        // SAFETY: passed on to the caller.
        unsafe { fill::<Self>(text, blocks, until) }
    }

    /// See [`fill_line`]: likewise.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    #[inline(never)]
    unsafe fn fill_line(rest: &[u8], blocks: &mut Blocks) -> Option<usize> {
        // SAFETY: passed on to the caller.
        unsafe { fill_line::<Self>(rest, blocks) }
    }

    /// See [`closing`]: likewise.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    #[inline(never)]
    unsafe fn closing(chunks: &[[u8; 64]], inside: &[u64], start: usize, depth: u32) -> Result<usize, u32> {
        // SAFETY: passed on to the caller.
        unsafe { closing::<Self>(chunks, inside, start, depth) }
    }

    /// See [`dotted`]: likewise.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    #[inline(never)]
    unsafe fn dotted(text: &[u8], blocks: &Blocks, from: usize, before: &ByteSet) -> Option<usize> {
        // SAFETY: passed on to the caller.
        unsafe { dotted::<Self>(text, blocks, from, before) }
    }

    /// See [`replay`]: likewise.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    #[inline(never)]
    unsafe fn replay(text: &[u8], at: usize, members: &[Member], most: usize) -> Option<Run> {
        // SAFETY: passed on to the caller.
        unsafe { replay::<Self>(text, at, members, most) }
    }

    /// See [`skim`]: likewise.
    ///
    /// # Safety
    /// The processor must have the instruction set; see there.
    #[inline(never)]
    unsafe fn skim(text: &[u8], quotes: *const u64, start: usize, room: usize) -> Skimmed {
        // SAFETY: passed on to the caller.
        unsafe { skim::<Self>(text, quotes, start, room) }
    }
}

/// What stage 1 says about the text as a whole, or about the part that has blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The last string is not closed.
    pub unclosed: bool,
    /// A raw control character stands inside a string.
    pub control: bool,
    /// A byte above 0x7f stands somewhere.
    pub high: bool,
    /// A backslash stands somewhere.
    pub backslash: bool,
}

/// The blocks of a text, from the front as far as they were asked for.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    /// A word a block, see `Block`.
    inside: Vec<u64>,
    /// The same, and the lowest byte first on any machine, so that a scan can begin at any byte of them.
    quotes: Vec<u64>,
    state: State,
}

impl Blocks {
    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        (self.inside.capacity() + self.quotes.capacity()) * 8
    }

    /// Before a text.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.inside.clear();
        self.quotes.clear();
        self.state = State::default();
    }

    /// How many there are.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.inside.len()
    }

    /// What lies inside strings: a bit for every byte of the blocks.
    #[inline(always)]
    pub fn inside(&self) -> &[u64] {
        &self.inside
    }

    /// The quotes of strings: likewise.
    #[inline(always)]
    pub fn quotes(&self) -> &[u64] {
        &self.quotes
    }

    /// Whether a backslash stands somewhere in the blocks.
    #[inline(always)]
    pub fn backslash(&self) -> bool {
        self.state.backslash != 0
    }

    /// Makes room for so many more.
    #[inline(always)]
    fn room(&mut self, more: usize) -> Room {
        self.inside.reserve(more);
        self.quotes.reserve(more);
        Room { inside: self.inside.as_mut_ptr(), quotes: self.quotes.as_mut_ptr() }
    }

    /// # Safety
    /// So many were written.
    #[inline(always)]
    unsafe fn set_len(&mut self, len: usize) {
        // SAFETY: passed on to the caller.
        unsafe {
            self.inside.set_len(len);
            self.quotes.set_len(len);
        }
    }

    #[inline(always)]
    fn push(&mut self, block: Block) {
        self.inside.push(block.inside);
        self.quotes.push(block.quotes.to_le());
    }

    /// What there is in the blocks.
    #[inline(always)]
    pub fn summary(&self) -> Summary {
        let state = &self.state;
        Summary { unclosed: state.in_string != 0, control: state.control != 0, high: state.high != 0, backslash: state.backslash != 0 }
    }
}

/// Where blocks are written; apart from the vectors, which would be asked for their place each time.
#[derive(Clone, Copy)]
struct Room {
    inside: *mut u64,
    quotes: *mut u64,
}

impl Room {
    /// # Safety
    /// There is room for so many and one.
    #[inline(always)]
    unsafe fn write(self, n: usize, block: Block) {
        // SAFETY: passed on to the caller.
        unsafe {
            self.inside.add(n).write(block.inside);
            self.quotes.add(n).write(block.quotes.to_le());
        }
    }
}

/// Makes blocks of `text` until there are `until`, or all and the sentinel. No other text in between, but `Blocks::clear`
/// before another one.
///
/// # Safety
/// The processor must have the instruction set `I`.
#[inline(always)]
pub unsafe fn fill<I: Isa + ?Sized>(text: &[u8], blocks: &mut Blocks, until: usize) {
    let (chunks, rest) = text.as_chunks::<64>();
    let from = blocks.len();
    if from > chunks.len() {
        return;
    }
    let room = blocks.room(chunks.len() + 2 - from);
    let whole = until.clamp(from, chunks.len());
    let mut state = blocks.state;
    for (n, chunk) in chunks[..whole].iter().enumerate().skip(from) {
        // SAFETY: passed on to the caller; there is room.
        unsafe {
            let glance = I::glance(chunk);
            let plain = glance.odd | state.escape == 0;
            room.write(n, if plain { state.plain::<I>(glance.quote) } else { state.any::<I>(I::masks(chunk)) });
        }
    }
    // SAFETY: just written.
    unsafe { blocks.set_len(whole) };
    if until > chunks.len() {
        if !rest.is_empty() {
            // SAFETY: passed on to the caller.
            blocks.push(unsafe { state.any::<I>(last_masks::<I>(text)) });
        }
        blocks.push(SENTINEL);
    }
    blocks.state = state;
}

/// Makes all blocks of the first line of `rest`, and returns where it ends, if there is a newline. In a string a newline could
/// not stand, so the bytes alone tell. What follows some way behind is read ahead: to look for the end of a line is the first
/// touch of its text, and would wait for memory.
///
/// # Safety
/// The processor must have the instruction set `I`.
#[inline(always)]
pub unsafe fn fill_line<I: Isa + ?Sized>(rest: &[u8], blocks: &mut Blocks) -> Option<usize> {
    let (chunks, tail) = rest.as_chunks::<64>();
    blocks.clear();
    let room = blocks.room(chunks.len() + 2);
    let mut state = State::default();
    for (n, chunk) in chunks.iter().enumerate() {
        memory::expect(chunk, AHEAD);
        // SAFETY: passed on to the caller; there is room, and all blocks before `n` were written.
        unsafe {
            let glance = I::glance(chunk);
            if glance.odd | state.escape == 0 {
                room.write(n, state.plain::<I>(glance.quote));
                continue;
            }
            let masks = I::masks(chunk);
            if masks.newline == 0 {
                room.write(n, state.any::<I>(masks));
                continue;
            }
            let end = masks.newline.trailing_zeros();
            blocks.set_len(n);
            if end > 0 {
                blocks.push(state.any::<I>(masks.before(end)));
            }
            blocks.push(SENTINEL);
            blocks.state = state;
            return Some(64 * n + end as usize);
        }
    }
    let end = tail.iter().position(|b| *b == b'\n').map(|at| 64 * chunks.len() + at);
    // SAFETY: all blocks of the chunks were written; the rest is passed on to the caller.
    unsafe {
        blocks.set_len(chunks.len());
        blocks.state = state;
        fill::<I>(&rest[..end.unwrap_or(rest.len())], blocks, usize::MAX);
    }
    end
}

/// Of the last bytes of a text, which are no 64.
///
/// # Safety
/// The processor must have the instruction set `I`.
#[inline(always)]
pub unsafe fn last_masks<I: Isa + ?Sized>(text: &[u8]) -> Masks {
    let rest = text.as_chunks::<64>().1;
    // SAFETY: passed on to the caller.
    unsafe {
        match text.last_chunk() {
            // What lies before the rest is seen again; no copy, for which the look at it would wait.
            Some(last) => I::masks(last).behind(64 - rest.len() as u32),
            None => {
                let mut last = [b' '; 64];
                last[..rest.len()].copy_from_slice(rest);
                I::masks(&last)
            }
        }
    }
}

/// Stands behind the last block.
const SENTINEL: Block = Block { inside: 0, quotes: !0 };

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// 1 when the last block ended with a backslash that escapes the next byte.
    escape: u64,
    /// All ones when the last block ended inside a string.
    in_string: u64,
    control: u64,
    high: u64,
    backslash: u64,
}

impl State {
    /// A block in which nothing is odd.
    ///
    /// # Safety
    /// The processor must have the instruction set `I`.
    #[inline(always)]
    unsafe fn plain<I: Isa + ?Sized>(&mut self, quotes: u64) -> Block {
        // SAFETY: passed on to the caller.
        let inside = unsafe { I::prefix_parity(quotes) } ^ self.in_string;
        self.in_string = ((inside as i64) >> 63) as u64;
        Block { inside, quotes }
    }

    /// Any other.
    ///
    /// # Safety
    /// The processor must have the instruction set `I`.
    #[inline(always)]
    unsafe fn any<I: Isa + ?Sized>(&mut self, m: Masks) -> Block {
        let escaped = self.escaped(m.backslash);
        // SAFETY: passed on to the caller.
        let block = unsafe { self.plain::<I>(m.quote & !escaped) };
        self.control |= m.control & block.inside;
        self.high |= m.high;
        self.backslash |= m.backslash;
        block
    }

    /// The bytes that a backslash escapes: those after an odd run of backslashes.
    #[inline(always)]
    fn escaped(&mut self, backslash: u64) -> u64 {
        if backslash | self.escape == 0 {
            return 0;
        }
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let starts = backslash & !self.escape;
        let follows = starts << 1 | self.escape;
        let odd_starts = starts & !EVEN & !follows;
        let (runs, carry) = odd_starts.overflowing_add(starts);
        self.escape = carry as u64;
        (EVEN ^ (runs << 1)) & follows
    }
}

/// Eight bytes at a time in a general register; runs anywhere.
pub struct Portable;

impl Isa for Portable {
    #[inline(always)]
    unsafe fn masks(bytes: &[u8; 64]) -> Masks {
        let mut m = Masks { quote: 0, backslash: 0, open: 0, close: 0, control: 0, dot: 0, newline: 0, high: 0 };
        for (i, word) in bytes.as_chunks::<8>().0.iter().enumerate() {
            let w = u64::from_le_bytes(*word);
            // '[' and '{', ']' and '}' differ only in 0x20.
            let lower = w | (0x20 * ONES);
            let at = 8 * i;
            m.quote |= gather(equal(w, b'"')) << at;
            m.backslash |= gather(equal(w, b'\\')) << at;
            m.open |= gather(equal(lower, b'{')) << at;
            m.close |= gather(equal(lower, b'}')) << at;
            m.control |= gather(zero(w & (0xe0 * ONES))) << at;
            m.dot |= gather(equal(w, b'.')) << at;
            m.newline |= gather(equal(w, b'\n')) << at;
            m.high |= w & TOPS;
        }
        m
    }

    #[inline(always)]
    unsafe fn glance(bytes: &[u8; 64]) -> Glance {
        let mut glance = Glance { quote: 0, odd: 0 };
        for (i, word) in bytes.as_chunks::<8>().0.iter().enumerate() {
            let w = u64::from_le_bytes(*word);
            glance.quote |= gather(equal(w, b'"')) << (8 * i);
            glance.odd |= equal(w, b'\\') | zero(w & (0xe0 * ONES)) | w & TOPS;
        }
        glance
    }

    #[inline(always)]
    unsafe fn prefix_parity(bits: u64) -> u64 {
        [1, 2, 4, 8, 16, 32].iter().fold(bits, |b, by| b ^ b << by)
    }

    #[inline(always)]
    unsafe fn same(bytes: &[u8; 32], token: &[u8; 32], mask: u32) -> bool {
        let pairs = bytes.as_chunks::<8>().0.iter().zip(token.as_chunks::<8>().0);
        let equal = pairs
            .enumerate()
            .fold(0, |found, (i, (a, b))| found | (gather(zero(u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b))) as u32) << (8 * i));
        equal & mask == mask
    }

    #[inline(always)]
    unsafe fn digits(bytes: &[u8; 32]) -> u32 {
        bytes.as_chunks::<8>().0.iter().enumerate().fold(0, |found, (i, word)| {
            let w = u64::from_le_bytes(*word);
            // The upper half is 3, and the lower half plus 6 stays within four bits.
            let upper = zero((w & (0xf0 * ONES)) ^ (0x30 * ONES));
            let lower = zero(((w & (0x0f * ONES)) + 6 * ONES) & (0x10 * ONES));
            found | (gather(upper & lower) as u32) << (8 * i)
        })
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// The top bit of every byte that is zero, and no other bit.
#[inline(always)]
fn zero(w: u64) -> u64 {
    !(((w & !TOPS) + !TOPS) | w) & TOPS
}

#[inline(always)]
fn equal(w: u64, byte: u8) -> u64 {
    zero(w ^ (byte as u64 * ONES))
}

/// The top bits of eight bytes as eight bits: the product moves bit 7 + 8i to bit 56 + i, without carries.
#[inline(always)]
fn gather(tops: u64) -> u64 {
    ((tops >> 7).wrapping_mul(0x0102_0408_1020_4080)) >> 56
}

#[cfg(test)]
mod tests;
