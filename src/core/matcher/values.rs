//! An event's values, prepared for lookup: one record a leaf, chained by path; tags, addresses and folded texts where a
//! node looks for them. Everything else waits until somebody asks, see `value`.
//!
//! Long chains (big arrays) are handled apart, so that no event costs the product of its values and the candidates:
//! equal values are met once, exact conditions use a sorted list, other verdicts are remembered.

use super::value::{Address, Comparable, FROM_THE_BEGINNING, Fold, PLAIN, UNKNOWN, Value};
use crate::{
    index::{
        gate::Gate,
        operands::{NONE, OperandHasher, OperandId, OperandKind},
        segment::{Segment, need},
    },
    path::PathId,
    walk::{Kind, Leaves},
};
use std::cell::{Cell, OnceCell};

/// A chain longer than this is long.
const LONG: u32 = 128;

/// The values of one path.
#[derive(Clone, Copy)]
struct Chain {
    /// First value, or `NONE`; of a long chain its number.
    first: u32,
    /// How many there are, and `IN_ARRAYS` if one lies in an element of an array.
    count: u32,
}

const EMPTY: Chain = Chain { first: NONE, count: 0 };
const IN_ARRAYS: u32 = 1 << 31;

impl Chain {
    #[inline(always)]
    fn count(self) -> u32 {
        self.count & !IN_ARRAYS
    }

    #[inline(always)]
    fn is_long(self) -> bool {
        self.count() > LONG
    }
}

/// The values of a long chain.
#[derive(Default)]
struct Long {
    path: PathId,
    /// The first of all of them, and of the different ones.
    first: u32,
    first_different: u32,
    /// Their operands in the segment at hand, sorted.
    operands: Vec<OperandId>,
    /// Operand (high half) and value, sorted; made when an array check asks.
    equals: OnceCell<Vec<u64>>,
    /// The keys of their comparable numbers, sorted; made when ranges ask.
    keys: OnceCell<Vec<u64>>,
    /// Tag of the folded text and value, sorted; made when a condition without case asks.
    folded_texts: OnceCell<Vec<(u32, u32)>>,
    /// The different strings, sorted; made when many prefixes ask.
    texts: OnceCell<Vec<u32>>,
}

/// The values of one event; reused.
#[derive(Default)]
pub struct Values {
    /// In document order.
    pub values: Vec<Value>,
    chains: Vec<Chain>,
    /// Bit n is set if a value has a path whose number ends with these six bits.
    present: u64,
    /// Whether a segment was begun.
    begun: bool,
    /// Addresses found.
    addresses: Vec<Address>,
    /// Folded texts made.
    folds: Vec<Fold>,
    folded: Vec<u8>,
    long: Vec<Long>,
    /// Next value of the same path by value, or `NONE`; empty when no chain is long, as then `Value::next` tells.
    next_of_all: Vec<u32>,
}

