//! A segment: a frozen index over some of the rules of a set. Everything a match needs lies in flat arrays; the only
//! thing that changes after the build is the version at which a rule died.

use super::{
    affix::AffixIndex,
    cidr::CidrIndex,
    except::Except,
    gate::Gate,
    list::ListIndex,
    operands::Operands,
    range::RangeIndex,
    record::{FieldRec, Goes, LAST, Op, Records, Target},
    table::DispatchTable,
    wildcard::WildcardIndex,
};
use crate::map::Map;
use crate::{memory, path::PathId, pattern::tree::Pattern, value::sieve::Asked};
use std::sync::atomic::{AtomicU32, Ordering};

/// What has to be known about a value of a path, as bits; nothing else is computed.
pub mod need {
    /// The operand of a string.
    pub const STRING: u8 = 1;
    /// The key and the operand of a number.
    pub const NUMBER: u8 = 2;
    /// The address that a string reads as.
    pub const IP: u8 = 4;
    /// The folded text of a string.
    pub const FOLDED: u8 = 8;
    /// Its operand's tag from the beginning, since some node looks for it.
    pub const TAG: u8 = 16;
}

/// A node's index of one family on one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// `Segment::affixes[n]` on the text.
    Prefix(u32),
    /// `Segment::affixes[n]` on the folded text.
    FoldedPrefix(u32),
    /// `Segment::affixes[n]` on the text read backwards.
    Suffix(u32),
    /// `Segment::affixes[n]` on the folded text read backwards.
    FoldedSuffix(u32),
    /// `Segment::ranges[n]`.
    Range(u32),
    /// `Segment::cidrs[n]`.
    Cidr(u32),
    /// `Segment::wildcards[n]`.
    Wildcard(u32),
    /// Any value leads to the target.
    Present(u32),
    /// No value leads to the target.
    Absent(u32),
    /// `Segment::excepts[n]`; a node's last.
    Except(u32),
}

/// Values are dispatched by their exact operand.
pub const LANE_EXACT: u32 = 1 << 24;
/// Values are dispatched by their address.
pub const LANE_IP: u32 = 1 << 25;
/// Values are dispatched by their folded text.
pub const LANE_FOLDED: u32 = 1 << 26;

/// One node: where its lists begin and end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Node {
    /// Range of `Segment::lanes`.
    pub lanes: (u32, u32),
    /// Range of `Segment::families`.
    pub families: (u32, u32),
    /// Conjunctions that no condition of theirs divides further: a target, or `NO_RUN`.
    pub residual: u32,
}

/// No run.
pub const NO_RUN: u32 = u32::MAX;

/// No version at which a rule died: it lives.
pub const ALIVE: u32 = u32::MAX;

/// One rule of a segment.
#[derive(Debug)]
pub struct RuleRec {
    /// Place in the order of putting (high half) and the number that the outside knows (low half).
    pub key: u64,
    /// Its conjunction, or a place in `Records::lists` when `MANY_CONJUNCTIONS` is set.
    pub conj: u32,
    /// The version at which it died, or `ALIVE`. Beside the key, as who matches asks for both.
    pub died: AtomicU32,
}

impl RuleRec {
    /// A rule that lives.
    pub fn new(key: u64, conj: u32) -> Self {
        Self { key, conj, died: AtomicU32::new(ALIVE) }
    }
}

/// Segments of so many bytes are large.
const LARGE: usize = 512 << 10;

/// Of a run so many records are read ahead, and of a record so many fields.
const FORESEEN: usize = 4;

/// Marks `RuleRec::conj` as a place of a list.
pub const MANY_CONJUNCTIONS: u32 = 1 << 31;

