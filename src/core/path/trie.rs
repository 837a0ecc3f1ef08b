//! The trie itself, in flat arrays: nodes, the children of small nodes, the bytes of all segments, and one table for
//! the children of large nodes. Cloning is a few memory copies. Nothing here is unsafe.
//!
//! Lookup of an event's key: a 64-bit mask per node over a hash of the key's first two bytes rejects most keys that
//! nobody asked for; then the first eight bytes are compared under a mask, then the rest. The mask is over first bytes
//! rather than over lengths because a key with a dot ("a.b") must pass when only its first segment ("a") is a child.
//! A node with more than 16 children keeps them in a hash table seeded per process, so crafted keys cannot collide.

use super::PathId;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::{
    hash::{BuildHasher, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

/// Numbers the states of tries, so that what was learned of one is never used with another.
static NEXT_VERSION: AtomicU64 = AtomicU64::new(1);

fn next_version() -> u64 {
    NEXT_VERSION.fetch_add(1, Ordering::Relaxed)
}

/// Children searched one by one up to this number, hashed above.
const SMALL: u32 = 16;
/// A leaf here is emitted.
pub(crate) const WANTED: u32 = 1;
/// Array elements met here are recorded.
pub(crate) const SHARED: u32 = 2;
/// The node has children.
pub(crate) const INNER: u32 = 4;
/// The node has a child that has children: a key with dots may lead past it.
pub(crate) const DEEP: u32 = 64;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    #[inline(always)]
    pub(crate) fn holds(&self, byte: u8) -> bool {
        self.0[byte as usize >> 6] >> (byte & 63) & 1 != 0
    }

    pub(crate) fn insert(&mut self, byte: u8) {
        self.0[byte as usize >> 6] |= 1 << (byte & 63);
    }
}

#[derive(Clone, Copy)]
struct Node {
    /// Bit `prefix_bit(first two bytes)` is set for every child.
    filter: u64,
    kids_at: u32,
    kids_len: u32,
    parent: PathId,
    key_at: u32,
    key_len: u32,
    flags: u32,
}

#[derive(Clone, Copy)]
struct Kid {
    /// The first eight bytes of the segment, zero-filled.
    head: u64,
    /// Which of the eight count.
    mask: u64,
    len: u32,
    node: PathId,
}

/// Where a key of an event leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHit {
    /// The node that the key reaches.
    pub node: PathId,
    /// Whether the key held dots, so that several levels were walked.
    pub dotted: bool,
}

/// The trie of needed paths.
#[derive(Clone)]
pub struct PathTrie {
    nodes: Vec<Node>,
    kids: Vec<Kid>,
    keys: Vec<u8>,
    large: HashTable<PathId>,
    seed: RandomState,
    version: u64,
    tails: ByteSet,
}

impl Default for PathTrie {
    fn default() -> Self {
        Self::new()
    }
}

impl PathTrie {
    /// A trie with only the root.
    pub fn new() -> Self {
        let root = Node { filter: 0, kids_at: 0, kids_len: 0, parent: super::ROOT, key_at: 0, key_len: 0, flags: 0 };
        Self {
            nodes: vec![root],
            kids: Vec::new(),
            keys: Vec::new(),
            large: HashTable::new(),
            seed: RandomState::default(),
            version: next_version(),
            tails: ByteSet::default(),
        }
    }

    /// The node of a joined path, made when it is new. Every text is at least one segment: "" is `[""]`, "a." is `["a", ""]`.
    pub fn intern(&mut self, joined: &[u8]) -> PathId {
        joined.split(|b| *b == b'.').fold(super::ROOT, |node, segment| match self.child(node, segment) {
            Some(kid) => kid,
            None => self.add(node, segment),
        })
    }

    /// Adds the paths and marks of another trie; returns by node there the node here.
    pub fn absorb(&mut self, other: &Self) -> Vec<PathId> {
        let mut here = vec![super::ROOT; other.len()];
        for id in 1..other.len() as PathId {
            // A node stands after the node above it.
            let (parent, segment) = (here[other.parent(id) as usize], other.segment(id));
            let node = self.child(parent, segment).unwrap_or_else(|| self.add(parent, segment));
            if other.is_wanted(id) {
                self.set_wanted(node);
            }
            if other.is_shared(id) {
                self.set_shared(node);
            }
            here[id as usize] = node;
        }
        here
    }

