//! Operands: every text, number, address and literal of a segment's rules, kept once and named by a small number.
//! An event value is looked up once; from then on equality is a comparison of two `u32`.
//!
//! COST: a lookup is one hash and on average one probe; a hit compares all bytes, the hash is never trusted.

use super::tags::Tags;
use crate::{map, memory, value::text::same};

/// Names an operand within its segment.
pub type OperandId = u32;
pub use super::tags::NONE;

/// What an operand is; values of different kinds never equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OperandKind {
    /// A string (WTF-8).
    String,
    /// A comparable number: 8 bytes, its key, big end first.
    Number,
    /// The text of a number that is not comparable.
    NumberText,
    /// An address: 17 bytes.
    Ip,
    /// A folded string.
    Folded,
    /// A string read from its end, for suffixes.
    Reversed,
    /// `true`, `false` or `null`: one byte.
    Literal,
}

/// The literals have fixed numbers in every segment.
pub const TRUE: OperandId = 0;
/// `false`.
pub const FALSE: OperandId = 1;
/// `null`.
pub const NULL: OperandId = 2;

/// Hashes operands with a seed of this process, so that nobody can prepare keys that collide.
///
/// SOURCE: the folded multiplication of wyhash, two words a step; the last two words of a text may overlap those before.
#[derive(Clone)]
pub struct OperandHasher {
    seeds: [u64; 2],
}

impl Default for OperandHasher {
    fn default() -> Self {
        Self { seeds: map::seeds() }
    }
}

