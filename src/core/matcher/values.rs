//! An event's values, prepared for lookup: one record a leaf, chained by path; hashes, number keys, addresses and
//! folded texts computed only where a path's conditions ask for them.
//!
//! Long chains (big arrays) are handled apart, so that no event costs the product of its values and the candidates:
//! equal values are met once, exact conditions use a sorted list, other verdicts are remembered.

use crate::{
    index::{
        gate::{Gate, LITERALS},
        operands::{FALSE, NONE, NULL, OperandHasher, OperandId, OperandKind, TRUE},
        segment::{Segment, need},
    },
    path::PathId,
    value::{
        fold,
        ip::Ip,
        number::{self, Scanned},
    },
    walk::{Kind, Leaves},
};
use std::cell::{Cell, OnceCell};

/// A chain longer than this is long.
const LONG: u32 = 128;

/// What is known of a value as a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparable {
    /// It is comparable.
    Yes,
    /// It has a key, but is not comparable.
    No,
    /// Nobody has asked yet: the answer takes longer than reading the number.
    Open,
    /// It has no key, or nobody will ask for it.
    Keyless,
}

/// One value.
#[derive(Clone)]
pub struct Value {
    /// Its path.
    pub path: PathId,
    /// What it is.
    pub kind: Kind,
    copied: bool,
    /// Whether its operand is asked for: of a string, or of a number that has a key.
    wanted: bool,
    comparable: Cell<Comparable>,
    start: u32,
    len: u32,
    /// Its way through arrays.
    pub trail: u32,
    /// Next different value of the same path, or `NONE`.
    pub next: u32,
    /// Next value of the same path, or `NONE`.
    pub next_all: u32,
    /// Of its hash as an operand, see `Operands`.
    tag: u32,
    /// Its operand in the segment at hand.
    pub operand: OperandId,
    /// Index into `Values::addresses`, or `NONE`.
    pub address: u32,
    /// Index into `Values::folds`, or `NONE`.
    pub fold: u32,
    /// A number's key, if numbers are asked for; it counts only when the number is comparable.
    key: u64,
}

/// A string that reads as an address.
pub struct Address {
    /// The address.
    pub ip: Ip,
    tag: u32,
    /// Its operand in the segment at hand.
    pub operand: OperandId,
}

/// A folded text.
pub struct Fold {
    start: u32,
    len: u32,
    tag: u32,
    /// Its operand in the segment at hand.
    pub operand: OperandId,
}

/// The values of one path.
#[derive(Clone, Copy)]
pub struct Chain {
    /// First value, or `NONE`.
    pub first: u32,
    count: u32,
    /// Index into `Values::long` when the chain is long, or `NONE`.
    pub long: u32,
    /// Whether a value lies in an element of an array.
    in_arrays: bool,
}

const EMPTY: Chain = Chain { first: NONE, count: 0, long: NONE, in_arrays: false };

