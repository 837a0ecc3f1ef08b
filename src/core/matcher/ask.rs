//! Where the values of a path lead in one family of a node. What a family found for certain needs no second look; folded
//! texts are never certain, since case is not symmetric.

use super::{
    value::Value,
    verify::{Event, Known},
    visit::{Lead, VisitScratch},
};
use crate::{
    index::{affix::AffixIndex, operands::NONE, record::Target, segment::Family},
    path::PathId,
    walk::Kind,
};

impl Event<'_> {
    /// Adds where a family leads; `at` is the first value of its path.
    pub fn ask(&self, path: PathId, family: Family, at: u32, scratch: &mut VisitScratch) {
        match family {
            Family::Present(target) if at != NONE => scratch.leads.push(Lead { target: Target(target), known: Known::by(at) }),
            Family::Absent(target) if at == NONE => scratch.leads.push(Lead::new(Target(target))),
            Family::Present(_) | Family::Absent(_) | Family::Except(_) => {}
            Family::Prefix(n) => self.ask_affixes::<false, false>(n, at, scratch),
            Family::FoldedPrefix(n) => self.ask_affixes::<true, false>(n, at, scratch),
            Family::Suffix(n) => self.ask_affixes::<false, true>(n, at, scratch),
            Family::FoldedSuffix(n) => self.ask_affixes::<true, true>(n, at, scratch),
            Family::Range(n) => self.ask_ranges(n, path, at, scratch),
            Family::Cidr(n) => self.each_value(at, |_, value| {
                if let Some(address) = self.values.address(value) {
                    let leads = &mut scratch.leads;
                    self.segment.cidrs[n as usize]
                        .each_containing(address.ip, |target| leads.push(Lead { target, known: Known::field(path) }));
                }
            }),
            Family::Wildcard(n) => self.each_value(at, |at, value| {
                if value.kind == Kind::String {
                    self.gather_wildcards(n, at, value, scratch);
                }
            }),
        }
    }

    /// Calls `visit` with the values of a chain.
    #[inline(always)]
    fn each_value<'v>(&'v self, mut at: u32, mut visit: impl FnMut(u32, &'v Value)) {
        while let Some(value) = self.values.values.get(at as usize) {
            visit(at, value);
            at = value.next;
        }
    }

    /// Asks an index of prefixes (of suffixes `BACKWARDS`) about strings, hardly one of which begins like any of them.
    fn ask_affixes<const FOLDED: bool, const BACKWARDS: bool>(&self, index: u32, at: u32, scratch: &mut VisitScratch) {
        let index = &self.segment.affixes[index as usize];
        self.each_value(at, |at, value| {
            if value.kind != Kind::String {
                return;
            }
            let text = if FOLDED { self.values.folded(value) } else { value.bytes(self.text, self.unescaped) };
            if index.may_begin(if BACKWARDS { text.last() } else { text.first() }) {
                self.gather_affixes::<FOLDED, BACKWARDS>(index, at, text, scratch);
            }
        });
    }

    #[inline(never)]
    fn gather_affixes<const FOLDED: bool, const BACKWARDS: bool>(
        &self,
        index: &AffixIndex,
        at: u32,
        text: &[u8],
        scratch: &mut VisitScratch,
    ) {
        let VisitScratch { leads, reversed: backwards, .. } = scratch;
        let text = if BACKWARDS { reversed(text, index, backwards) } else { text };
        let path = self.values.values[at as usize].path;
        index.each_prefix(text, &self.segment.operands, |target, certain| {
            leads.push(Lead { target, known: if certain && !FOLDED { Known::field(path) } else { Known::by(at) } });
        });
    }

    fn ask_ranges(&self, index: u32, path: PathId, at: u32, scratch: &mut VisitScratch) {
        let (index, leads) = (&self.segment.ranges[index as usize], &mut scratch.leads);
        // Many numbers lie in many ranges: each range is asked instead.
        if self.values.is_long(path) && index.len() <= 8 * self.values.count(path) {
            let keys = self.values.keys(path, self.text, self.unescaped);
            index.meet(keys, |target| leads.push(Lead { target, known: Known::field(path) }));
            return;
        }
        self.each_value(at, |_, value| {
            if let Some(key) = value.near_key(self.text, self.unescaped) {
                let begin = leads.len();
                index.stab(key, |target| leads.push(Lead { target, known: Known::field(path) }));
                if leads.len() > begin && value.comparable_key(self.text, self.unescaped).is_none() {
                    leads.truncate(begin);
                }
            }
        });
    }

    #[inline(never)]
    fn gather_wildcards(&self, index: u32, at: u32, value: &Value, scratch: &mut VisitScratch) {
        let (leads, text) = (&mut scratch.leads, value.bytes(self.text, self.unescaped));
        self.segment.wildcards[index as usize].each_match(text, &mut scratch.wildcards, |target, certain| {
            leads.push(Lead { target, known: if certain { Known::field(value.path) } else { Known::by(at) } });
        });
    }
}

/// The end of a text, read backwards, as far as an index of suffixes looks at it.
#[inline]
pub fn reversed<'b>(text: &[u8], index: &AffixIndex, out: &'b mut Vec<u8>) -> &'b [u8] {
    out.clear();
    out.extend(text.iter().rev().take(index.longest()));
    out
}
