//! Steps over the text by its bitmaps: to the end of a string or of a container that nobody wants, over blanks, and the
//! bytes themselves.
//!
//! INVARIANT: positions as in `cursor`. A position up to the last byte has a block, and that block has one behind it, if
//! only the sentinel; at the level `Trusted` blocks are made when somebody asks for them, see `reach`.

use super::blocks::{Block, Isa};
use super::cursor::{Stop, TRUSTED, Walker};

impl<I: Isa, const LEVEL: u8> Walker<'_, I, LEVEL> {
    /// Sees to it that there is a block, which must be one of the text or the sentinel.
    #[inline(always)]
    fn reach(&mut self, block: usize) {
        if LEVEL == TRUSTED && block >= self.made {
            // SAFETY: a walker exists only where its instruction set does.
            unsafe { I::fill(self.text, self.blocks, 4 * block.max(1)) };
            (self.list, self.quotes, self.made) = (self.blocks.as_ptr(), self.blocks.quotes().as_ptr(), self.blocks.len());
            self.backslash = self.blocks.backslash();
        }
    }

    /// One of the blocks that were reached.
    #[inline(always)]
    fn block(&self, block: usize) -> &Block {
        debug_assert!(block < self.made);
        // SAFETY: `reach` was called for it, or all blocks were made at the start; `list` has been renewed since.
        unsafe { &*self.list.add(block) }
    }

    /// To just after the bracket that closes the last of so many open containers, by counting: brackets inside strings are
    /// not in the bitmaps. Refuses when that would be the end of the text or beyond.
    #[inline(always)]
    pub(super) fn skip(&mut self, start: usize, mut depth: u32) -> Result<usize, Stop> {
        let mut block = start >> 6;
        let from = !0u64 << (start & 63);
        self.reach(block);
        let first = self.block(block);
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
            if block > self.last >> 6 {
                return Err(Stop::Refused);
            }
            block += 1;
            self.reach(block);
            let next = self.block(block);
            (open, close) = (next.open, next.close);
        }
    }

    /// The closing quote of the string whose text begins at `start`.
    #[inline(always)]
    pub(super) fn string_end(&mut self, start: usize) -> Result<usize, Stop> {
        // Fifty-seven bytes from `start` on or more: whether a string crosses from one block into the next cannot be foretold.
        self.reach((start >> 6) + 1);
        // SAFETY: the words of a block that was reached and of the one behind it.
        let word = unsafe { self.quotes.cast::<u8>().add(start >> 3).cast::<u64>().read_unaligned() };
        let quotes = u64::from_le(word) >> (start & 7);
        if quotes == 0 {
            return self.far_string_end(start);
        }
        let end = start + quotes.trailing_zeros() as usize;
        if end < self.last { Ok(end) } else { Err(Stop::Refused) }
    }

    /// The same for a long string.
    #[inline(never)]
    fn far_string_end(&mut self, start: usize) -> Result<usize, Stop> {
        let mut block = start >> 6;
        let mut from = !0 << (start & 63);
        loop {
            self.reach(block);
            // SAFETY: reached.
            let quotes = u64::from_le(unsafe { *self.quotes.add(block) }) & from;
            if quotes != 0 {
                // The sentinel's at the latest.
                let end = (block << 6) + quotes.trailing_zeros() as usize;
                return if end < self.last { Ok(end) } else { Err(Stop::Refused) };
            }
            (block, from) = (block + 1, !0);
        }
    }

    /// Whether a backslash stands in a string that was passed.
    #[inline(always)]
    pub(super) fn has_backslash(&self, start: usize, end: usize) -> bool {
        self.backslash && self.backslash_within(start, end)
    }

    #[cold]
    #[inline(never)]
    fn backslash_within(&self, start: usize, end: usize) -> bool {
        let (first, last) = (start >> 6, end >> 6);
        (first..=last).any(|i| {
            let mut bits = self.block(i).backslash;
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
    pub(super) fn word_end(&self, start: usize, word: &[u8]) -> Result<usize, Stop> {
        if self.text[start..].starts_with(word) { Ok(start + word.len()) } else { Err(Stop::Refused) }
    }

    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    pub(super) unsafe fn blanks(&self, mut p: usize) -> usize {
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
    pub(super) fn eight(&self, p: usize) -> u64 {
        match self.text.get(p..p + 8) {
            Some(bytes) => u64::from_le_bytes(bytes.try_into().expect("eight bytes")),
            None => self.text[p..].iter().rev().fold(0, |w, b| w << 8 | *b as u64),
        }
    }
}

#[inline(always)]
pub(super) fn is_blank(b: u8) -> bool {
    b <= b' ' && matches!(b, b' ' | b'\n' | b'\r' | b'\t')
}

/// Whether every backslash begins an escape that JSON has.
#[cold]
pub(super) fn valid_escapes(raw: &[u8]) -> bool {
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