    /// Whether `absorb` of another trie would change nothing; then the nodes as it would return them.
    pub fn knows(&self, other: &Self) -> Option<Vec<PathId>> {
        let mut here = vec![super::ROOT; other.len()];
        for id in 1..other.len() as PathId {
            let node = self.child(here[other.parent(id) as usize], other.segment(id))?;
            if other.is_wanted(id) && !self.is_wanted(node) || other.is_shared(id) && !self.is_shared(node) {
                return None;
            }
            here[id as usize] = node;
        }
        Some(here)
    }

    /// The node of a joined path, if there is one.
    pub fn find(&self, joined: &[u8]) -> Option<PathId> {
        joined.split(|b| *b == b'.').try_fold(super::ROOT, |node, segment| self.child(node, segment))
    }

    /// The child of `node` under one segment (a text without dots).
    pub fn child(&self, node: PathId, segment: &[u8]) -> Option<PathId> {
        let n = &self.nodes[node as usize];
        if n.kids_len > SMALL {
            return self.large.find(self.hash(node, segment), |id| self.is(*id, node, segment)).copied();
        }
        self.kids_of(n).iter().find(|k| self.segment(k.node) == segment).map(|k| k.node)
    }

    /// Leads from `node` along the raw key `text[start..end]`, which holds no escape; `text[end]` is its closing quote
    /// and `word` its first eight bytes as they stand in the text (zero-filled where the text ends).
    #[inline(always)]
    pub fn follow(&self, node: PathId, text: &[u8], start: usize, end: usize, word: u64) -> Option<KeyHit> {
        let n = &self.nodes[node as usize];
        if n.filter >> prefix_bit(word) & 1 == 0 {
            return None;
        }
        if n.kids_len > SMALL {
            return self.follow_slow(node, &text[start..end]);
        }
        for kid in self.kids_of(n) {
            if (word ^ kid.head) & kid.mask != 0 {
                continue;
            }
            let after = start + kid.len as usize;
            if after > end || (kid.len > 8 && text[start + 8..after] != self.segment(kid.node)[8..]) {
                continue;
            }
            if after == end {
                return Some(KeyHit { node: kid.node, dotted: false });
            }
            if text[after] == b'.' {
                let deep = self.follow_slow(kid.node, &text[after + 1..end])?;
                return Some(KeyHit { node: deep.node, dotted: true });
            }
        }
        None
    }

    /// Leads from `node` along an unescaped key, level by level where it holds dots.
    #[cold]
    pub fn follow_slow(&self, node: PathId, key: &[u8]) -> Option<KeyHit> {
        let mut segments = 0;
        let node = key.split(|b| *b == b'.').try_fold(node, |node, segment| {
            segments += 1;
            self.child(node, segment)
        })?;
        Some(KeyHit { node, dotted: segments > 1 })
    }

    /// Asks for the values at this path: a leaf here is emitted.
    pub fn set_wanted(&mut self, node: PathId) {
        self.set(node, WANTED);
    }

    /// Says that some conjunction has two or more paths at or below this node: array elements met here are recorded.
    pub fn set_shared(&mut self, node: PathId) {
        self.set(node, SHARED);
    }

    fn set(&mut self, node: PathId, flag: u32) {
        let flags = &mut self.nodes[node as usize].flags;
        if *flags & flag == 0 {
            *flags |= flag;
            self.version = next_version();
        }
    }

    /// `WANTED`, `SHARED`, `INNER`, `DEEP`.
    #[inline(always)]
    pub(crate) fn flags(&self, node: PathId) -> u32 {
        self.nodes[node as usize].flags
    }

    /// Whether a leaf here is emitted.
    #[inline(always)]
    pub fn is_wanted(&self, node: PathId) -> bool {
        self.flags(node) & WANTED != 0
    }

    /// Whether array elements met here are recorded.
    #[inline(always)]
    pub fn is_shared(&self, node: PathId) -> bool {
        self.flags(node) & SHARED != 0
    }

    /// Whether the node has children.
    #[inline(always)]
    pub fn is_inner(&self, node: PathId) -> bool {
        self.flags(node) & INNER != 0
    }

    /// How many children the node has.
    #[inline(always)]
    pub(crate) fn children(&self, node: PathId) -> u32 {
        self.nodes[node as usize].kids_len
    }

    /// The joined path. The root has none; its name is empty, as is that of the path "".
    pub fn name(&self, node: PathId) -> Vec<u8> {
        let mut segments = Vec::new();
        let mut at = node;
        while at != super::ROOT {
            segments.push(self.segment(at));
            at = self.parent(at);
        }
        segments.reverse();
        segments.join(&b'.')
    }

    /// The node above; the root's is the root.
    pub fn parent(&self, node: PathId) -> PathId {
        self.nodes[node as usize].parent
    }