impl Values {
    /// Takes over the leaves of an event. `needs` says by path what to compute.
    pub fn prepare(&mut self, text: &[u8], leaves: &Leaves, needs: &[u8], hasher: &OperandHasher) {
        for value in &self.values {
            self.chains[value.path as usize] = EMPTY;
        }
        if self.chains.len() < needs.len() {
            self.chains.resize(needs.len(), EMPTY);
        }
        self.values.clear();
        self.addresses.clear();
        self.folds.clear();
        self.folded.clear();
        self.begun = false;
        let chains = &mut self.chains[..needs.len()];
        let (mut present, mut longest) = (0, 0);
        // An iterator that knows its length writes the values where they stay.
        self.values.extend(leaves.leaves.iter().enumerate().map(|(at, leaf)| {
            let (need, chain) = (needs[leaf.path as usize], &mut chains[leaf.path as usize]);
            let next = chain.first;
            present |= 1 << (leaf.path % 64);
            chain.first = at as u32;
            chain.count = (chain.count + 1) | (u32::from(leaf.trail != 0) * IN_ARRAYS);
            longest = longest.max(chain.count());
            Value {
                path: leaf.path,
                start: leaf.start,
                len: leaf.len,
                trail: leaf.trail,
                kind: leaf.kind,
                copied: leaf.copied,
                tagged: need & FROM_THE_BEGINNING != 0,
                comparable: Cell::new(Comparable::Unread),
                next,
                tag: 0,
                operand: Cell::new(UNKNOWN),
                rest: Cell::new(PLAIN),
            }
        }));
        let Self { addresses, folds, folded, .. } = self;
        for value in self.values.iter_mut().filter(|value| value.tagged) {
            let need = needs[value.path as usize];
            let source: &[u8] = if value.copied { &leaves.unescaped } else { text };
            if value.kind != Kind::String {
                value.tag_other(need, source, hasher);
                continue;
            }
            value.tagged = need & (need::TAG | need::STRING) == need::TAG | need::STRING;
            if value.tagged {
                value.tag = hasher.tag_within(OperandKind::String, source, value.start as usize, value.len as usize);
            }
            if need & (need::IP | need::FOLDED) != 0 {
                value.read_string(need, source, hasher, addresses, (folds, folded));
            }
        }
        self.present = present;
        if !self.long.is_empty() || longest > LONG {
            self.prepare_long(text, &leaves.unescaped, hasher);
        }
    }

    #[cold]
    fn prepare_long(&mut self, text: &[u8], unescaped: &[u8], hasher: &OperandHasher) {
        self.long.clear();
        self.next_of_all.clear();
        self.next_of_all.extend(self.values.iter().map(|value| value.next));
        for at in 0..self.values.len() {
            let path = self.values[at].path;
            let chain = self.chains[path as usize];
            // At its last value, which comes first.
            if chain.is_long() && chain.first == at as u32 && self.long.iter().all(|long| long.path != path) {
                let first_different = self.link_different(chain.first, text, unescaped, hasher);
                self.chains[path as usize].first = self.long.len() as u32;
                self.long.push(Long { path, first: chain.first, first_different, ..Long::default() });
            }
        }
        if self.long.is_empty() {
            self.next_of_all.clear();
        }
    }

