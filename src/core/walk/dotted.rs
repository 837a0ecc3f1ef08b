//! Whether a trusted event can still hold a key with dots that leads over several levels of the trie: if not, an object of
//! which every child was met has nothing more to give, and the rest of the text need not be read as JSON.
//!
//! Such a key spells, just before its first dot, the last byte of a node that has children; and an escape may hide
//! anything. So a look for such dots in strings and for backslashes answers.

use super::blocks::{Blocks, Isa, last_masks};
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
            self.reach(usize::MAX);
            // SAFETY: a walker exists only where its instruction set does.
            match unsafe { I::dotted(self.text, self.blocks, p, self.trie.tails()) } {
                Some(found) => self.look.found = found,
                None => self.look.nothing_from = Some(p),
            }
        }
        self.look.nothing_from.is_some_and(|from| from <= p)
    }
}

/// The first backslash, or dot in a string behind a byte of the set, from a position on that is not the first. Both in one
/// pass that ends at what it finds, since it begins anew behind that: a backslash far away must not be looked for each time.
///
/// # Safety
/// The processor must have the instruction set `I`. All blocks of the text were made.
#[inline(always)]
pub(super) unsafe fn dotted<I: Isa + ?Sized>(text: &[u8], blocks: &Blocks, from: usize, before: &ByteSet) -> Option<usize> {
    let chunks = text.as_chunks::<64>().0;
    let (mut block, mut wanted) = (from >> 6, !0 << (from & 63));
    let whole = chunks.get(block..).unwrap_or_default();
    for (chunk, inside) in whole.iter().zip(&blocks.inside()[block..]) {
        // SAFETY: passed on to the caller.
        let masks = unsafe { I::masks(chunk) };
        let found = (masks.dot & inside | masks.backslash) & wanted;
        if found != 0
            && let Some(at) = first(text, block, found, before)
        {
            return Some(at);
        }
        (block, wanted) = (block + 1, !0);
    }
    // In the last block, which is not a whole one.
    if 64 * block < text.len() {
        // SAFETY: passed on to the caller.
        let masks = unsafe { last_masks::<I>(text) };
        return first(text, block, (masks.dot & blocks.inside()[block] | masks.backslash) & wanted, before);
    }
    None
}

/// The first of a block's dots and backslashes that counts.
fn first(text: &[u8], block: usize, mut found: u64, before: &ByteSet) -> Option<usize> {
    while found != 0 {
        let at = (block << 6) + found.trailing_zeros() as usize;
        if text[at] == b'\\' || before.holds(text[at - 1]) {
            return Some(at);
        }
        found &= found - 1;
    }
    None
}
