//! Records: what each conjunction demands, in a few flat arrays. A record serves three readers: verification of
//! candidates, the choice of access conditions at build time, and printing a rule back as a pattern.
//!
//! Memory: 16 bytes a conjunction, 8 a field, 8 a condition of a list of alternatives, 4 an operand of a list.

use super::operands::{OperandId, Operands};
use crate::{
    memory,
    path::PathId,
    pattern::tree::{Range, Wildcard},
    value::ip::Cidr,
};

/// Names a conjunction within its segment.
pub type ConjId = u32;

/// Where a lookup leads, in 32 bits; see `Goes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target(pub u32);

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    /// A further node.
    Node(u32),
    /// A run of conjunctions: where it begins in `Segment::runs`.
    Run(u32),
    /// One conjunction.
    One(ConjId),
}

impl Target {
    const NODE: u32 = 1 << 31;
    const ONE: u32 = 1 << 30;

    /// A run of conjunctions.
    pub fn run(start: u32) -> Self {
        debug_assert!(start < Self::ONE);
        Self(start)
    }

    /// One conjunction.
    pub fn one(conj: ConjId) -> Self {
        debug_assert!(conj < Self::ONE);
        Self(conj | Self::ONE)
    }

    /// A node.
    pub fn node(node: u32) -> Self {
        debug_assert!(node < Self::ONE);
        Self(node | Self::NODE)
    }

    /// No target, but a place of a list that has it.
    pub fn place(at: u32) -> Self {
        Self(at | Self::NODE | Self::ONE)
    }

    /// The place, if it is one.
    #[inline]
    pub fn get_place(self) -> Option<u32> {
        (self.0 & (Self::NODE | Self::ONE) == Self::NODE | Self::ONE).then_some(self.0 & !(Self::NODE | Self::ONE))
    }

    /// Whether it is a node.
    pub fn is_node(self) -> bool {
        matches!(self.get(), Goes::Node(_))
    }

    /// What it is.
    #[inline]
    pub fn get(self) -> Goes {
        let number = self.0 & !(Self::NODE | Self::ONE);
        if self.0 & Self::NODE != 0 {
            Goes::Node(number)
        } else if self.0 & Self::ONE != 0 {
            Goes::One(number)
        } else {
            Goes::Run(number)
        }
    }
}

/// Marks the last conjunction of a run.
pub const LAST: u32 = 1 << 31;

/// What a condition asks; the meaning of its argument stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Op {
    /// Equals the operand (string, number, number text or literal).
    Exact,
    /// Is this address (operand of kind Ip).
    Ip,
    /// Equals without regard to case; operand: the text as written.
    IgnoreCase,
    /// Starts with the operand.
    Prefix,
    /// Starts with the operand without regard to case.
    PrefixIgnoreCase,
    /// Ends with the operand.
    Suffix,
    /// Ends with the operand without regard to case.
    SuffixIgnoreCase,
    /// Wildcard number n of `Records::wildcards`.
    Wildcard,
    /// Range number n of `Records::ranges`.
    Range,
    /// Block number n of `Records::cidrs`.
    Cidr,
    /// Any value at all.
    Present,
    /// No value at all.
    Absent,
    /// None of the operands listed at n in `Records::lists`.
    NotExact,
    /// Starts with none of the listed operands.
    NotPrefix,
    /// Ends with none of the listed operands.
    NotSuffix,
    /// Equals none of the listed operands without regard to case.
    NotIgnoreCase,
    /// None of the listed wildcards accepts it.
    NotWildcard,
}

impl Op {
    /// All operators, by their number.
    pub const ALL: [Op; 17] = [
        Op::Exact,
        Op::Ip,
        Op::IgnoreCase,
        Op::Prefix,
        Op::PrefixIgnoreCase,
        Op::Suffix,
        Op::SuffixIgnoreCase,
        Op::Wildcard,
        Op::Range,
        Op::Cidr,
        Op::Present,
        Op::Absent,
        Op::NotExact,
        Op::NotPrefix,
        Op::NotSuffix,
        Op::NotIgnoreCase,
        Op::NotWildcard,
    ];

    /// Whether its argument is an operand.
    #[inline]
    fn names_text(self) -> bool {
        use Op::*;
        matches!(self, Exact | Ip | IgnoreCase | Prefix | PrefixIgnoreCase | Suffix | SuffixIgnoreCase)
    }
}

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cond {
    /// What is asked.
    pub op: Op,
    /// Of what.
    pub arg: u32,
}

/// One field of a conjunction: path in the low 24 bits, form in the high 8; 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldRec {
    path_form: u32,
    arg: u32,
}

/// How a field's alternatives are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A single condition.
    One(Cond),
    /// Exact values only: a sorted list of operands at this place of `Records::lists`.
    AnyExact(u32),
    /// Conditions at this place of `Records::conds`.
    Any(u32),
}

/// Most paths a rule set can have: a field keeps its path in 24 bits.
pub const MAX_PATHS: usize = 1 << 24;

const NOTHING: u32 = u32::MAX;
const GROUPS: u32 = u32::MAX - 1;

