//! Operands: every text, number, address and literal of a segment's rules, kept once and named by a small number.
//! An event value is looked up once; from then on equality is a comparison of two `u32`.
//!
//! COST: a lookup is one hash and on average one probe; a hit compares all bytes, the hash is never trusted.

use super::tags::Tags;
use foldhash::fast::SeedableRandomState;
use std::hash::{BuildHasher, Hasher};

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
#[derive(Clone)]
pub struct OperandHasher {
    state: SeedableRandomState,
}

impl Default for OperandHasher {
    fn default() -> Self {
        Self { state: SeedableRandomState::random() }
    }
}

impl OperandHasher {
    /// The hash of an operand.
    #[inline]
    pub fn hash(&self, kind: OperandKind, bytes: &[u8]) -> u64 {
        let mut hasher = self.state.build_hasher();
        hasher.write_u8(kind as u8);
        hasher.write(bytes);
        hasher.finish()
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

    /// The number of an operand that is there.
    #[inline]
    pub fn find(&self, hash: u64, kind: OperandKind, bytes: &[u8]) -> OperandId {
        self.tags.find((hash >> 32) as u32, |id| {
            let stored = &self.arena[self.starts[id as usize] as usize..self.starts[id as usize + 1] as usize];
            stored[0] == kind as u8 && &stored[1..] == bytes
        })
    }

    /// The number of an operand, added if it is new.
    pub fn intern(&mut self, kind: OperandKind, bytes: &[u8]) -> OperandId {
        let hash = self.hasher.hash(kind, bytes);
        let found = self.find(hash, kind, bytes);
        if found != NONE {
            return found;
        }
        self.number_texts |= kind == OperandKind::NumberText;
        let id = self.len() as OperandId;
        self.arena.push(kind as u8);
        self.arena.extend_from_slice(bytes);
        self.starts.push(self.arena.len() as u32);
        self.tags.insert((hash >> 32) as u32, id);
        id
    }

    /// Gives back what growth reserved.
    pub fn freeze(&mut self) {
        self.arena.shrink_to_fit();
        self.starts.shrink_to_fit();
        self.tags.freeze();
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.arena.capacity() + self.starts.capacity() * 4 + self.tags.size_bytes()
    }
}
