//! Long lists of alternatives on one field, or of things it must not be: an index of their own, so that a list of
//! thousands is asked at once when a candidate is verified, not condition by condition. The same small indexes as in
//! the nodes, without targets to follow: the only question is whether anything in the list accepts the value.

use super::{
    affix::AffixIndex,
    cidr::CidrIndex,
    operands::{OperandId, OperandKind, Operands},
    range::RangeIndex,
    record::{Cond, Op, Records, Target},
    wildcard::{WildcardIndex, WildcardScratch},
};
use crate::value::{fold, ip::Ip};

/// Lists up to this length are walked.
pub const SHORT: usize = 16;

/// What a list is asked about: one value in every form that a list may look at.
pub struct Question<'a> {
    /// The text of a string.
    pub text: Option<&'a [u8]>,
    /// Operand of the value.
    pub operand: OperandId,
    /// Operand of its address.
    pub ip_operand: OperandId,
    /// Its address.
    pub ip: Option<Ip>,
    /// The key of a comparable number.
    pub key: Option<u64>,
}

/// Working memory of a question; reused.
#[derive(Default)]
pub struct ListScratch {
    wildcards: WildcardScratch,
    folded: Vec<u8>,
    reversed: Vec<u8>,
    candidates: Vec<u32>,
}

/// The index of one list; frozen after its build.
#[derive(Default)]
pub struct ListIndex {
    /// Operands of exact values and addresses, sorted.
    exact: Vec<OperandId>,
    prefixes: Option<AffixIndex>,
    suffixes: Option<AffixIndex>,
    /// Folded texts: candidates whose target is the operand as written.
    folded_prefixes: Option<AffixIndex>,
    folded_suffixes: Option<AffixIndex>,
    /// (folded operand, operand as written), sorted by the folded text's operand.
    ignore_case: Vec<(OperandId, OperandId)>,
    wildcards: Option<WildcardIndex>,
    ranges: Option<RangeIndex>,
    cidrs: Option<CidrIndex>,
    /// Whether anything at all will do.
    present: bool,
    /// What has no index: `anything-but` among alternatives, wildcards without literals.
    rest: Vec<Cond>,
}

const YES: Target = Target(0);

impl ListIndex {
    /// Builds the index of a list of conditions (`Absent` is left out: it asks about no value).
    pub fn new(conds: &[Cond], operands: &mut Operands, records: &Records) -> Self {
        let mut new = Self::default();
        let of = |op: Op| conds.iter().filter(move |c| c.op == op).map(|c| c.arg);
        new.exact = of(Op::Exact).chain(of(Op::Ip)).collect();
        new.exact.sort_unstable();
        new.present = conds.iter().any(|c| c.op == Op::Present);
        // A wildcard without any literal has nothing to be found by.
        let blank = |n: u32| records.wildcards[n as usize].pieces.iter().all(|p| p.is_empty());
        let unindexed = |c: &&Cond| c.op as u8 >= Op::NotExact as u8 || c.op == Op::Wildcard && blank(c.arg);
        new.rest = conds.iter().filter(unindexed).copied().collect();
        let fold_of = |operands: &mut Operands, arg: u32, reversed: bool| {
            let mut text = Vec::new();
            fold::fold_into(operands.bytes(arg), &mut text);
            if reversed {
                text.reverse();
            }
            operands.intern(if reversed { OperandKind::Reversed } else { OperandKind::Folded }, &text)
        };
        new.ignore_case = of(Op::IgnoreCase).map(|arg| (fold_of(operands, arg, false), arg)).collect();
        new.ignore_case.sort_unstable();
        let prefixes: Vec<_> = of(Op::Prefix).map(|arg| (arg, YES)).collect();
        let suffixes: Vec<_> = of(Op::Suffix)
            .map(|arg| {
                let text: Vec<u8> = operands.bytes(arg).iter().rev().copied().collect();
                (operands.intern(OperandKind::Reversed, &text), YES)
            })
            .collect();
        let folded_prefixes: Vec<_> = of(Op::PrefixIgnoreCase).map(|arg| (fold_of(operands, arg, false), Target(arg))).collect();
        let folded_suffixes: Vec<_> = of(Op::SuffixIgnoreCase).map(|arg| (fold_of(operands, arg, true), Target(arg))).collect();
        let affixes = |items: Vec<(u32, Target)>| (!items.is_empty()).then(|| AffixIndex::new(items, operands));
        new.prefixes = affixes(prefixes);
        new.suffixes = affixes(suffixes);
        new.folded_prefixes = affixes(folded_prefixes);
        new.folded_suffixes = affixes(folded_suffixes);
        let wildcards: Vec<_> = of(Op::Wildcard).filter(|n| !blank(*n)).map(|n| (records.wildcards[n as usize].clone(), YES)).collect();
        new.wildcards = (!wildcards.is_empty()).then(|| WildcardIndex::new(wildcards, operands.hasher()));
        let ranges: Vec<_> = of(Op::Range).map(|n| (records.ranges[n as usize], YES)).collect();
        new.ranges = (!ranges.is_empty()).then(|| RangeIndex::new(ranges));
        let cidrs: Vec<_> = of(Op::Cidr).map(|n| (records.cidrs[n as usize], YES)).collect();
        new.cidrs = (!cidrs.is_empty()).then(|| CidrIndex::new(cidrs));
        new
    }