/// The values of one event; reused.
#[derive(Default)]
pub struct Values {
    /// In document order.
    pub values: Vec<Value>,
    chains: Vec<Chain>,
    /// Bit n is set if a value has a path whose number ends with these six bits.
    present: u64,
    /// Addresses found.
    pub addresses: Vec<Address>,
    /// Folded texts made.
    pub folds: Vec<Fold>,
    folded: Vec<u8>,
    /// Operands of long chains, sorted, for the segment at hand.
    pub long: Vec<Vec<OperandId>>,
    long_paths: Vec<PathId>,
    /// Of long chains: operand (high half) and value, sorted; made when an array check asks.
    equals: Vec<OnceCell<Vec<u64>>>,
    /// Of long chains: the keys of their comparable numbers, sorted; made when ranges ask.
    keys: Vec<OnceCell<Vec<u64>>>,
    /// Of long chains: tag of the folded text and value, sorted; made when a condition without case asks.
    folded_texts: Vec<OnceCell<Vec<(u32, u32)>>>,
    /// Of long chains: the different strings, sorted; made when many prefixes ask.
    texts: Vec<OnceCell<Vec<u32>>>,
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
        let (chains, addresses, folds, folded) = (&mut self.chains, &mut self.addresses, &mut self.folds, &mut self.folded);
        let mut present = 0;
        let long_before = !self.long_paths.is_empty();
        self.long_paths.clear();
        let long_paths = &mut self.long_paths;
        // An iterator that knows its length writes the values where they stay.
        self.values.extend(leaves.leaves.iter().enumerate().map(|(at, leaf)| {
            let need = needs.get(leaf.path as usize).copied().unwrap_or(0);
            let source: &[u8] = if leaf.copied { &leaves.unescaped } else { text };
            let bytes = || &source[leaf.start as usize..(leaf.start + leaf.len) as usize];
            let mut value = Value {
                path: leaf.path,
                kind: leaf.kind,
                copied: leaf.copied,
                wanted: false,
                comparable: Cell::new(Comparable::Keyless),
                start: leaf.start,
                len: leaf.len,
                trail: leaf.trail,
                next: NONE,
                next_all: NONE,
                tag: 0,
                operand: NONE,
                address: NONE,
                fold: NONE,
                key: 0,
            };
            match leaf.kind {
                Kind::String => {
                    if need & need::STRING != 0 {
                        value.tag = hasher.tag(OperandKind::String, bytes());
                        value.wanted = true;
                    }
                    if need & need::IP != 0
                        && let Some(ip) = Ip::parse(bytes())
                    {
                        value.address = addresses.len() as u32;
                        addresses.push(Address { ip, tag: hasher.tag(OperandKind::Ip, &ip.bytes()), operand: NONE });
                    }
                    if need & need::FOLDED != 0 {
                        value.fold = folds.len() as u32;
                        let start = folded.len();
                        fold::fold_into(bytes(), folded);
                        let tag = hasher.tag(OperandKind::Folded, &folded[start..]);
                        folds.push(Fold { start: start as u32, len: (folded.len() - start) as u32, tag, operand: NONE });
                    }
                }
                Kind::Number if need & need::NUMBER != 0 => {
                    let (key, comparable) = match number::scan(bytes()) {
                        Scanned::Comparable(key) => (key, Comparable::Yes),
                        Scanned::Near(key) => (key, Comparable::Open),
                        Scanned::Not => (0, Comparable::Keyless),
                    };
                    value.key = key;
                    value.comparable = Cell::new(comparable);
                    value.tag = hasher.tag(OperandKind::Number, &key.to_be_bytes());
                    value.wanted = comparable != Comparable::Keyless;
                }
                _ => {}
            }
            present |= 1 << (leaf.path % 64);
            let chain = &mut chains[leaf.path as usize];
            value.next = chain.first;
            value.next_all = chain.first;
            chain.first = at as u32;
            chain.count += 1;
            chain.in_arrays |= leaf.trail != 0;
            if chain.count == LONG + 1 {
                long_paths.push(leaf.path);
            }
            value
        }));
        self.present = present;
        if long_before || !self.long_paths.is_empty() {
            self.prepare_long(text, &leaves.unescaped);
        }
    }

    #[cold]
    fn prepare_long(&mut self, text: &[u8], unescaped: &[u8]) {
        self.keys.clear();
        self.keys.resize_with(self.long_paths.len(), OnceCell::new);
        self.folded_texts.clear();
        self.folded_texts.resize_with(self.long_paths.len(), OnceCell::new);
        self.texts.clear();
        self.texts.resize_with(self.long_paths.len(), OnceCell::new);
        for n in 0..self.long_paths.len() {
            self.link_different(self.long_paths[n], n as u32, text, unescaped);
        }
    }

    /// Relinks a long chain so that `next` skips values that are equal to one before them.
    fn link_different(&mut self, path: PathId, n: u32, text: &[u8], unescaped: &[u8]) {
        let mut order: Vec<u32> = Vec::new();
        let mut at = self.chains[path as usize].first;
        while at != NONE {
            order.push(at);
            at = self.values[at as usize].next_all;
        }
        let values = &self.values;
        let bytes = |i: u32| values[i as usize].bytes(text, unescaped);
        order.sort_unstable_by(|&a, &b| {
            let (va, vb) = (&values[a as usize], &values[b as usize]);
            (va.kind as u8, va.tag).cmp(&(vb.kind as u8, vb.tag)).then_with(|| bytes(a).cmp(bytes(b)))
        });
        order.dedup_by(|a, b| values[*a as usize].kind == values[*b as usize].kind && bytes(*a) == bytes(*b));
        for pair in order.windows(2) {
            self.values[pair[0] as usize].next = pair[1];
        }
        self.values[order[order.len() - 1] as usize].next = NONE;
        let chain = &mut self.chains[path as usize];
        // `first` serves both orders: the chain of all values keeps its own start through `next_all` of the last leaf.
        chain.long = n;
        self.long_start(path, order[0]);
    }

    /// The chain of different values starts at `start`; the chain of all keeps starting where it did.
    fn long_start(&mut self, path: PathId, start: u32) {
        let n = self.chains[path as usize].long as usize;
        if self.long.len() <= n {
            self.long.resize_with(n + 1, Vec::new);
        }
        self.long[n].clear();
        self.long[n].push(start);
    }

    /// First value of a path in the order of `next`, or `NONE`.
    #[inline]
    pub fn first(&self, path: PathId) -> u32 {
        match self.chains.get(path as usize) {
            Some(chain) if chain.long != NONE => self.long[chain.long as usize][0],
            Some(chain) => chain.first,
            None => NONE,
        }
    }

    /// Whether the path may have values; most that have none are told at once.
    #[inline]
    pub fn may_have(&self, path: PathId) -> bool {
        self.present >> (path % 64) & 1 != 0
    }

    /// First value of a path in the order of `next_all`, or `NONE`.
    #[inline]
    pub fn first_of_all(&self, path: PathId) -> u32 {
        self.chains.get(path as usize).map_or(NONE, |c| c.first)
    }

    /// Whether the path's chain is long; then `contains` answers exact questions.
    #[inline]
    pub fn is_long(&self, path: PathId) -> bool {
        self.chains.get(path as usize).is_some_and(|c| c.long != NONE)
    }

    /// Whether a value of the path lies in an element of an array.
    #[inline]
    pub fn in_arrays(&self, path: PathId) -> bool {
        self.chains.get(path as usize).is_some_and(|c| c.in_arrays)
    }

    /// Number of values of the path.
    #[inline]
    pub fn count(&self, path: PathId) -> usize {
        self.chains.get(path as usize).map_or(0, |c| c.count as usize)
    }

    /// Whether a long chain has a value of this operand.
    pub fn contains(&self, path: PathId, operand: OperandId) -> bool {
        self.long[self.chains[path as usize].long as usize][1..].binary_search(&operand).is_ok()
    }

    /// The values of a long chain that have this operand.
    pub fn equal(&self, path: PathId, operand: OperandId) -> impl Iterator<Item = u32> {
        let all = self.equals[self.chains[path as usize].long as usize].get_or_init(|| {
            let mut all = Vec::new();
            let mut at = self.first_of_all(path);
            while at != NONE {
                let value = &self.values[at as usize];
                if value.operand != NONE {
                    all.push((value.operand as u64) << 32 | at as u64);
                }
                at = value.next_all;
            }
            all.sort_unstable();
            all
        });
        let from = all.partition_point(|pair| ((pair >> 32) as u32) < operand);
        all[from..].iter().take_while(move |pair| (*pair >> 32) as u32 == operand).map(|pair| *pair as u32)
    }

    /// The different values of a long chain whose folded text has this tag; only of paths that need folded texts.
    pub fn folded_like(&self, path: PathId, tag: u32) -> impl Iterator<Item = u32> {
        let all = self.folded_texts[self.chains[path as usize].long as usize].get_or_init(|| {
            let mut all = Vec::new();
            let mut at = self.first(path);
            while at != NONE {
                let value = &self.values[at as usize];
                if value.fold != NONE {
                    all.push((self.folds[value.fold as usize].tag, at));
                }
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
        let all = self.texts[self.chains[path as usize].long as usize].get_or_init(|| {
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
        self.keys[self.chains[path as usize].long as usize].get_or_init(|| {
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
        let other = |value: &Value| {
            value.address != NONE && gate.admits(value.path, self.addresses[value.address as usize].tag)
                || value.fold != NONE && gate.admits(value.path, self.folds[value.fold as usize].tag)
        };
        self.values.iter().any(|value| {
            let tag = match value.kind {
                Kind::String | Kind::Number => value.tag,
                Kind::True => LITERALS[TRUE as usize],
                Kind::False => LITERALS[FALSE as usize],
                Kind::Null => LITERALS[NULL as usize],
            };
            // `NONE` is all ones: one look tells that a value has neither address nor folded text, as most.
            gate.admits(value.path, tag) || value.address & value.fold != NONE && other(value)
        })
    }

    /// Has the slots read ahead in which `guess` will look.
    pub fn expect(&self, segment: &Segment) {
        self.values.iter().filter(|value| value.wanted).for_each(|value| segment.operands.expect(value.tag));
        self.addresses.iter().for_each(|address| segment.operands.expect(address.tag));
        self.folds.iter().for_each(|fold| segment.operands.expect(fold.tag));
    }

    /// Guesses the operands by their tags, and has what `resolve` looks at read ahead, which finds out whether the guesses
    /// are right.
    pub fn guess(&mut self, segment: &Segment) {
        let look = |tag: u32| {
            let operand = segment.operands.guess(tag);
            if operand != NONE {
                segment.operands.expect_place(operand);
            }
            operand
        };
        for value in &mut self.values {
            value.operand = match value.kind {
                _ if value.wanted => look(value.tag),
                Kind::True => TRUE,
                Kind::False => FALSE,
                Kind::Null => NULL,
                _ => NONE,
            };
        }
        self.addresses.iter_mut().for_each(|address| address.operand = look(address.tag));
        self.folds.iter_mut().for_each(|fold| fold.operand = look(fold.tag));
    }

    /// Has the texts of guessed operands read ahead, once their places are there.
    pub fn expect_texts(&self, segment: &Segment) {
        let wanted = |operand: &OperandId| *operand != NONE && *operand > NULL;
        let operands = self.values.iter().map(|v| v.operand).chain(self.addresses.iter().map(|a| a.operand));
        operands.chain(self.folds.iter().map(|f| f.operand)).filter(wanted).for_each(|operand| segment.operands.expect_text(operand));
    }

    /// Looks the values up in a segment, after `guess`.
    pub fn resolve(&mut self, segment: &Segment, text: &[u8], unescaped: &[u8]) {
        let operands = &segment.operands;
        for value in &mut self.values {
            value.operand = match value.kind {
                Kind::String if value.operand != NONE => {
                    operands.check(value.operand, value.tag, OperandKind::String, value.bytes(text, unescaped))
                }
                Kind::Number if value.operand != NONE || operands.has_number_texts() => value.number_operand(segment, text, unescaped),
                _ => continue,
            };
        }
        for address in &mut self.addresses {
            if address.operand != NONE {
                address.operand = operands.check(address.operand, address.tag, OperandKind::Ip, &address.ip.bytes());
            }
        }
        for fold in &mut self.folds {
            if fold.operand != NONE {
                let bytes = &self.folded[fold.start as usize..(fold.start + fold.len) as usize];
                fold.operand = operands.check(fold.operand, fold.tag, OperandKind::Folded, bytes);
            }
        }
        if !self.long_paths.is_empty() {
            self.resolve_long();
        }
    }

    /// Looks the values up in a segment, at once.
    pub fn look_up(&mut self, segment: &Segment, text: &[u8], unescaped: &[u8]) {
        let operands = &segment.operands;
        for value in &mut self.values {
            value.operand = match value.kind {
                Kind::String if value.wanted => operands.find(value.tag, OperandKind::String, value.bytes(text, unescaped)),
                Kind::Number => {
                    value.operand = if value.wanted { operands.guess(value.tag) } else { NONE };
                    value.number_operand(segment, text, unescaped)
                }
                Kind::String => NONE,
                Kind::True => TRUE,
                Kind::False => FALSE,
                Kind::Null => NULL,
            };
        }
        for address in &mut self.addresses {
            address.operand = operands.find(address.tag, OperandKind::Ip, &address.ip.bytes());
        }
        for fold in &mut self.folds {
            let bytes = &self.folded[fold.start as usize..(fold.start + fold.len) as usize];
            fold.operand = operands.find(fold.tag, OperandKind::Folded, bytes);
        }
        if !self.long_paths.is_empty() {
            self.resolve_long();
        }
    }

    #[cold]
    fn resolve_long(&mut self) {
        self.equals.clear();
        self.equals.resize_with(self.long_paths.len(), OnceCell::new);
        for n in 0..self.long_paths.len() {
            let start = self.long[n][0];
            self.long[n].truncate(1);
            let mut at = start;
            while at != NONE {
                let value = &self.values[at as usize];
                if value.operand != NONE {
                    self.long[n].push(value.operand);
                }
                at = value.next;
            }
            self.long[n][1..].sort_unstable();
        }
    }

    /// The folded text.
    #[inline]
    pub fn folded(&self, fold: u32) -> &[u8] {
        let fold = &self.folds[fold as usize];
        &self.folded[fold.start as usize..(fold.start + fold.len) as usize]
    }
}

impl Value {
    /// The key of a number that is comparable.
    #[inline]
    pub fn comparable_key(&self, text: &[u8], unescaped: &[u8]) -> Option<u64> {
        if self.comparable.get() == Comparable::Open {
            let yes = number::is_shortest(self.bytes(text, unescaped), self.key);
            self.comparable.set(if yes { Comparable::Yes } else { Comparable::No });
        }
        (self.comparable.get() == Comparable::Yes).then_some(self.key)
    }

    /// The key of a number that may turn out not to be comparable: good for candidates, not for verdicts.
    #[inline]
    pub fn near_key(&self) -> Option<u64> {
        (self.comparable.get() != Comparable::Keyless).then_some(self.key)
    }

    /// The operand of a number; the value's own is a guess.
    fn number_operand(&self, segment: &Segment, text: &[u8], unescaped: &[u8]) -> OperandId {
        let operands = &segment.operands;
        if self.near_key().is_some() {
            let found = match self.operand {
                NONE => NONE,
                guess => operands.check(guess, self.tag, OperandKind::Number, &self.key.to_be_bytes()),
            };
            if self.comparable.get() == Comparable::Yes || found != NONE && self.comparable_key(text, unescaped).is_some() {
                return found;
            }
        }
        // A number that is not comparable equals its own text only.
        if !operands.has_number_texts() || segment.need(self.path) & need::NUMBER == 0 {
            return NONE;
        }
        let bytes = self.bytes(text, unescaped);
        operands.find(operands.hasher().tag(OperandKind::NumberText, bytes), OperandKind::NumberText, bytes)
    }

    /// The text of a string, or the JSON text of a number.
    #[inline]
    pub fn bytes<'a>(&self, text: &'a [u8], unescaped: &'a [u8]) -> &'a [u8] {
        let source = if self.copied { unescaped } else { text };
        &source[self.start as usize..(self.start + self.len) as usize]
    }
}