/// The index.
pub struct Segment {
    /// Texts, numbers, addresses.
    pub operands: Operands,
    /// What each conjunction demands.
    pub records: Records,
    /// Dispatch by exact value, all nodes.
    pub table: DispatchTable,
    /// The tree; node 0 is the root.
    pub nodes: Vec<Node>,
    /// Paths that a node dispatches by exact value: path and lane bits.
    pub lanes: Vec<u32>,
    /// Paths that a node dispatches otherwise.
    pub families: Vec<(PathId, Family)>,
    /// Those of the root whose lookups can be read ahead.
    pub ahead: Vec<(PathId, Family)>,
    /// Prefix and suffix indexes.
    pub affixes: Vec<AffixIndex>,
    /// Range indexes.
    pub ranges: Vec<RangeIndex>,
    /// Address indexes.
    pub cidrs: Vec<CidrIndex>,
    /// Wildcard indexes.
    pub wildcards: Vec<WildcardIndex>,
    /// Lists of `anything-but`.
    pub excepts: Vec<Vec<Except>>,
    /// Runs of conjunctions; the last of each run carries `LAST`.
    pub runs: Vec<u32>,
    /// By path: what has to be known about its values.
    pub needs: Vec<u8>,
    /// What is asked of the numbers of each path.
    pub asked: Vec<(PathId, Asked)>,
    /// The rules, in the order of putting.
    pub rules: Vec<RuleRec>,
    /// By form and place: indexes of long lists.
    pub long_lists: Map<(Op, u32), ListIndex>,
    /// Patterns of the few rules that were expanded into several conjunctions.
    pub sources: Map<u32, Pattern>,
    /// What the root looks for by equality, if the segment is small and its root looks at values alone.
    pub gate: Option<Gate>,
    /// Memory in bytes.
    pub bytes: usize,
}

impl Segment {
    /// Whether a rule is there for a reader of this version.
    #[inline]
    pub fn alive(&self, rule: u32, version: u32) -> bool {
        self.rules[rule as usize].died.load(Ordering::Relaxed) > version
    }

    /// The rule of a key.
    pub fn rule_of(&self, key: u64) -> Option<u32> {
        self.rules.binary_search_by_key(&key, |rec| rec.key).ok().map(|rule| rule as u32)
    }

    /// What has to be known about a path's values.
    #[inline]
    pub fn need(&self, path: PathId) -> u8 {
        self.needs.get(path as usize).copied().unwrap_or(0)
    }

    /// The conjunctions of a rule.
    pub fn conjunctions_of(&self, rule: u32) -> &[u32] {
        let rec = &self.rules[rule as usize];
        if rec.conj & MANY_CONJUNCTIONS != 0 { self.records.list(rec.conj & !MANY_CONJUNCTIONS) } else { std::slice::from_ref(&rec.conj) }
    }

    /// Calls `visit` with the conjunctions of a run.
    #[inline]
    pub fn each_of_run(&self, start: u32, mut visit: impl FnMut(u32)) {
        let mut at = start as usize;
        loop {
            let entry = self.runs[at];
            visit(entry & !LAST);
            if entry & LAST != 0 {
                return;
            }
            at += 1;
        }
    }

    /// The families of the root whose lookups can be read ahead.
    pub fn foreseeable(&self) -> Vec<(PathId, Family)> {
        let (start, end) = self.nodes[0].families;
        let families = self.families[start as usize..end as usize].iter();
        let helps = |family: &Family| match *family {
            Family::Prefix(n) | Family::FoldedPrefix(n) | Family::Suffix(n) | Family::FoldedSuffix(n) => {
                self.affixes[n as usize].is_hashed()
            }
            Family::Wildcard(n) => self.wildcards[n as usize].is_anchored(),
            _ => false,
        };
        families.filter(|(_, family)| helps(family)).copied().collect()
    }

    /// Whether most of it lies in no near cache, so that it pays to have read ahead what a match will look at.
    #[inline]
    pub fn is_large(&self) -> bool {
        self.bytes > LARGE
    }

    /// Has read ahead where a target leads: the node, the run, the record.
    #[inline]
    pub fn expect_target(&self, target: Target) {
        match target.get() {
            Goes::Node(node) => memory::expect(&self.nodes, node as usize),
            Goes::Run(start) => memory::expect(&self.runs, start as usize),
            Goes::One(conj) => memory::expect(&self.records.conjs, conj as usize),
        }
    }

    /// Has the records of a run read ahead, once the run is there.
    #[inline]
    fn expect_records(&self, target: Target) {
        if let Goes::Run(_) = target.get() {
            self.first_conjs(target, |conj| memory::expect(&self.records.conjs, conj as usize));
        }
    }

