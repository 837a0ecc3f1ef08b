//! Texts with which values begin or end, found by their length: one lookup for each length that occurs, whatever the
//! number of texts. Only a few lengths; texts of others have to be found otherwise.
//!
//! A text found is a candidate: a stranger may have the same tag, so whoever asks compares the bytes.
//! COST: a hash and a lookup for each length, at most `LENGTHS`; 10 bytes a text.

use super::{
    operands::{OperandHasher, OperandKind},
    tags::Tags,
};
use crate::map::Map;

/// Most lengths that are looked up.
const LENGTHS: usize = 8;

/// Which end of a value is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its beginning.
    Front,
    /// Its end.
    Back,
}

/// The lookup; frozen after its build.
pub struct Ends {
    end: End,
    /// Ascending.
    lengths: Vec<u32>,
    tags: Tags,
    hasher: OperandHasher,
}

/// The lengths of which there are most texts.
pub fn commonest_lengths(lengths: impl Iterator<Item = usize>) -> Vec<u32> {
    let mut counts: Map<u32, u32> = Map::default();
    lengths.for_each(|len| *counts.entry(len as u32).or_default() += 1);
    let mut counts: Vec<(u32, u32)> = counts.into_iter().map(|(len, count)| (u32::MAX - count, len)).collect();
    counts.sort_unstable();
    let mut lengths: Vec<u32> = counts.into_iter().take(LENGTHS).map(|(_, len)| len).collect();
    lengths.sort_unstable();
    lengths
}

impl Ends {
    /// Texts of these lengths (see `commonest_lengths`) with their numbers, which are not `NONE`.
    pub fn new<'a>(end: End, lengths: Vec<u32>, texts: impl Iterator<Item = (&'a [u8], u32)>, hasher: &OperandHasher) -> Self {
        let tagged = texts.map(|(text, number)| (hasher.tag(OperandKind::String, text), number)).collect();
        Self { end, lengths, tags: Tags::of(tagged), hasher: hasher.clone() }
    }

    /// Calls `visit` with the number and the length of every text that the value may begin (or end) with; all that it
    /// does are among them.
    #[inline]
    pub fn each(&self, value: &[u8], mut visit: impl FnMut(u32, usize)) {
        self.each_tag(value, |tag, len| {
            self.tags.find(tag, |number| {
                visit(number, len);
                false
            });
        });
    }

    /// Has read ahead where `each` will look.
    pub fn expect(&self, value: &[u8]) {
        self.each_tag(value, |tag, _| self.tags.expect(tag));
    }

    #[inline(always)]
    fn each_tag(&self, value: &[u8], mut visit: impl FnMut(u32, usize)) {
        for len in &self.lengths {
            let len = *len as usize;
            if len > value.len() {
                return;
            }
            let start = match self.end {
                End::Front => 0,
                End::Back => value.len() - len,
            };
            visit(self.hasher.tag_within(OperandKind::String, value, start, len), len);
        }
    }

    /// Length of the longest text.
    pub fn longest(&self) -> usize {
        self.lengths.last().map_or(0, |len| *len as usize)
    }

    /// Has it lie in large pages.
    pub fn collapse(&self) {
        self.tags.collapse();
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.lengths.capacity() * 4 + self.tags.size_bytes()
    }
}
