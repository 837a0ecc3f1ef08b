//! Steps over the text by its bitmaps: to the end of a string or of a container that nobody wants, over blanks, and the
//! bytes themselves.
//!
//! INVARIANT: positions as in `cursor`. A position up to the last byte has a block, and that block has one behind it, if
//! only the sentinel; at the level `Trusted` blocks are made when somebody asks for them, see `reach`.

use super::blocks::{Isa, last_masks};
use super::cursor::{Stop, TRUSTED, Walker};

impl<I: Isa, const LEVEL: u8> Walker<'_, I, LEVEL> {
    /// Sees to it that there is a block, which must be one of the text or the sentinel.
    #[inline(always)]
    pub(super) fn reach(&mut self, block: usize) {
        if LEVEL == TRUSTED && block >= self.made {
            // SAFETY: a walker exists only where its instruction set does.
            unsafe { I::fill(self.text, self.blocks, block.max(1).saturating_mul(4)) };
            (self.inside, self.quotes, self.made) = (self.blocks.inside().as_ptr(), self.blocks.quotes().as_ptr(), self.blocks.len());
            self.backslash = self.blocks.backslash();
        }
    }

    /// To just after the bracket that closes the last of so many open containers, by counting: brackets inside strings do not
    /// count. Refuses when that would be the end of the text or beyond.
    #[inline(always)]
    pub(super) fn skip(&mut self, start: usize, mut depth: u32) -> Result<usize, Stop> {
        let chunks = self.text.as_chunks::<64>().0;
        let mut at = start;
        while at < 64 * chunks.len() {
            self.reach(at >> 6);
            // SAFETY: a walker exists only where its instruction set does, and so many blocks were made.
            match unsafe { I::closing(chunks, std::slice::from_raw_parts(self.inside, self.made), at, depth) } {
                Ok(after) => return if after <= self.last { Ok(after) } else { Err(Stop::Refused) },
                Err(still_open) => depth = still_open,
            }
            at = 64 * chunks.len().min(self.made);
        }
        if at > self.last {
            return Err(Stop::Refused);
        }
        // In the last block, which is not a whole one.
        let block = at >> 6;
        self.reach(block);
        // SAFETY: just reached; a walker exists only where its instruction set does.
        let (inside, masks) = unsafe { (*self.inside.add(block), last_masks::<I>(self.text)) };
        let outside = (!0 << (at & 63)) & !inside;
        match nth_closing(masks.open & outside, masks.close & outside, depth) {
            Some(place) if (block << 6) + place < self.last => Ok((block << 6) + place + 1),
            _ => Err(Stop::Refused),
        }
    }

    /// The closing quote of the string whose opening one stands at `p`.
    #[inline(always)]
    pub(super) fn string_end(&mut self, p: usize) -> Result<usize, Stop> {
        self.reach((p >> 6) + 1);
        // SAFETY: just reached.
        unsafe { self.string_end_by(self.quotes, p) }
    }

    /// The same.
    ///
    /// # Safety
    /// `quotes` are those of the walker, and hold those of the block and of the one behind it.
    #[inline(always)]
    pub(super) unsafe fn string_end_by(&mut self, quotes: *const u64, p: usize) -> Result<usize, Stop> {
        // Fifty-seven bytes from `p` on or more: whether a string crosses from one block into the next cannot be foretold.
        // SAFETY: the words of a block that was reached and of the one behind it.
        let word = unsafe { quotes.cast::<u8>().add(p >> 3).cast::<u64>().read_unaligned() };
        let quotes = u64::from_le(word) >> (p & 7);
        // The lowest is the opening one.
        let closing = quotes & quotes.wrapping_sub(1);
        if closing == 0 {
            return self.far_string_end(p + 1);
        }
        let end = p + closing.trailing_zeros() as usize;
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
        self.backslash && memchr::memchr(b'\\', &self.text[start..end]).is_some()
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

/// To just after the bracket that closes the last of so many open containers, from `start` on; or how many are still open
/// behind the chunks.
///
/// # Safety
/// The processor must have the instruction set `I`.
#[inline(always)]
pub(super) unsafe fn closing<I: Isa + ?Sized>(chunks: &[[u8; 64]], inside: &[u64], start: usize, mut depth: u32) -> Result<usize, u32> {
    let (mut block, mut from) = (start >> 6, !0 << (start & 63));
    let chunks = chunks.get(block..).unwrap_or_default();
    for (chunk, inside) in chunks.iter().zip(&inside[block..]) {
        // SAFETY: passed on to the caller.
        let masks = unsafe { I::masks(chunk) };
        let outside = from & !inside;
        let (open, close) = (masks.open & outside, masks.close & outside);
        if close.count_ones() >= depth
            && let Some(place) = nth_closing(open, close, depth)
        {
            return Ok((block << 6) + place + 1);
        }
        depth = depth + open.count_ones() - close.count_ones();
        (block, from) = (block + 1, !0);
    }
    Err(depth)
}

/// Which of these closing brackets is the first that closes more than was opened.
#[inline(always)]
fn nth_closing(open: u64, close: u64, depth: u32) -> Option<usize> {
    let (mut rest, mut nth) = (close, 0);
    while rest != 0 {
        let low = rest & rest.wrapping_neg();
        nth += 1;
        if depth + (open & (low - 1)).count_ones() == nth {
            return Some(low.trailing_zeros() as usize);
        }
        rest &= rest - 1;
    }
    None
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
