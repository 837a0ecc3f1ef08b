//! Stage 1: for every 64 bytes of the text, bitmaps of the quotes, the brackets and the backslashes, and once for the
//! whole text whether strings are closed, hold raw control characters, or anything is not ASCII.
//! One bit a byte, the lowest first. The instruction set is a type parameter; everything here is inlined into a
//! function that was compiled for it (see `dispatch`), so that the bit counts are single instructions too.
//!
//! SOURCE: Langdale & Lemire, "Parsing gigabytes of JSON per second" (2019), sections 3.1.1 and 3.1.2.
//! INVARIANT: after `fill` of everything there is one block for every started 64 bytes and then a sentinel whose quotes and
//! closing brackets are all set, so that a scan for either stops without asking for the end of the text.

use super::dotted::dotted;
use super::elements::{Member, Run, replay};
use super::skim::{Skimmed, skim};
use crate::path::ByteSet;

/// What is where in 64 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// `{` and `[` outside strings.
    pub open: u64,
    /// `}` and `]` outside strings.
    pub close: u64,
    /// All backslashes.
    pub backslash: u64,
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
    /// Not zero when any byte is above 0x7f.
    pub high: u64,
}

impl Masks {
    /// Of the bytes from a position on, followed by bytes of no interest; `high` stays as it is.
    #[inline(always)]
    fn behind(self, start: usize) -> Self {
        Self {
            quote: self.quote >> start,
            backslash: self.backslash >> start,
            open: self.open >> start,
            close: self.close >> start,
            control: self.control >> start,
            dot: self.dot >> start,
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

    /// Backslashes, and dots that do not stand behind a digit, or, if `any` says so, all dots. `before` is the same text a
    /// byte earlier.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    #[inline(always)]
    unsafe fn dots(bytes: &[u8; 64], before: &[u8; 64], any: bool) -> u64 {
        // SAFETY: passed on to the caller.
        unsafe {
            let masks = Self::masks(bytes);
            if any || masks.dot == 0 {
                return masks.backslash | masks.dot;
            }
            masks.backslash | masks.dot & !Self::digits_of_64(before)
        }
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

    /// See [`dotted`]: likewise.
    ///
    /// # Safety
    /// The processor must have the instruction set.
    #[inline(never)]
    unsafe fn dotted(text: &[u8], from: usize, before: &ByteSet) -> Option<usize> {
        // SAFETY: passed on to the caller.
        unsafe { dotted::<Self>(text, from, before) }
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
    list: Vec<Block>,
    /// Quotes that open or close a string (not the escaped ones), a word a block. Apart, and the lowest byte first on any
    /// machine, so that a scan can begin at any byte of them.
    quotes: Vec<u64>,
    state: State,
}

impl Blocks {
    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Block>() + self.quotes.capacity() * 8
    }
}

impl std::ops::Deref for Blocks {
    type Target = [Block];

    #[inline(always)]
    fn deref(&self) -> &[Block] {
        &self.list
    }
}

impl Blocks {
    /// Before a text.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.list.clear();
        self.quotes.clear();
        self.state = State::default();
    }

    /// A bit for every byte of the blocks.
    #[inline(always)]
    pub fn quotes(&self) -> &[u64] {
        &self.quotes
    }

    /// Whether a backslash stands somewhere in the blocks.
    #[inline(always)]
    pub fn backslash(&self) -> bool {
        self.state.backslash != 0
    }

    /// What there is in the blocks.
    #[inline(always)]
    pub fn summary(&self) -> Summary {
        let state = &self.state;
        Summary { unclosed: state.in_string != 0, control: state.control != 0, high: state.high != 0, backslash: state.backslash != 0 }
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
    let from = blocks.list.len();
    if from > chunks.len() {
        return;
    }
    if from == 0 {
        blocks.list.reserve(chunks.len() + 2);
        blocks.quotes.reserve(chunks.len() + 2);
    }
    let whole = until.clamp(from, chunks.len());
    let mut state = blocks.state;
    let slots = blocks.list.spare_capacity_mut().iter_mut().zip(blocks.quotes.spare_capacity_mut());
    for (chunk, (slot, quotes)) in chunks[from..whole].iter().zip(slots) {
        // SAFETY: passed on to the caller.
        let (block, quote) = unsafe { state.block::<I>(I::masks(chunk)) };
        slot.write(block);
        quotes.write(quote.to_le());
    }
    // SAFETY: so many slots were reserved and have just been written.
    unsafe {
        blocks.list.set_len(whole);
        blocks.quotes.set_len(whole);
    }
    if until > chunks.len() {
        if !rest.is_empty() {
            // SAFETY: passed on to the caller.
            let masks = unsafe {
                match text.last_chunk() {
                    // What lies before the rest has been seen; no copy, for which the look at it would wait.
                    Some(last) => I::masks(last).behind(64 - rest.len()),
                    None => {
                        let mut last = [b' '; 64];
                        last[..rest.len()].copy_from_slice(rest);
                        I::masks(&last)
                    }
                }
            };
            // SAFETY: passed on to the caller.
            let (block, quote) = unsafe { state.block::<I>(masks) };
            blocks.list.push(block);
            blocks.quotes.push(quote.to_le());
        }
        blocks.list.push(Block { open: 0, close: !0, backslash: 0 });
        blocks.quotes.push(!0);
    }
    blocks.state = state;
}

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
    /// # Safety
    /// The processor must have the instruction set `I`.
    #[inline(always)]
    unsafe fn block<I: Isa + ?Sized>(&mut self, m: Masks) -> (Block, u64) {
        let quote = m.quote & !self.escaped(m.backslash);
        // SAFETY: passed on to the caller.
        let inside = unsafe { I::prefix_parity(quote) } ^ self.in_string;
        self.in_string = ((inside as i64) >> 63) as u64;
        self.control |= m.control & inside;
        self.high |= m.high;
        self.backslash |= m.backslash;
        (Block { open: m.open & !inside, close: m.close & !inside, backslash: m.backslash }, quote)
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
        let mut m = Masks { quote: 0, backslash: 0, open: 0, close: 0, control: 0, dot: 0, high: 0 };
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
            m.high |= w & TOPS;
        }
        m
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
mod tests {
    use super::*;
    use crate::walk::Instructions;

    /// An expression in which `$isa` is one of the available instruction sets.
    macro_rules! with {
        ($instructions:expr, $isa:ident => $what:expr) => {{
            macro_rules! as_set {
                ($set:ty) => {{
                    type $isa = $set;
                    // SAFETY: the processor has it.
                    unsafe { $what }
                }};
            }
            match $instructions {
                Instructions::Portable => as_set!(Portable),
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx2 => as_set!(crate::walk::x86::Avx2),
                #[cfg(target_arch = "x86_64")]
                Instructions::Avx512 => as_set!(crate::walk::x86::Avx512),
                #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
                Instructions::Neon => as_set!(crate::walk::neon::Neon<false>),
                #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
                Instructions::NeonAes => as_set!(crate::walk::neon::Neon<true>),
                other => unreachable!("{other:?} is not available here"),
            }
        }};
    }

    /// The same, one byte after the other.
    fn naive(text: &[u8]) -> (Vec<Block>, Vec<u64>, Summary) {
        let mut blocks = vec![Block::default(); text.len().div_ceil(64)];
        let mut quotes = vec![0; blocks.len()];
        let (mut inside, mut escaped, mut summary) = (false, false, Summary::default());
        for (i, b) in text.iter().enumerate() {
            let (block, bit) = (&mut blocks[i / 64], 1u64 << (i % 64));
            if *b == b'"' && !escaped {
                quotes[i / 64] |= bit;
                inside = !inside;
            }
            let within = inside;
            if !within && matches!(b, b'{' | b'[') {
                block.open |= bit;
            }
            if !within && matches!(b, b'}' | b']') {
                block.close |= bit;
            }
            if *b == b'\\' {
                block.backslash |= bit;
                summary.backslash = true;
            }
            summary.control |= within && *b < 0x20;
            summary.high |= *b > 0x7f;
            escaped = *b == b'\\' && !escaped;
        }
        summary.unclosed = inside;
        blocks.push(Block { open: 0, close: !0, backslash: 0 });
        quotes.push(!0);
        (blocks, quotes, summary)
    }

    #[test]
    fn every_instruction_set_sees_what_a_bytewise_reader_sees() {
        const COMMON: &[u8] = b"\"\\\\\\{}[]:,.a \x1f\x7f[{;Z";
        let mut seed = 7u64;
        let mut blocks = Blocks::default();
        for round in 0..4000 {
            let len = round % 260;
            let text: Vec<u8> = (0..len)
                .map(|_| {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let r = (seed >> 33) as usize;
                    if r.is_multiple_of(11) { (r >> 8) as u8 } else { COMMON[(r >> 8) % COMMON.len()] }
                })
                .collect();
            let expected = naive(&text);
            // All at once, or in runs of some blocks.
            let run = [usize::MAX, 1, 3][round % 3];
            for instructions in Instructions::available() {
                blocks.clear();
                while blocks.len() < expected.0.len() {
                    let before = blocks.len();
                    with!(instructions, I => I::fill(&text, &mut blocks, before.saturating_add(run)));
                    assert!(blocks.len() > before);
                    assert_eq!(blocks[..], expected.0[..blocks.len()], "{instructions:?}");
                    let quotes: Vec<u64> = blocks.quotes().iter().map(|word| u64::from_le(*word)).collect();
                    assert_eq!(quotes, expected.1[..blocks.len()], "{instructions:?}");
                }
                assert_eq!(blocks.summary(), expected.2, "{instructions:?}");
            }
        }
    }

    #[test]
    fn every_instruction_set_knows_every_byte_at_every_place() {
        for byte in 0..=255u8 {
            for at in 0..64 {
                // Around it ASCII that is another by a bit, so that no neighbour's answer passes for its own.
                let bytes: [u8; 64] = std::array::from_fn(|i| if i == at { byte } else { (byte ^ 1 << (i % 7)) & 0x7f });
                let set = |of: &dyn Fn(u8) -> bool| (0..64).fold(0u64, |found, i| found | (of(bytes[i]) as u64) << i);
                let classes = [&b"\""[..], b"\\", b"{[", b"}]", b"."].map(|class| set(&|b| class.contains(&b)));
                let expected = (classes, set(&|b| b < 0x20), set(&|b| b > 0x7f) != 0);
                for instructions in Instructions::available() {
                    let m = with!(instructions, I => I::masks(&bytes));
                    let found = ([m.quote, m.backslash, m.open, m.close, m.dot], m.control, m.high != 0);
                    assert_eq!(found, expected, "{instructions:?} {bytes:x?}");
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_knows_parities_tokens_and_digits() {
        let mut seed = 11u64;
        let mut random = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            seed >> 32
        };
        for _ in 0..4000 {
            // Between all zeros and all ones, as quotes are few.
            let bits = (0..random() % 5).fold(!0, |bits, _| bits & (random() << 32 | random()));
            let parity = (0..64).fold(0, |found, i| found | ((bits << (63 - i)).count_ones() as u64 & 1) << i);
            let bytes: [u8; 32] = std::array::from_fn(|_| if random() % 3 == 0 { random() as u8 } else { b'/' + (random() % 12) as u8 });
            let digits = (0..32).fold(0, |found, i| found | (bytes[i].is_ascii_digit() as u32) << i);
            let mut token = bytes;
            for _ in 0..random() % 3 {
                token[random() as usize % 32] ^= 1 << (random() % 8);
            }
            let mask = if random() % 2 == 0 { random() as u32 } else { !0 >> (random() % 32) };
            let same = (0..32).all(|i| mask >> i & 1 == 0 || bytes[i] == token[i]);
            for instructions in Instructions::available() {
                let found = with!(instructions, I => (I::prefix_parity(bits), I::digits(&bytes), I::same(&bytes, &token, mask)));
                assert_eq!(found, (parity, digits, same), "{instructions:?} {bits:x} {bytes:x?} {token:x?} {mask:x}");
            }
        }
    }
}
