//! Whether a trusted event can still hold a key with dots that leads over several levels of the trie: if not, an object of
//! which every child was met has nothing more to give, and the rest of the text need not be read as JSON.
//!
//! Such a key spells, just before its first dot, the last byte of a node that has children; and an escape may hide
//! anything. So a look for such dots and for backslashes answers, and sees most numbers as what they are: before their
//! points stand digits.

use super::blocks::Isa;
use super::cursor::Walker;
use super::state::Frame;
use crate::path::{ByteSet, DEEP};

/// How far the look has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    /// The last thing found: from there on nothing is known.
    found: usize,
    /// From here on there is nothing.
    nothing_from: Option<usize>,
}

impl<I: Isa, const LEVEL: u8> Walker<'_, I, LEVEL> {
    /// Whether no rule asks for anything in the rest of an open container, from `p` on.
    #[inline(always)]
    pub(super) fn is_done(&mut self, frame: &Frame, p: usize) -> bool {
        frame.left == 0 && frame.close == b'}' && (self.trie.flags(frame.node) & DEEP == 0 || self.nothing_dotted(p))
    }

    /// COST: every byte is looked at once, because positions only grow.
    fn nothing_dotted(&mut self, p: usize) -> bool {
        if self.look.nothing_from.is_none() && p > self.look.found {
            // SAFETY: a walker exists only where its instruction set does.
            match unsafe { I::dotted(self.text, p, self.trie.tails()) } {
                Some(found) => self.look.found = found,
                None => self.look.nothing_from = Some(p),
            }
        }
        self.look.nothing_from.is_some_and(|from| from <= p)
    }
}

/// The first backslash, or dot behind a byte of the set, from a position on that is not the first.
///
/// # Safety
/// The processor must have the instruction set `I`.
#[inline(always)]
pub(super) unsafe fn dotted<I: Isa + ?Sized>(text: &[u8], from: usize, before: &ByteSet) -> Option<usize> {
    let any = before.holds_a_digit();
    // The same text a byte earlier has at least as many chunks.
    let (chunks, earlier) = (text[from..].as_chunks::<64>().0, text[from - 1..].as_chunks::<64>().0);
    for (n, (bytes, before_them)) in chunks.iter().zip(earlier).enumerate() {
        // SAFETY: passed on to the caller.
        let found = unsafe { I::dots(bytes, before_them, any) };
        if found != 0
            && let Some(at) = first(text, from + 64 * n, found, before)
        {
            return Some(at);
        }
    }
    // The last bytes of the text once more, but for those seen; a short text byte by byte.
    let at = from + 64 * chunks.len();
    let rest = text.len() - at;
    if text.len() > 64 {
        let (last, before_them) = (text.last_chunk()?, text[..text.len() - 1].last_chunk()?);
        // SAFETY: passed on to the caller.
        let found = unsafe { I::dots(last, before_them, any) };
        let seen = if rest == 0 { !0 } else { !(!0 << (64 - rest)) };
        return first(text, text.len() - 64, found & !seen, before);
    }
    let counts = |at: &usize| text[*at] == b'\\' || text[*at] == b'.' && before.holds(text[*at - 1]);
    (at..text.len()).find(counts)
}

/// The first of the candidates that counts.
fn first(text: &[u8], base: usize, mut found: u64, before: &ByteSet) -> Option<usize> {
    while found != 0 {
        let at = base + found.trailing_zeros() as usize;
        if text[at] == b'\\' || before.holds(text[at - 1]) {
            return Some(at);
        }
        found &= found - 1;
    }
    None
}