    /// The last segment of the path.
    pub fn segment(&self, node: PathId) -> &[u8] {
        let n = &self.nodes[node as usize];
        &self.keys[n.key_at as usize..(n.key_at + n.key_len) as usize]
    }

    /// Names this state of a trie within the process: two tries of one version lead every key to the same node, and ask
    /// for the same there.
    #[inline(always)]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What stands in a text just before the first dot of a key that leads from one node over several levels: the last
    /// bytes of the nodes with children, and the quote before an empty one.
    #[inline(always)]
    pub(crate) fn tails(&self) -> &ByteSet {
        &self.tails
    }

    /// Number of nodes, the root included; every `PathId` is below it.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no path at all.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.kids.capacity() * size_of::<Kid>()
            + self.keys.capacity()
            + self.large.allocation_size()
    }

    fn add(&mut self, parent: PathId, segment: &[u8]) -> PathId {
        let id = PathId::try_from(self.nodes.len()).expect("fewer than 2^32 paths");
        self.version = next_version();
        let key_at = u32::try_from(self.keys.len() + segment.len()).expect("less than 4 GiB of path text") - segment.len() as u32;
        self.keys.extend_from_slice(segment);
        self.nodes.push(Node { filter: 0, kids_at: 0, kids_len: 0, parent, key_at, key_len: segment.len() as u32, flags: 0 });
        let filled = self.nodes[parent as usize].kids_len;
        match filled {
            0..SMALL => {
                self.place(parent, Kid { head: head(segment), mask: head_mask(segment.len()), len: segment.len() as u32, node: id })
            }
            SMALL => {
                for i in 0..SMALL {
                    let kid = self.kids[(self.nodes[parent as usize].kids_at + i) as usize].node;
                    self.place_large(kid);
                }
                self.place_large(id);
            }
            _ => self.place_large(id),
        }
        if filled == 0 && parent != super::ROOT {
            let tail = self.segment(parent).last().copied().unwrap_or(b'"');
            self.tails.insert(tail);
            let above = self.parent(parent);
            self.nodes[above as usize].flags |= DEEP;
        }
        let node = &mut self.nodes[parent as usize];
        node.kids_len += 1;
        node.flags |= INNER;
        node.filter |= filter_of(segment);
        id
    }

    /// Small nodes own a run of 1, 2, 4, 8 or 16 slots; a full run moves to the end of the array (waste at most half).
    fn place(&mut self, parent: PathId, kid: Kid) {
        let (at, len) = (self.nodes[parent as usize].kids_at as usize, self.nodes[parent as usize].kids_len as usize);
        if len == 0 || len.is_power_of_two() {
            let moved = self.kids.len();
            self.kids.extend_from_within(at..at + len);
            self.kids.resize(moved + (2 * len).max(1), kid);
            self.kids[moved + len] = kid;
            self.nodes[parent as usize].kids_at = u32::try_from(moved).expect("fewer than 2^32 slots");
        } else {
            self.kids[at + len] = kid;
        }
    }

    fn place_large(&mut self, id: PathId) {
        let hash = self.hash(self.parent(id), self.segment(id));
        let (nodes, keys, seed) = (&self.nodes, &self.keys, &self.seed);
        self.large.insert_unique(hash, id, |id| {
            let n = &nodes[*id as usize];
            hash_with(seed, n.parent, &keys[n.key_at as usize..(n.key_at + n.key_len) as usize])
        });
    }

    #[inline(always)]
    fn kids_of(&self, n: &Node) -> &[Kid] {
        &self.kids[n.kids_at as usize..(n.kids_at + n.kids_len) as usize]
    }

    fn is(&self, id: PathId, parent: PathId, segment: &[u8]) -> bool {
        self.nodes[id as usize].parent == parent && self.segment(id) == segment
    }

    fn hash(&self, node: PathId, segment: &[u8]) -> u64 {
        hash_with(&self.seed, node, segment)
    }
}

fn hash_with(seed: &RandomState, node: PathId, segment: &[u8]) -> u64 {
    let mut hasher = seed.build_hasher();
    hasher.write_u32(node);
    hasher.write(segment);
    hasher.finish()
}

/// The bit of a node's filter for a key that begins with the low two bytes of `word`.
#[inline(always)]
fn prefix_bit(word: u64) -> u32 {
    (word as u16 as u32).wrapping_mul(0x9E37_79B1) >> 26
}

/// A segment of one byte is followed in the event by a quote or a dot; the empty segment by anything.
fn filter_of(segment: &[u8]) -> u64 {
    let bit = |a: u8, b: u8| 1u64 << prefix_bit(u16::from_le_bytes([a, b]) as u64);
    match segment {
        [] => !0,
        [a] => bit(*a, b'"') | bit(*a, b'.'),
        [a, b, ..] => bit(*a, *b),
    }
}

