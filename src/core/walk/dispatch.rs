//! Chooses the walk compiled for this processor.

use super::blocks::Portable;
use super::cursor::{self, Stop};
use super::{Leaves, Validation, WalkState};
use crate::limits::EventLimits;
use crate::path::PathTrie;

/// Walks with the best instruction set there is.
#[inline]
pub(super) fn run(
    text: &[u8],
    trie: &PathTrie,
    level: Validation,
    limits: &EventLimits,
    state: &mut WalkState,
    out: &mut Leaves,
) -> Result<(), Stop> {
    // SAFETY: the portable walk runs anywhere.
    unsafe {
        match level {
            Validation::Strict => cursor::run::<Portable, { cursor::STRICT }>(text, trie, limits, state, out),
            Validation::Checked => cursor::run::<Portable, { cursor::CHECKED }>(text, trie, limits, state, out),
            Validation::Trusted => cursor::run::<Portable, { cursor::TRUSTED }>(text, trie, limits, state, out),
        }
    }
}