    /// Has the fields and the rules of records read ahead, once the records are there.
    #[inline]
    fn expect_fields(&self, target: Target) {
        self.first_conjs(target, |conj| {
            let rec = &self.records.conjs[conj as usize];
            memory::expect(&self.records.fields, rec.fields as usize);
            // A place of a list, if many rules share the record: then this is for nothing.
            memory::expect(&self.rules, rec.rules as usize);
        });
    }

    /// Has read ahead what fields name, once the fields are there.
    #[inline]
    fn expect_named(&self, target: Target) {
        self.first_fields(target, |field| self.records.expect_named(field, &self.operands));
    }

    /// Has read ahead what following these targets will look at, once what they name is there; step by step, as each step
    /// looks at what that before it has brought.
    pub fn foresee(&self, targets: impl Iterator<Item = Target> + Clone) {
        targets.clone().for_each(|target| self.expect_records(target));
        targets.clone().for_each(|target| self.expect_fields(target));
        targets.clone().for_each(|target| self.expect_named(target));
        targets.for_each(|target| self.expect_texts(target));
    }

    /// Has the texts read ahead that fields name, once their places are there.
    #[inline]
    fn expect_texts(&self, target: Target) {
        self.first_fields(target, |field| self.records.expect_text(field, &self.operands));
    }

    /// Calls `visit` with the first few fields of the first few conjunctions of a target.
    #[inline(always)]
    fn first_fields(&self, target: Target, mut visit: impl FnMut(&FieldRec)) {
        self.first_conjs(target, |conj| {
            let fields = self.records.fields_of(&self.records.conjs[conj as usize]);
            fields.iter().take(FORESEEN).for_each(&mut visit);
        });
    }

    /// Calls `visit` with the first few conjunctions of a target.
    #[inline(always)]
    fn first_conjs(&self, target: Target, mut visit: impl FnMut(u32)) {
        match target.get() {
            Goes::Node(_) => {}
            Goes::One(conj) => visit(conj),
            Goes::Run(start) => {
                for entry in self.runs[start as usize..].iter().take(FORESEEN) {
                    visit(entry & !LAST);
                    if entry & LAST != 0 {
                        return;
                    }
                }
            }
        }
    }

    /// Has what does not change lie in large pages, as far as it is large: a million rules of the mix full took 1.7
    /// microseconds an event, now 1.3.
    pub fn collapse(&self) {
        self.operands.collapse();
        self.table.collapse();
        self.records.collapse();
        memory::collapse(&self.runs);
        memory::collapse(&self.rules);
        self.affixes.iter().for_each(AffixIndex::collapse);
        self.wildcards.iter().for_each(WildcardIndex::collapse);
    }

    /// Memory in bytes. COST: linear; `bytes` keeps it.
    pub fn size_bytes(&self) -> usize {
        self.operands.size_bytes()
            + self.records.size_bytes()
            + self.table.size_bytes()
            + self.nodes.capacity() * size_of::<Node>()
            + self.lanes.capacity() * 4
            + (self.families.capacity() + self.ahead.capacity()) * size_of::<(PathId, Family)>()
            + self.affixes.iter().map(AffixIndex::size_bytes).sum::<usize>()
            + self.ranges.iter().map(RangeIndex::size_bytes).sum::<usize>()
            + self.cidrs.iter().map(CidrIndex::size_bytes).sum::<usize>()
            + self.wildcards.iter().map(WildcardIndex::size_bytes).sum::<usize>()
            + self.excepts.iter().map(|list| list.capacity() * size_of::<Except>()).sum::<usize>()
            + self.long_lists.values().map(ListIndex::size_bytes).sum::<usize>()
            + self.runs.capacity() * 4
            + self.needs.capacity()
            + self.asked.iter().map(|(_, asked)| size_of::<(PathId, Asked)>() + asked.size_bytes()).sum::<usize>()
            + self.gate.as_ref().map_or(0, Gate::size_bytes)
            + self.rules.capacity() * size_of::<RuleRec>()
    }
}

/// The target of one or more conjunctions.
pub fn push_run(runs: &mut Vec<u32>, conjs: impl IntoIterator<Item = u32>) -> Target {
    let start = runs.len();
    runs.extend(conjs);
    if let [one] = runs[start..] {
        runs.truncate(start);
        return Target::one(one);
    }
    *runs.last_mut().expect("a run has members") |= LAST;
    Target::run(start as u32)
}