const FORM_ANY_EXACT: u32 = 0xfe;
const FORM_ANY: u32 = 0xff;

impl FieldRec {
    /// Packs a field.
    pub fn new(path: PathId, form: Form) -> Self {
        debug_assert!((path as usize) < MAX_PATHS);
        let (code, arg) = match form {
            Form::One(cond) => (cond.op as u32, cond.arg),
            Form::AnyExact(at) => (FORM_ANY_EXACT, at),
            Form::Any(at) => (FORM_ANY, at),
        };
        Self { path_form: path | code << 24, arg }
    }

    /// The path.
    #[inline]
    pub fn path(&self) -> PathId {
        self.path_form & 0xff_ffff
    }

    /// How its alternatives are stored.
    #[inline]
    pub fn form(&self) -> Form {
        match self.path_form >> 24 {
            FORM_ANY_EXACT => Form::AnyExact(self.arg),
            FORM_ANY => Form::Any(self.arg),
            op => Form::One(Cond { op: Op::ALL[op as usize], arg: self.arg }),
        }
    }

    /// Whether the field is a single condition that only a value can meet.
    #[inline]
    pub fn is_of_one_value(&self) -> bool {
        let code = self.path_form >> 24;
        code < FORM_ANY_EXACT && code != Op::Absent as u32
    }

    /// The operand when the field is one exact value: the commonest field, tested without decoding the rest.
    #[inline]
    pub fn exact(&self) -> Option<OperandId> {
        (self.path_form >> 24 == Op::Exact as u32).then_some(self.arg)
    }
}

/// Several of a conjunction's paths lie below one another's arrays: array consistency has to be looked at.
pub const SHARES_ARRAYS: u8 = 1;
/// The conjunction has `$or` groups.
pub const HAS_OR: u8 = 2;
/// More than one rule has this conjunction.
pub const MANY_RULES: u8 = 4;

/// One conjunction; 16 bytes.
#[derive(Clone, Copy, Debug)]
pub struct ConjRec {
    /// First field in `Records::fields`.
    pub fields: u32,
    /// Number of fields (at most 256).
    pub field_count: u16,
    /// `SHARES_ARRAYS`, `HAS_OR`, `MANY_RULES`.
    pub flags: u8,
    /// Estimated share of events for which it is a candidate; see `Share`.
    pub share: Share,
    /// Its groups in `Records::groups`, when `HAS_OR`; else the field by which it is found, see `Records::access_of`.
    pub groups: u32,
    /// The rule, or a place in `Records::lists` when `MANY_RULES`.
    pub rules: u32,
}

/// How a conjunction is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// By the conditions of its field of this index.
    Field(u32),
    /// By one field of each alternative of one of its `$or` groups.
    Groups,
    /// By nothing: every event has it as a candidate.
    Nothing,
}

/// A share of events, 2 to the power of minus an eighth of this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share(u8);

impl Share {
    /// The nearest share.
    pub fn new(share: f64) -> Self {
        Self((-8.0 * share.log2()).clamp(0.0, 255.0) as u8)
    }

    /// The share, at most 1.
    pub fn get(self) -> f64 {
        (f64::from(self.0) / -8.0).exp2()
    }
}

/// One `$or` group or one alternative of it, as a tree in a flat array.
#[derive(Clone, Debug, Default)]
pub struct Branch {
    /// Fields of this alternative.
    pub fields: (u32, u32),
    /// `$or` groups inside it.
    pub groups: Vec<Vec<Branch>>,
}

/// All records of a segment.
#[derive(Default)]
pub struct Records {
    /// Conjunctions.
    pub conjs: Vec<ConjRec>,
    /// Fields of conjunctions and branches.
    pub fields: Vec<FieldRec>,
    /// Alternatives that are not all exact: at a place, a count (as `Cond { Exact, n }`), then the conditions.
    pub conds: Vec<Cond>,
    /// Lists of operands, wildcards or rules: at a place, a count, then the members, sorted.
    pub lists: Vec<u32>,
    /// `$or` groups of conjunctions.
    pub groups: Vec<Vec<Vec<Branch>>>,
    /// How conjunctions that have groups are found, as `access_of` says; in the order of `groups`.
    pub groups_access: Vec<u32>,
    /// Ranges, each once.
    pub ranges: Vec<Range>,
    /// Wildcards, each once.
    pub wildcards: Vec<Wildcard>,
    /// Address blocks, each once.
    pub cidrs: Vec<Cidr>,
}

impl Records {
    /// The fields of a conjunction.
    #[inline]
    pub fn fields_of(&self, conj: &ConjRec) -> &[FieldRec] {
        &self.fields[conj.fields as usize..conj.fields as usize + conj.field_count as usize]
    }

    /// The fields of a branch.
    #[inline]
    pub fn branch_fields(&self, branch: &Branch) -> &[FieldRec] {
        &self.fields[branch.fields.0 as usize..(branch.fields.0 + branch.fields.1) as usize]
    }

    /// How a conjunction is found.
    pub fn access_of(&self, conj: &ConjRec) -> Access {
        match if conj.flags & HAS_OR != 0 { self.groups_access[conj.groups as usize] } else { conj.groups } {
            NOTHING => Access::Nothing,
            GROUPS => Access::Groups,
            field => Access::Field(field),
        }
    }

