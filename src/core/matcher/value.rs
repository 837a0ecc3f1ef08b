//! One value of an event: its text, its number, its operand. Nothing is found out before it is asked for, but what nodes
//! look for: of ten values of an event hardly four are ever compared with an operand.

use crate::{
    index::{
        gate::LITERALS,
        operands::{FALSE, NONE, NULL, OperandHasher, OperandId, OperandKind, TRUE},
        segment::{Segment, need},
    },
    path::PathId,
    value::{
        fold,
        ip::Ip,
        number::{self, Scanned},
    },
    walk::Kind,
};
use std::cell::Cell;

/// What is known of a value as a number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparable {
    /// It is comparable.
    Yes,
    /// It has a key, but is not comparable.
    No,
    /// It has a key, and nobody has asked yet: the answer takes longer than reading the number.
    Open,
    /// It has no key.
    Keyless,
    /// Nobody has read it.
    Unread,
}

/// One value.
#[derive(Clone)]
pub struct Value {
    /// Its path.
    pub path: PathId,
    pub(super) start: u32,
    pub(super) len: u32,
    /// Its way through arrays.
    pub trail: u32,
    /// What it is.
    pub kind: Kind,
    pub(super) copied: bool,
    /// Whether it has its tag from the beginning: then some node may look for it.
    pub(super) tagged: bool,
    pub(super) comparable: Cell<Comparable>,
    /// Next different value of the same path, or `NONE`.
    pub next: u32,
    /// Of its hash as an operand, see `Operands`.
    pub(super) tag: u32,
    /// Its operand in the segment at hand, or `UNKNOWN` as long as nobody asks.
    pub(super) operand: Cell<OperandId>,
    /// Of a number its key, once it was read, which counts only when the number is comparable. Of a string two indexes, or
    /// `NONE` for each: into `Values::addresses` (low half) and `Values::folds`.
    pub(super) rest: Cell<u64>,
}

/// An operand that nobody has found out; no operand has this number.
pub(super) const UNKNOWN: OperandId = NONE - 1;
/// What is found out of a value before anybody asks.
pub(super) const FROM_THE_BEGINNING: u8 = need::TAG | need::IP | need::FOLDED;

/// Neither address nor folded text.
pub(super) const PLAIN: u64 = u64::MAX;

/// A string that reads as an address.
pub struct Address {
    /// The address.
    pub ip: Ip,
    /// Of its hash as an operand.
    pub tag: u32,
}

/// A folded text.
pub struct Fold {
    pub(super) start: u32,
    pub(super) len: u32,
    pub(super) tag: u32,
}

impl Value {
    /// The tag under which nodes may look for it.
    #[inline(always)]
    pub fn tag(&self) -> Option<u32> {
        self.tagged.then_some(self.tag)
    }

    /// Whether it may be an address, or has a folded text.
    #[inline(always)]
    pub fn has_more(&self) -> bool {
        self.kind == Kind::String && self.rest.get() != PLAIN
    }

    /// Finds out its operand. Few values are ever asked for theirs.
    #[inline(never)]
    pub(super) fn resolve(&self, segment: &Segment, text: &[u8], unescaped: &[u8]) -> OperandId {
        let need = segment.need(self.path);
        let found = match self.kind {
            Kind::String if need & need::STRING != 0 => self.find_string(segment, if self.copied { unescaped } else { text }),
            Kind::Number if need & need::NUMBER != 0 => self.find_number(segment, text, unescaped),
            Kind::String | Kind::Number => NONE,
            Kind::True => TRUE,
            Kind::False => FALSE,
            Kind::Null => NULL,
        };
        self.operand.set(found);
        found
    }

    #[inline(always)]
    fn find_string(&self, segment: &Segment, source: &[u8]) -> OperandId {
        let (operands, kind) = (&segment.operands, OperandKind::String);
        let tag = if self.tagged { self.tag } else { operands.hasher().tag_within(kind, source, self.start as usize, self.len as usize) };
        operands.find(tag, kind, self.within(source))
    }

    /// Whether its operand is this one, which nobody has found out. Mostly the bytes are the same: who is asked was led here
    /// by a tag. Then the value need not be looked up.
    #[inline(never)]
    pub(super) fn resolves_to(&self, operand: OperandId, segment: &Segment, text: &[u8], unescaped: &[u8]) -> bool {
        if self.kind == Kind::String && segment.operands.is(operand, OperandKind::String, self.bytes(text, unescaped)) {
            self.operand.set(operand);
            return true;
        }
        self.resolve(segment, text, unescaped) == operand
    }