fn head(segment: &[u8]) -> u64 {
    let mut first = [0; 8];
    let len = segment.len().min(8);
    first[..len].copy_from_slice(&segment[..len]);
    u64::from_le_bytes(first)
}

fn head_mask(len: usize) -> u64 {
    if len >= 8 { !0 } else { (1 << (8 * len)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_paths_split_at_every_dot_and_join_back() {
        let mut t = PathTrie::new();
        assert!(t.is_empty());
        for name in ["a", "a.b", "a.", ".", "", "..", "detail.state", "détail.x", "a\\b"] {
            let id = t.intern(name.as_bytes());
            assert_eq!(t.name(id), name.as_bytes());
            assert_eq!(t.find(name.as_bytes()), Some(id));
            assert_eq!(t.intern(name.as_bytes()), id);
        }
        assert_eq!(t.find(b"b"), None);
        let (a, ab) = (t.find(b"a").unwrap(), t.find(b"a.b").unwrap());
        assert_eq!((t.parent(ab), t.parent(a), t.child(a, b"b")), (a, super::super::ROOT, Some(ab)));
        assert_eq!(t.child(a, b"b.c"), None);
        t.set_wanted(ab);
        t.set_shared(a);
        assert!(t.is_wanted(ab) && !t.is_wanted(a) && t.is_shared(a) && !t.is_shared(ab) && t.is_inner(a) && !t.is_inner(ab));
    }

    #[test]
    fn absorbing_is_interning() {
        let (mut a, mut b) = (PathTrie::new(), PathTrie::new());
        for name in ["x", "detail.a", "detail.b.c"] {
            let id = a.intern(name.as_bytes());
            a.set_wanted(id);
        }
        for name in ["detail.b", "y.z", "detail.a", "", "a..b"] {
            let id = b.intern(name.as_bytes());
            b.set_wanted(id);
        }
        b.set_shared(b.find(b"detail").unwrap());
        assert_eq!(a.knows(&b), None);
        let here = a.absorb(&b);
        for id in 1..b.len() as PathId {
            let there = here[id as usize];
            assert_eq!(a.find(&b.name(id)), Some(there));
            let kept = |there: bool, here: bool| here || !there;
            assert!(kept(b.is_wanted(id), a.is_wanted(there)) && kept(b.is_shared(id), a.is_shared(there)));
            assert!(kept(b.is_inner(id), a.is_inner(there)));
        }
        assert!(a.is_wanted(a.find(b"detail.b.c").unwrap()) && !a.is_wanted(a.find(b"y").unwrap()));
        assert_eq!(a.knows(&b), Some(here));
    }

    #[test]
    fn event_keys_lead_where_their_joined_text_leads() {
        let mut t = PathTrie::new();
        let names: &[&str] = &["a", "a.b", "ab", "abcdefgh", "abcdefghi", "abcdefghij.k", "a..b", "", "x."];
        for name in names {
            t.intern(name.as_bytes());
        }
        for many in [0, 3, 40] {
            for i in 0..many {
                t.intern(format!("k{i}").as_bytes());
            }
            for key in [
                "a",
                "a.b",
                "a.bc",
                "abc",
                "abcdefgh",
                "abcdefghx",
                "abcdefghij",
                "abcdefghij.k",
                "a..b",
                "a.",
                "",
                ".",
                "x.",
                "x..",
                "k7",
                "k70",
            ] {
                let text = format!("\"{key}\":1        ");
                let word = u64::from_le_bytes(text.as_bytes()[1..9].try_into().unwrap());
                let hit = t.follow(super::super::ROOT, text.as_bytes(), 1, 1 + key.len(), word);
                assert_eq!(hit.map(|h| h.node), t.find(key.as_bytes()), "{key:?}");
                assert!(hit.is_none_or(|h| h.dotted == key.contains('.')), "{key:?}");
            }
        }
    }

    #[test]
    fn a_hundred_thousand_children_of_one_node() {
        let mut t = PathTrie::new();
        for i in 0..100_000 {
            t.intern(format!("detail.key{i}").as_bytes());
        }
        assert_eq!(t.len(), 100_002);
        let copy = t.clone();
        for i in (0..100_000).step_by(997) {
            let name = format!("detail.key{i}");
            let id = copy.find(name.as_bytes()).unwrap();
            assert_eq!(copy.name(id), name.as_bytes());
        }
        assert_eq!(copy.find(b"detail.key100000"), None);
        assert!(copy.bytes() < 100_000 * 120, "{}", copy.bytes());
    }
}
