//! What the walk expects next: events of one kind name the same keys in the same order, so after a key comes, as a rule,
//! the key that came after it the last time. A token is all that stands between two values, as `,"state":` or
//! `,"state": `, or after an opening brace `"state":`; one comparison of 32 bytes then takes the place of reading it.
//!
//! Only ever a guess: a token is compared in full, so that a wrong one costs time and nothing else. What it leads to
//! depends on its text, on the object's node and on the trie alone, and all of them are compared.

use super::blocks::Isa;
use super::state::{NOWHERE, Place};
use crate::path::PathId;

/// Bytes of a token that can be remembered.
pub(super) const TOKEN: usize = 32;
const SLOTS: usize = 1024;
/// Slots of a state: the token met last and those before it, or those of another state.
const WAYS: usize = 4;

/// A token and what follows from it.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Slot {
    /// The bytes; those beyond its length do not count.
    pub token: [u8; TOKEN],
    /// A bit for every byte of the token.
    pub mask: u32,
    /// Length of the token.
    pub len: u32,
    /// The state after it.
    pub next: u32,
    /// See `object`.
    pub object: u64,
    /// Where the key leads.
    pub place: Place,
}

impl Slot {
    /// # Safety
    /// The processor must have the instruction set `I`.
    #[inline(always)]
    unsafe fn is_here<I: Isa>(&self, bytes: &[u8; TOKEN], object: u64) -> bool {
        // SAFETY: passed on to the caller.
        self.object == object && unsafe { I::same(bytes, &self.token, self.mask) }
    }
}

/// The slots of a state. Their number is taken from bits that are in place already, which saves a step of each look.
#[inline(always)]
fn slots_of(state: u32) -> usize {
    const SHIFT: u32 = size_of::<[Slot; WAYS]>().trailing_zeros();
    (state >> SHIFT) as usize % (SLOTS / WAYS)
}

/// The memory; states choose slots, and may share one.
#[derive(Clone, Debug)]
pub(super) struct Shapes {
    slots: Box<[[Slot; WAYS]; SLOTS / WAYS]>,
}

/// Counts nowhere.
const UNUSED: Slot = Slot { token: [0; TOKEN], mask: 0, len: 0, next: 0, object: u64::MAX, place: NOWHERE };

impl Default for Shapes {
    fn default() -> Self {
        Self { slots: vec![[UNUSED; WAYS]; SLOTS / WAYS].into_boxed_slice().try_into().expect("as many as asked for") }
    }
}

impl Shapes {
    /// The token at the beginning of the bytes, if it is the one that was met last in this state.
    ///
    /// # Safety
    /// The processor must have the instruction set `I`.
    #[inline(always)]
    pub unsafe fn last<I: Isa>(&self, state: u32, bytes: &[u8; TOKEN], object: u64) -> Option<&Slot> {
        let slot = &self.slots[slots_of(state)][0];
        // SAFETY: passed on to the caller.
        if unsafe { slot.is_here::<I>(bytes, object) } { Some(slot) } else { None }
    }

    /// The token at the beginning of the bytes, if it is one of those that were met last in this state.
    ///
    /// # Safety
    /// The processor must have the instruction set `I`.
    #[inline(always)]
    pub unsafe fn expected<I: Isa>(&self, state: u32, bytes: &[u8; TOKEN], object: u64) -> Option<&Slot> {
        let [last, others @ ..] = &self.slots[slots_of(state)];
        // SAFETY: passed on to the caller.
        unsafe {
            if last.is_here::<I>(bytes, object) {
                return Some(last);
            }
            // No token: the object is over.
            if bytes[0] == b'}' {
                return None;
            }
            // No closure: it would not be compiled for the instruction set.
            #[allow(clippy::manual_find)]
            for slot in others {
                if slot.is_here::<I>(bytes, object) {
                    return Some(slot);
                }
            }
        }
        None
    }

    /// Remembers a token. Returns the state after it, which is the same whenever the token is.
    #[inline(always)]
    pub fn learn(&mut self, state: u32, token: &[u8; TOKEN], len: usize, object: u64, place: Place) -> u32 {
        debug_assert!((1..=TOKEN).contains(&len));
        let mask = !0u32 >> (TOKEN - len);
        let mut sum = state;
        for (i, word) in token.as_chunks::<8>().0.iter().enumerate() {
            let kept = len.saturating_sub(8 * i).min(8);
            if kept > 0 {
                sum = mix(sum, u64::from_le_bytes(*word) & (!0 >> (64 - 8 * kept)));
            }
        }
        let slots = &mut self.slots[slots_of(state)];
        slots.rotate_right(1);
        slots[0] = Slot { token: *token, mask, len: len as u32, next: sum, object, place };
        sum
    }
}

/// Where a token counts: with this trie (see `PathTrie::version`), in objects of this node, and either behind an opening
/// brace or behind a value, which a comma has to follow.
#[inline(always)]
pub(super) fn object(version: u64, node: PathId, first: bool) -> u64 {
    // A rule set has at most 2^24 paths, so that `NO_NODE` stays apart.
    version << 26 | (node as u64 & 0x1ff_ffff) << 1 | first as u64
}

/// A state that follows from another.
#[inline(always)]
pub(super) fn mix(state: u32, by: u64) -> u32 {
    let product = (state as u64 ^ by).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (product >> 32) as u32
}