    /// Notes how a conjunction is found.
    pub fn set_access(&mut self, conj: ConjId, access: Access) {
        let code = match access {
            Access::Nothing => NOTHING,
            Access::Groups => GROUPS,
            Access::Field(field) => field,
        };
        let rec = &mut self.conjs[conj as usize];
        if rec.flags & HAS_OR == 0 {
            rec.groups = code;
        } else {
            self.groups_access.resize(self.groups.len(), NOTHING);
            self.groups_access[rec.groups as usize] = code;
        }
    }

    /// The `$or` groups of a conjunction.
    pub fn groups_of(&self, conj: &ConjRec) -> Option<&[Vec<Branch>]> {
        (conj.flags & HAS_OR != 0).then(|| &self.groups[conj.groups as usize][..])
    }

    /// Whether a range has two ends rather than one.
    pub fn range_is_bounded(&self, range: &Range) -> bool {
        range.lo != Range::ALL.lo && range.hi != Range::ALL.hi
    }

    /// The list at a place.
    #[inline]
    pub fn list(&self, at: u32) -> &[u32] {
        let count = self.lists[at as usize] as usize;
        &self.lists[at as usize + 1..at as usize + 1 + count]
    }

    /// The conditions at a place.
    #[inline]
    pub fn any(&self, at: u32) -> &[Cond] {
        let count = self.conds[at as usize].arg as usize;
        &self.conds[at as usize + 1..at as usize + 1 + count]
    }

    /// Has read ahead what the conditions of a field name.
    #[inline]
    pub fn expect_named(&self, field: &FieldRec, operands: &Operands) {
        match field.form() {
            Form::AnyExact(at) => memory::expect(&self.lists, at as usize),
            Form::Any(at) => memory::expect(&self.conds, at as usize),
            Form::One(Cond { op, arg }) => match op {
                op if op.names_text() => operands.expect_place(arg),
                Op::NotExact | Op::NotPrefix | Op::NotSuffix | Op::NotIgnoreCase | Op::NotWildcard => {
                    memory::expect(&self.lists, arg as usize)
                }
                Op::Wildcard => memory::expect(&self.wildcards, arg as usize),
                Op::Range => memory::expect(&self.ranges, arg as usize),
                Op::Cidr => memory::expect(&self.cidrs, arg as usize),
                _ => {}
            },
        }
    }

    /// Has the text that a field names read ahead, once its place is there.
    #[inline]
    pub fn expect_text(&self, field: &FieldRec, operands: &Operands) {
        if let Form::One(cond) = field.form()
            && cond.op.names_text()
        {
            operands.expect_text(cond.arg);
        }
    }

    /// Calls `visit` with each condition of a field.
    pub fn each_cond(&self, field: &FieldRec, mut visit: impl FnMut(Cond)) {
        match field.form() {
            Form::One(cond) => visit(cond),
            Form::AnyExact(at) => self.list(at).iter().for_each(|&arg| visit(Cond { op: Op::Exact, arg })),
            Form::Any(at) => self.any(at).iter().for_each(|c| visit(*c)),
        }
    }

    /// Number of conditions of a field.
    pub fn cond_count(&self, field: &FieldRec) -> usize {
        match field.form() {
            Form::One(_) => 1,
            Form::AnyExact(at) => self.list(at).len(),
            Form::Any(at) => self.any(at).len(),
        }
    }

    /// Whether a field may hold because its path is absent.
    pub fn may_be_absent(&self, field: &FieldRec) -> bool {
        match field.form() {
            Form::One(cond) => cond.op == Op::Absent,
            Form::AnyExact(_) => false,
            Form::Any(at) => self.any(at).iter().any(|c| c.op == Op::Absent),
        }
    }

    /// The rules of a conjunction.
    #[inline]
    pub fn rules_of<'a>(&'a self, conj: &'a ConjRec) -> &'a [u32] {
        if conj.flags & MANY_RULES != 0 { self.list(conj.rules) } else { std::slice::from_ref(&conj.rules) }
    }

    /// Has what may be large lie in large pages.
    pub fn collapse(&self) {
        memory::collapse(&self.conjs);
        memory::collapse(&self.fields);
        memory::collapse(&self.lists);
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        fn branches(groups: &[Vec<Branch>]) -> usize {
            groups.iter().flatten().map(|b| size_of::<Branch>() + branches(&b.groups)).sum()
        }
        self.conjs.capacity() * size_of::<ConjRec>()
            + self.fields.capacity() * size_of::<FieldRec>()
            + self.conds.capacity() * size_of::<Cond>()
            + self.lists.capacity() * 4
            + self.groups.iter().map(|g| branches(g) + 28).sum::<usize>()
            + self.ranges.capacity() * 16
            + self.cidrs.capacity() * size_of::<Cidr>()
            + self.wildcards.iter().map(|w| 24 + w.pieces.iter().map(|p| p.len() + 16).sum::<usize>()).sum::<usize>()
    }
}