#[inline(always)]
fn folded_product(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

/// Bytes of a step.
const STEP: usize = 16;

/// The two words of a step.
#[inline(always)]
fn two_words(step: &[u8; STEP]) -> [u64; 2] {
    let both = u128::from_le_bytes(*step);
    [both as u64, (both >> 64) as u64]
}

/// By length: which bits of a short text's step belong to it.
static OF_TEXT: [[u64; 2]; STEP + 1] = {
    let mut masks = [[0; 2]; STEP + 1];
    let mut len = 1;
    while len <= STEP {
        let bits = u128::MAX >> (8 * (STEP - len));
        masks[len] = [bits as u64, (bits >> 64) as u64];
        len += 1;
    }
    masks
};

impl OperandHasher {
    /// The hash of an operand.
    #[inline]
    pub fn hash(&self, kind: OperandKind, bytes: &[u8]) -> u64 {
        self.hash_within(kind, bytes, 0, bytes.len())
    }

    /// The half of the hash by which an operand is looked up.
    #[inline]
    pub fn tag(&self, kind: OperandKind, bytes: &[u8]) -> u32 {
        (self.hash(kind, bytes) >> 32) as u32
    }

    /// The tag of `len` bytes of a text, from `start` on. What stands behind them is read with them, where there is some:
    /// most values are short, and one look at a short one takes no branch on its length.
    #[inline(always)]
    pub fn tag_within(&self, kind: OperandKind, text: &[u8], start: usize, len: usize) -> u32 {
        (self.hash_within(kind, text, start, len) >> 32) as u32
    }

    #[inline(always)]
    fn hash_within(&self, kind: OperandKind, text: &[u8], start: usize, len: usize) -> u64 {
        let [seed, other] = self.seeds;
        let sum = match (text.get(start..).and_then(|rest| rest.first_chunk()), OF_TEXT.get(len)) {
            (Some(step), Some(mask)) => {
                let [a, b] = two_words(step);
                folded_product(a & mask[0] ^ seed, b & mask[1] ^ other)
            }
            _ => self.sum(&text[start..start + len]),
        };
        (sum ^ (len as u64) << 8 ^ kind as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// The same of a text that is long, or behind which nothing stands.
    #[inline(never)]
    fn sum(&self, bytes: &[u8]) -> u64 {
        let [mut state, seed] = self.seeds;
        let mut short = [0; STEP];
        let last = match bytes.last_chunk() {
            Some(last) => last,
            None => {
                short[..bytes.len()].copy_from_slice(bytes);
                &short
            }
        };
        let mut rest = bytes;
        while let Some((step, more)) = rest.split_first_chunk().filter(|(_, more)| !more.is_empty()) {
            let [a, b] = two_words(step);
            state = folded_product(a ^ state, b ^ seed);
            rest = more;
        }
        // Of a long text the last words, which overlap those before them.
        let [a, b] = two_words(last);
        folded_product(a ^ state, b ^ seed)
    }
}

/// The operands of a segment.
pub struct Operands {
    hasher: OperandHasher,
    /// Kind byte and bytes of operand i: `arena[starts[i]..starts[i + 1]]`.
    arena: Vec<u8>,
    starts: Vec<u32>,
    /// Operands by the upper half of their hashes.
    tags: Tags,
    number_texts: bool,
}

impl Operands {
    /// The three literals only.
    pub fn new(hasher: OperandHasher) -> Self {
        let mut new = Self { hasher, arena: Vec::new(), starts: vec![0], tags: Tags::default(), number_texts: false };
        for literal in [b't', b'f', b'n'] {
            new.intern(OperandKind::Literal, &[literal]);
        }
        new
    }

    /// The hash function of this table (the same for all segments of a rule set).
    pub fn hasher(&self) -> &OperandHasher {
        &self.hasher
    }

    /// How many operands there are.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Never: the literals are always there.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether any operand is the text of a number that is not comparable.
    #[inline]
    pub fn has_number_texts(&self) -> bool {
        self.number_texts
    }

    /// Size of all texts together.
    pub fn arena_len(&self) -> usize {
        self.arena.len()
    }

    /// The bytes of an operand.
    #[inline]
    pub fn bytes(&self, id: OperandId) -> &[u8] {
        &self.arena[self.starts[id as usize] as usize + 1..self.starts[id as usize + 1] as usize]
    }

    /// The kind of an operand.
    pub fn kind(&self, id: OperandId) -> OperandKind {
        use OperandKind::*;
        [String, Number, NumberText, Ip, Folded, Reversed, Literal][self.arena[self.starts[id as usize] as usize] as usize]
    }

    /// Whether an operand is of this kind and has these bytes.
    #[inline]
    pub fn is(&self, id: OperandId, kind: OperandKind, bytes: &[u8]) -> bool {
        let stored = &self.arena[self.starts[id as usize] as usize..self.starts[id as usize + 1] as usize];
        stored[0] == kind as u8 && same(&stored[1..], bytes)
    }

    /// The number of an operand that is there.
    #[inline]
    pub fn find(&self, tag: u32, kind: OperandKind, bytes: &[u8]) -> OperandId {
        self.tags.find(tag, |id| self.is(id, kind, bytes))
    }

    /// Has read ahead where the text of an operand lies.
    #[inline]
    pub fn expect_place(&self, id: OperandId) {
        memory::expect(&self.starts, id as usize);
    }

    /// Has the text of an operand read ahead, once its place is there.
    #[inline]
    pub fn expect_text(&self, id: OperandId) {
        memory::expect(&self.arena, self.starts[id as usize] as usize);
    }

    /// The number of an operand, added if it is new.
    pub fn intern(&mut self, kind: OperandKind, bytes: &[u8]) -> OperandId {
        let tag = self.hasher.tag(kind, bytes);
        let found = self.find(tag, kind, bytes);
        if found != NONE {
            return found;
        }
        self.number_texts |= kind == OperandKind::NumberText;
        let id = self.len() as OperandId;
        self.arena.push(kind as u8);
        self.arena.extend_from_slice(bytes);
        self.starts.push(self.arena.len() as u32);
        self.tags.insert(tag, id);
        id
    }

    /// Gives back what growth reserved.
    pub fn freeze(&mut self) {
        self.arena.shrink_to_fit();
        self.starts.shrink_to_fit();
        self.tags.freeze();
    }

    /// Has it lie in large pages.
    pub fn collapse(&self) {
        memory::collapse(&self.arena);
        memory::collapse(&self.starts);
        self.tags.collapse();
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.arena.capacity() + self.starts.capacity() * 4 + self.tags.size_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_that_of_the_bytes_wherever_they_stand() {
        let (hasher, text) = (OperandHasher::default(), (1..=90u8).collect::<Vec<u8>>());
        let mut tags = Vec::new();
        for len in 0..60 {
            for start in 0..=text.len() - len {
                let bytes = &text[start..start + len];
                let alone = hasher.tag(OperandKind::String, bytes);
                // Enough stands behind it, or too little, or nothing.
                for end in start + len..=text.len() {
                    assert_eq!(hasher.tag_within(OperandKind::String, &text[..end], start, len), alone, "{start} {len} {end}");
                }
                assert_eq!((hasher.hash(OperandKind::String, bytes) >> 32) as u32, alone);
            }
            tags.push(hasher.tag(OperandKind::String, &text[..len]));
            tags.push(hasher.tag(OperandKind::Folded, &text[..len]));
            // Zeros count.
            tags.push(hasher.tag(OperandKind::String, &vec![0; len + 1]));
        }
        let count = tags.len();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), count);
    }
}