    #[inline(never)]
    fn find_number(&self, segment: &Segment, text: &[u8], unescaped: &[u8]) -> OperandId {
        let operands = &segment.operands;
        if self.near_key(text, unescaped).is_some() && self.comparable.get() != Comparable::No {
            let bytes = self.rest.get().to_be_bytes();
            let tag = if self.tagged { self.tag } else { operands.hasher().tag(OperandKind::Number, &bytes) };
            let found = operands.find(tag, OperandKind::Number, &bytes);
            if self.comparable.get() == Comparable::Yes || found != NONE && self.comparable_key(text, unescaped).is_some() {
                return found;
            }
        }
        if !self.equals_its_text(segment, text, unescaped) {
            return NONE;
        }
        let bytes = self.bytes(text, unescaped);
        operands.find(operands.hasher().tag(OperandKind::NumberText, bytes), OperandKind::NumberText, bytes)
    }

    /// Whether it is a number that equals no other text than its own, and a segment looks for such texts on its path.
    #[inline]
    fn equals_its_text(&self, segment: &Segment, text: &[u8], unescaped: &[u8]) -> bool {
        segment.operands.has_number_texts()
            && self.kind == Kind::Number
            && segment.need(self.path) & need::NUMBER != 0
            && self.comparable_key(text, unescaped).is_none()
    }

    /// Takes the tag of its text if that is what nodes look for.
    pub(super) fn tag_text(&mut self, segment: &Segment, text: &[u8], unescaped: &[u8]) {
        if self.equals_its_text(segment, text, unescaped) {
            self.tag = segment.operands.hasher().tag(OperandKind::NumberText, self.bytes(text, unescaped));
            self.tagged = true;
        }
    }

    /// Takes the tag of what is no string.
    #[inline(never)]
    pub(super) fn tag_other(&mut self, need: u8, source: &[u8], hasher: &OperandHasher) {
        self.tagged = true;
        self.tag = match self.kind {
            Kind::True => LITERALS[TRUE as usize],
            Kind::False => LITERALS[FALSE as usize],
            Kind::Null => LITERALS[NULL as usize],
            Kind::Number if need & need::NUMBER != 0 => {
                self.read(self.within(source));
                self.tagged = self.comparable.get() != Comparable::Keyless;
                hasher.tag(OperandKind::Number, &self.rest.get().to_be_bytes())
            }
            Kind::String | Kind::Number => {
                self.tagged = false;
                0
            }
        };
    }

    /// Reads a string as an address, and folds it, as far as that is needed.
    #[inline(never)]
    pub(super) fn read_string(
        &mut self,
        need: u8,
        source: &[u8],
        hasher: &OperandHasher,
        addresses: &mut Vec<Address>,
        (folds, folded): (&mut Vec<Fold>, &mut Vec<u8>),
    ) {
        let bytes = self.within(source);
        let [mut address, mut fold] = [NONE; 2];
        if need & need::IP != 0
            && let Some(ip) = Ip::parse(bytes)
        {
            address = addresses.len() as u32;
            addresses.push(Address { ip, tag: hasher.tag(OperandKind::Ip, &ip.bytes()) });
        }
        if need & need::FOLDED != 0 {
            fold = folds.len() as u32;
            let start = folded.len();
            fold::fold_into(bytes, folded);
            let tag = hasher.tag(OperandKind::Folded, &folded[start..]);
            folds.push(Fold { start: start as u32, len: (folded.len() - start) as u32, tag });
        }
        self.rest.set(u64::from(fold) << 32 | u64::from(address));
    }

    /// Reads a number.
    fn read(&self, bytes: &[u8]) {
        let (key, comparable) = match number::scan(bytes) {
            Scanned::Comparable(key) => (key, Comparable::Yes),
            Scanned::Near(key) => (key, Comparable::Open),
            Scanned::Not => (PLAIN, Comparable::Keyless),
        };
        self.rest.set(key);
        self.comparable.set(comparable);
    }

    /// The key of a number that is comparable.
    #[inline]
    pub fn comparable_key(&self, text: &[u8], unescaped: &[u8]) -> Option<u64> {
        let key = self.near_key(text, unescaped)?;
        if self.comparable.get() == Comparable::Open {
            let yes = number::is_shortest(self.bytes(text, unescaped), key);
            self.comparable.set(if yes { Comparable::Yes } else { Comparable::No });
        }
        (self.comparable.get() == Comparable::Yes).then_some(key)
    }

    /// The key of a number that may turn out not to be comparable: good for candidates, not for verdicts.
    #[inline]
    pub fn near_key(&self, text: &[u8], unescaped: &[u8]) -> Option<u64> {
        if self.kind != Kind::Number {
            return None;
        }
        if self.comparable.get() == Comparable::Unread {
            self.read(self.bytes(text, unescaped));
        }
        (self.comparable.get() != Comparable::Keyless).then_some(self.rest.get())
    }

    /// The text of a string, or the JSON text of a number.
    #[inline]
    pub fn bytes<'a>(&self, text: &'a [u8], unescaped: &'a [u8]) -> &'a [u8] {
        self.within(if self.copied { unescaped } else { text })
    }

    #[inline(always)]
    fn within<'a>(&self, source: &'a [u8]) -> &'a [u8] {
        &source[self.start as usize..(self.start + self.len) as usize]
    }
}