    /// Conditions of the list that are not indexed and have to be asked one by one.
    pub fn rest(&self) -> &[Cond] {
        &self.rest
    }

    /// Whether an indexed condition of the list accepts the value.
    pub fn accepts(&self, question: &Question<'_>, operands: &Operands, scratch: &mut ListScratch) -> bool {
        if self.present || self.exact.binary_search(&question.operand).is_ok() || self.exact.binary_search(&question.ip_operand).is_ok() {
            return true;
        }
        let mut found = false;
        if let (Some(ranges), Some(key)) = (&self.ranges, question.key) {
            ranges.stab(key, |_| found = true);
        }
        if let (Some(cidrs), Some(ip)) = (&self.cidrs, question.ip) {
            cidrs.each_containing(ip, |_| found = true);
        }
        let Some(text) = question.text else { return found };
        if let Some(prefixes) = &self.prefixes {
            prefixes.each_prefix(text, operands, |_| found = true);
        }
        if let Some(suffixes) = &self.suffixes {
            reverse_into(text, &mut scratch.reversed);
            suffixes.each_prefix(&scratch.reversed, operands, |_| found = true);
        }
        if let (Some(wildcards), false) = (&self.wildcards, found) {
            wildcards.each_match(text, &mut scratch.wildcards, |_| found = true);
        }
        found || self.accepts_in_any_case(text, operands, scratch)
    }

    /// Folded texts name candidates; each is tried as written, since case is not symmetric.
    fn accepts_in_any_case(&self, text: &[u8], operands: &Operands, scratch: &mut ListScratch) -> bool {
        if self.ignore_case.is_empty() && self.folded_prefixes.is_none() && self.folded_suffixes.is_none() {
            return false;
        }
        scratch.folded.clear();
        fold::fold_into(text, &mut scratch.folded);
        if !self.ignore_case.is_empty() {
            let tag = operands.hasher().tag(OperandKind::Folded, &scratch.folded);
            let folded = operands.find(tag, OperandKind::Folded, &scratch.folded);
            let from = self.ignore_case.partition_point(|(f, _)| *f < folded);
            let mut same = self.ignore_case[from..].iter().take_while(|(f, _)| *f == folded);
            if same.any(|(_, written)| fold::meets_all(text, operands.bytes(*written))) {
                return true;
            }
        }
        scratch.candidates.clear();
        if let Some(prefixes) = &self.folded_prefixes {
            prefixes.each_prefix(&scratch.folded, operands, |t| scratch.candidates.push(t.0));
            if scratch.candidates.iter().any(|written| fold::meets_prefix(text, operands.bytes(*written)).is_some()) {
                return true;
            }
            scratch.candidates.clear();
        }
        if let Some(suffixes) = &self.folded_suffixes {
            reverse_into(&scratch.folded, &mut scratch.reversed);
            suffixes.each_prefix(&scratch.reversed, operands, |t| scratch.candidates.push(t.0));
            return scratch.candidates.iter().any(|written| fold::meets_suffix(text, operands.bytes(*written)));
        }
        false
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        let affixes = [&self.prefixes, &self.suffixes, &self.folded_prefixes, &self.folded_suffixes];
        size_of::<Self>()
            + self.exact.capacity() * 4
            + self.ignore_case.capacity() * 8
            + self.rest.capacity() * size_of::<Cond>()
            + affixes.iter().filter_map(|a| a.as_ref()).map(AffixIndex::size_bytes).sum::<usize>()
            + self.wildcards.as_ref().map_or(0, WildcardIndex::size_bytes)
            + self.ranges.as_ref().map_or(0, RangeIndex::size_bytes)
            + self.cidrs.as_ref().map_or(0, CidrIndex::size_bytes)
    }
}

fn reverse_into(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend(text.iter().rev());
}