    /// Relinks a long chain so that `next` skips values that are equal to one before them. Returns its new first.
    fn link_different(&mut self, first: u32, text: &[u8], unescaped: &[u8], hasher: &OperandHasher) -> u32 {
        let (values, mut order) = (&self.values, Vec::new());
        let bytes = |at: u32| values[at as usize].bytes(text, unescaped);
        let mut at = first;
        while at != NONE {
            let value = &values[at as usize];
            let tag = if value.tagged { value.tag } else { hasher.tag(OperandKind::String, bytes(at)) };
            order.push((value.kind as u8, tag, at));
            at = self.next_of_all[at as usize];
        }
        order.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| bytes(a.2).cmp(bytes(b.2))));
        order.dedup_by(|a, b| a.0 == b.0 && bytes(a.2) == bytes(b.2));
        for pair in order.windows(2) {
            self.values[pair[0].2 as usize].next = pair[1].2;
        }
        self.values[order[order.len() - 1].2 as usize].next = NONE;
        order[0].2
    }

    /// First value of a path in the order of `Value::next`, or `NONE`.
    #[inline]
    pub fn first(&self, path: PathId) -> u32 {
        match self.chains.get(path as usize) {
            Some(chain) if chain.is_long() => self.long[chain.first as usize].first_different,
            Some(chain) => chain.first,
            None => NONE,
        }
    }

    /// Whether the path may have values; most that have none are told at once.
    #[inline]
    pub fn may_have(&self, path: PathId) -> bool {
        self.present >> (path % 64) & 1 != 0
    }

    /// First value of a path in the order of `next_of_all`, or `NONE`.
    #[inline]
    pub fn first_of_all(&self, path: PathId) -> u32 {
        match self.long_of(path) {
            Some(long) => long.first,
            None => self.chains.get(path as usize).map_or(NONE, |chain| chain.first),
        }
    }

    /// Next value of the same path, or `NONE`.
    #[inline]
    pub fn next_of_all(&self, at: u32) -> u32 {
        if self.next_of_all.is_empty() { self.values[at as usize].next } else { self.next_of_all[at as usize] }
    }

    /// The path's chain if it is long.
    #[inline]
    fn long_of(&self, path: PathId) -> Option<&Long> {
        let chain = self.chains.get(path as usize).filter(|chain| chain.is_long())?;
        Some(&self.long[chain.first as usize])
    }

    /// Whether the path's chain is long; then `contains` answers exact questions.
    #[inline]
    pub fn is_long(&self, path: PathId) -> bool {
        self.chains.get(path as usize).is_some_and(|chain| chain.is_long())
    }

    /// Whether a value of the path lies in an element of an array.
    #[inline]
    pub fn in_arrays(&self, path: PathId) -> bool {
        self.chains.get(path as usize).is_some_and(|chain| chain.count & IN_ARRAYS != 0)
    }

    /// Number of values of the path.
    #[inline]
    pub fn count(&self, path: PathId) -> usize {
        self.chains.get(path as usize).map_or(0, |chain| chain.count() as usize)
    }

    /// The address that a value reads as, if anybody asks for addresses on its path.
    #[inline]
    pub fn address(&self, value: &Value) -> Option<&Address> {
        // Without a string there is none; without a need of it the place is none.
        self.addresses.get(value.rest.get() as u32 as usize).filter(|_| value.kind == Kind::String)
    }

    #[inline]
    fn fold(&self, value: &Value) -> Option<&Fold> {
        self.folds.get((value.rest.get() >> 32) as usize).filter(|_| value.kind == Kind::String)
    }

    /// The folded text of a string on whose path anybody asks for it.
    #[inline]
    pub fn folded(&self, value: &Value) -> &[u8] {
        self.fold(value).map_or(&[], |fold| self.folded_bytes(fold))
    }

    fn folded_bytes(&self, fold: &Fold) -> &[u8] {
        &self.folded[fold.start as usize..(fold.start + fold.len) as usize]
    }

    /// Calls `visit` with the tags under which a node may look for a value beside its own: those of its address and of its
    /// folded text.
    pub fn each_tag_of_more(&self, value: &Value, visit: impl FnMut(u32)) {
        let tags = [self.address(value).map(|address| address.tag), self.fold(value).map(|fold| fold.tag)];
        tags.into_iter().flatten().for_each(visit);
    }

    fn the_long(&self, path: PathId) -> &Long {
        self.long_of(path).expect("asked of long chains only")
    }

    /// Whether a long chain has a value of this operand.
    pub fn contains(&self, path: PathId, operand: OperandId) -> bool {
        self.the_long(path).operands.binary_search(&operand).is_ok()
    }

    /// The values of a long chain that have this operand.
    pub fn equal(&self, path: PathId, operand: OperandId) -> impl Iterator<Item = u32> {
        let all = self.the_long(path).equals.get_or_init(|| {
            let mut all = Vec::new();
            let mut at = self.first_of_all(path);
            while at != NONE {
                let operand = self.values[at as usize].operand.get();
                if operand != NONE {
                    all.push(u64::from(operand) << 32 | u64::from(at));
                }
                at = self.next_of_all(at);
            }
            all.sort_unstable();
            all
        });
        let from = all.partition_point(|pair| ((pair >> 32) as u32) < operand);
        all[from..].iter().take_while(move |pair| (*pair >> 32) as u32 == operand).map(|pair| *pair as u32)
    }

    /// The different values of a long chain whose folded text has this tag; only of paths that need folded texts.
    pub fn folded_like(&self, path: PathId, tag: u32) -> impl Iterator<Item = u32> {
        let all = self.the_long(path).folded_texts.get_or_init(|| {
            let mut all = Vec::new();
            let mut at = self.first(path);
            while at != NONE {
                let value = &self.values[at as usize];
                all.extend(self.fold(value).map(|fold| (fold.tag, at)));
                at = value.next;
            }
            all.sort_unstable();
            all
        });
        let from = all.partition_point(|pair| pair.0 < tag);
        all[from..].iter().take_while(move |pair| pair.0 == tag).map(|pair| pair.1)
    }

    /// Whether a string of a long chain begins with this.
    pub fn begins(&self, path: PathId, prefix: &[u8], text: &[u8], unescaped: &[u8]) -> bool {
        let bytes = |at: u32| self.values[at as usize].bytes(text, unescaped);
        let all = self.the_long(path).texts.get_or_init(|| {
            let mut all = Vec::new();
            let mut at = self.first(path);
            while at != NONE {
                let value = &self.values[at as usize];
                if value.kind == Kind::String {
                    all.push(at);
                }
                at = value.next;
            }
            all.sort_unstable_by(|a, b| bytes(*a).cmp(bytes(*b)));
            all
        });
        let from = all.partition_point(|at| bytes(*at) < prefix);
        all.get(from).is_some_and(|at| bytes(*at).starts_with(prefix))
    }

    /// The keys of the comparable numbers of a long chain, sorted.
    pub fn keys(&self, path: PathId, text: &[u8], unescaped: &[u8]) -> &[u64] {
        self.the_long(path).keys.get_or_init(|| {
            let mut keys = Vec::new();
            let mut at = self.first(path);
            while at != NONE {
                let value = &self.values[at as usize];
                keys.extend(value.comparable_key(text, unescaped));
                at = value.next;
            }
            keys.sort_unstable();
            keys
        })
    }

    /// Whether a value may be one that a gate is for.
    pub fn enter(&self, gate: &Gate) -> bool {
        self.values.iter().any(|value| {
            let mut admitted = value.tagged && gate.admits(value.path, value.tag);
            if value.has_more() {
                self.each_tag_of_more(value, |tag| admitted |= gate.admits(value.path, tag));
            }
            admitted
        })
    }

    /// Begins a segment: what was known of operands was of another one.
    #[inline]
    pub fn begin(&mut self, segment: &Segment, text: &[u8], unescaped: &[u8]) {
        if std::mem::replace(&mut self.begun, true) {
            self.values.iter_mut().for_each(|value| value.operand = Cell::new(UNKNOWN));
        }
        if segment.operands.has_number_texts() {
            self.values.iter_mut().for_each(|value| value.tag_text(segment, text, unescaped));
        }
        if !self.long.is_empty() {
            self.begin_long(segment, text, unescaped);
        }
    }

    #[cold]
    fn begin_long(&mut self, segment: &Segment, text: &[u8], unescaped: &[u8]) {
        for n in 0..self.long.len() {
            let mut operands = std::mem::take(&mut self.long[n].operands);
            operands.clear();
            let mut at = self.long[n].first;
            while at != NONE {
                let operand = self.operand(&self.values[at as usize], segment, text, unescaped);
                if operand != NONE {
                    operands.push(operand);
                }
                at = self.next_of_all(at);
            }
            operands.sort_unstable();
            operands.dedup();
            self.long[n].operands = operands;
            self.long[n].equals.take();
        }
    }

    /// Has read ahead where the root of a segment will look.
    pub fn expect(&self, segment: &Segment) {
        for value in &self.values {
            let expect = |tag| segment.table.expect(0, value.path, tag);
            value.tag().into_iter().for_each(expect);
            if value.has_more() {
                self.each_tag_of_more(value, expect);
            }
        }
    }

    /// The operand of a value in the segment at hand.
    #[inline(always)]
    pub fn operand(&self, value: &Value, segment: &Segment, text: &[u8], unescaped: &[u8]) -> OperandId {
        match value.operand.get() {
            UNKNOWN => value.resolve(segment, text, unescaped),
            known => known,
        }
    }

    /// Whether this is the operand of a value in the segment at hand.
    #[inline(always)]
    pub fn is(&self, operand: OperandId, value: &Value, segment: &Segment, text: &[u8], unescaped: &[u8]) -> bool {
        match value.operand.get() {
            UNKNOWN => value.resolves_to(operand, segment, text, unescaped),
            known => known == operand,
        }
    }
}
