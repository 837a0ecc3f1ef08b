//! The visit of a segment: from the root, every value asks the node's table and families; targets are verified or
//! visited in turn; what holds is handed out.

use super::{
    value::Value,
    verify::{Event, Known, Memo},
};
use crate::{
    error::EventErrorCode,
    index::{
        gate::Gate,
        operands::NONE,
        record::{Goes, Target},
        segment::{Family, NO_RUN},
        table::NodeId,
        wildcard::WildcardScratch,
    },
    path::PathId,
    walk::Kind,
};

/// Working memory of a visit; reused.
#[derive(Default)]
pub struct VisitScratch {
    /// Remembered verdicts.
    pub memo: Memo,
    wildcards: WildcardScratch,
    /// Found by the family at hand.
    leads: Vec<Lead>,
    reversed: Vec<u8>,
}

/// Where values lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lead {
    /// What to follow.
    pub target: Target,
    /// What is known of the conjunctions there.
    known: Known,
}

impl Lead {
    fn new(target: Target) -> Self {
        Self { target, known: Known::default() }
    }
}

/// Where the values of an event lead at the root of a segment.
#[derive(Default)]
pub struct Roots {
    /// Some of them all at once.
    pub leads: Vec<Lead>,
    /// So many of the root's families are among them.
    families: u32,
}

/// So many leads are followed without a look whether some are the same.
const MANY: usize = 16;
/// To ask so many values whether a node looks for them costs as much as to look for the values of one path.
const VALUES_A_LANE: usize = 4;
/// Most leads of families that are gathered before any is followed. A family that leads to more is asked once more in
/// its turn.
const MOST: usize = 1024;

/// What a visit produces.
pub struct Hits<'a> {
    /// Keys of the rules that match (place in the order, number), with repetitions.
    pub keys: &'a mut Vec<u64>,
    /// The reader's version.
    pub version: u32,
    /// Stop at the first match.
    pub first_only: bool,
    /// Steps that array checks may still take.
    pub steps: usize,
    /// Counts candidates, for reports only.
    pub tally: Option<&'a mut Tally>,
}

/// How many conjunctions were candidates.
#[derive(Default)]
pub struct Tally {
    /// All together.
    pub all: u64,
    /// By segment and conjunction; may be empty.
    pub by_segment: Vec<Vec<u32>>,
    /// The segment under visit.
    pub segment: usize,
}

impl Hits<'_> {
    fn enough(&self) -> bool {
        self.first_only && !self.keys.is_empty()
    }

    /// Counts a candidate. Apart, so that matching without a report keeps its shape.
    #[cold]
    #[inline(never)]
    fn count(&mut self, conj: u32) {
        if let Some(tally) = &mut self.tally {
            tally.all += 1;
            if let Some(counts) = tally.by_segment.get_mut(tally.segment) {
                counts[conj as usize] += 1;
            }
        }
    }
}

impl Event<'_> {
    /// Visits the whole segment. `roots` is what `find_roots` found.
    pub fn visit(&self, roots: &Roots, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        scratch.memo.clear();
        // An event that was refused half way leaves some.
        scratch.leads.clear();
        for lead in &roots.leads {
            if hits.enough() {
                return Ok(());
            }
            self.follow(*lead, scratch, hits)?;
        }
        self.visit_families(0, roots.families, scratch, hits)
    }

    /// Has read ahead what the root's families will look at.
    pub fn expect_families(&self, scratch: &mut VisitScratch) {
        let segment = self.segment;
        for &(path, family) in segment.ahead.iter().filter(|(path, _)| self.values.may_have(*path)) {
            let mut at = self.values.first(path);
            // A long chain would have too much read ahead.
            for _ in 0..if self.values.is_long(path) { 0 } else { 8 } {
                let Some(value) = self.values.values.get(at as usize) else { break };
                at = value.next;
                if value.kind != Kind::String {
                    continue;
                }
                match family {
                    Family::Wildcard(n) => segment.wildcards[n as usize].expect(value.bytes(self.text, self.unescaped)),
                    Family::Prefix(n) => segment.affixes[n as usize].expect(value.bytes(self.text, self.unescaped)),
                    Family::FoldedPrefix(n) => segment.affixes[n as usize].expect(self.values.folded(value)),
                    Family::Suffix(n) => segment.affixes[n as usize].expect(self.reversed(value, n, false, &mut scratch.reversed)),
                    Family::FoldedSuffix(n) => segment.affixes[n as usize].expect(self.reversed(value, n, true, &mut scratch.reversed)),
                    _ => {}
                }
            }
        }
    }

    /// Where the values lead by exact value at the root; with `families`, also where its families lead, as far as that
    /// is not much.
    pub fn find_roots(&self, families: bool, roots: &mut Roots, scratch: &mut VisitScratch) {
        roots.leads.clear();
        roots.families = 0;
        self.each_target(0, |target| roots.leads.push(Lead::new(target)));
        each_once(&mut roots.leads, 0);
        if !families {
            return;
        }
        let (start, end) = self.segment.nodes[0].families;
        for (path, family) in &self.segment.families[start as usize..end as usize] {
            if !self.may_lead(*path, family) {
                roots.families += 1;
                continue;
            }
            scratch.leads.clear();
            self.ask(*path, *family, scratch);
            if roots.leads.len() + scratch.leads.len() > MOST {
                return;
            }
            roots.leads.extend_from_slice(&scratch.leads);
            roots.families += 1;
        }
    }

    /// Whether the event has no candidate in the segment. Relies on no lookup of its values there; when it says no, a visit
    /// has to find out.
    pub fn passes_by(&self, gate: &Gate, scratch: &mut VisitScratch) -> bool {
        if self.values.enter(gate) {
            return false;
        }
        scratch.leads.clear();
        let (segment, root) = (self.segment, &self.segment.nodes[0]);
        segment.families[root.families.0 as usize..root.families.1 as usize].iter().all(|&(path, family)| {
            if !self.may_lead(path, &family) {
                return true;
            }
            let mut at = self.values.first(path);
            match family {
                Family::Present(_) => at == NONE,
                Family::Absent(_) => at != NONE,
                _ if self.values.is_long(path) => false,
                _ => {
                    while at != NONE {
                        self.gather(family, at, scratch);
                        at = self.values.values[at as usize].next;
                    }
                    scratch.leads.is_empty()
                }
            }
        })
    }

    fn visit_node(&self, id: NodeId, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        let begin = scratch.leads.len();
        self.each_target(id, |target| scratch.leads.push(Lead::new(target)));
        self.follow_gathered(begin, scratch, hits)?;
        self.visit_families(id, 0, scratch, hits)
    }

    /// Calls `visit` with what the values name in a node's exact table; perhaps more than once with the same.
    #[inline]
    fn each_target(&self, id: NodeId, mut visit: impl FnMut(Target)) {
        let (segment, all) = (self.segment, &self.values.values);
        let node = &segment.nodes[id as usize];
        let lanes = &segment.lanes[node.lanes.0 as usize..node.lanes.1 as usize];
        let mut ask = |value: &Value| {
            if let Some(tag) = value.tag() {
                segment.table.candidates(id, value.path, tag, &mut visit);
            }
            if value.has_more() {
                self.each_target_of_more(id, value, &mut visit);
            }
        };
        if lanes.len() * VALUES_A_LANE > all.len() {
            // Hardly more values than paths: let each value ask, whether or not its path is among them.
            all.iter().for_each(ask);
            return;
        }
        for lane in lanes {
            let mut at = self.values.first(lane & 0xff_ffff);
            while at != NONE {
                let value = &all[at as usize];
                ask(value);
                at = value.next;
            }
        }
    }

    /// The same for a value that is looked for under other tags than its own.
    #[inline(never)]
    fn each_target_of_more(&self, id: NodeId, value: &Value, visit: &mut dyn FnMut(Target)) {
        self.values.each_tag_of_more(value, |tag| self.segment.table.candidates(id, value.path, tag, &mut *visit));
    }

    /// What a node does not find by exact value. The families before `from` were asked already.
    fn visit_families(&self, id: NodeId, from: u32, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        let segment = self.segment;
        let node = &segment.nodes[id as usize];
        for &(path, family) in &segment.families[(node.families.0 + from) as usize..node.families.1 as usize] {
            if !self.may_lead(path, &family) {
                continue;
            }
            if hits.enough() {
                return Ok(());
            }
            let at = self.values.first(path);
            match family {
                Family::Present(target) if at != NONE => {
                    self.follow(Lead { target: Target(target), known: Known::by(at) }, scratch, hits)?
                }
                Family::Present(_) => {}
                _ => {
                    let begin = scratch.leads.len();
                    self.ask(path, family, scratch);
                    self.follow_gathered(begin, scratch, hits)?;
                }
            }
        }
        if node.residual != NO_RUN {
            self.follow(Lead::new(Target(node.residual)), scratch, hits)?;
        }
        Ok(())
    }

    /// Whether a family may lead anywhere: most have their path in few events.
    #[inline(always)]
    fn may_lead(&self, path: PathId, family: &Family) -> bool {
        self.values.may_have(path) || matches!(family, Family::Absent(_))
    }

    /// Adds where a family leads.
    fn ask(&self, path: PathId, family: Family, scratch: &mut VisitScratch) {
        let mut at = self.values.first(path);
        match family {
            Family::Present(target) if at != NONE => scratch.leads.push(Lead { target: Target(target), known: Known::by(at) }),
            Family::Absent(target) if at == NONE => scratch.leads.push(Lead::new(Target(target))),
            Family::Present(_) | Family::Absent(_) => {}
            // Many numbers lie in many ranges: each range is asked instead.
            Family::Range(n) if self.values.is_long(path) && self.segment.ranges[n as usize].len() <= 8 * self.values.count(path) => {
                let (leads, keys) = (&mut scratch.leads, self.values.keys(path, self.text, self.unescaped));
                self.segment.ranges[n as usize].meet(keys, |target| leads.push(Lead { target, known: Known::field(path) }));
            }
            _ => {
                while at != NONE {
                    self.gather(family, at, scratch);
                    at = self.values.values[at as usize].next;
                }
            }
        }
    }

    /// Follows the leads gathered since `begin`, each once: many values of one array may name the same.
    fn follow_gathered(&self, begin: usize, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        each_once(&mut scratch.leads, begin);
        while scratch.leads.len() > begin {
            if hits.enough() {
                scratch.leads.truncate(begin);
                return Ok(());
            }
            let lead = scratch.leads.pop().expect("longer than begin");
            self.follow(lead, scratch, hits)?;
        }
        Ok(())
    }

    /// The end of a string, read backwards, as far as an index of suffixes looks at it.
    #[inline]
    fn reversed<'b>(&self, value: &Value, index: u32, folded: bool, out: &'b mut Vec<u8>) -> &'b [u8] {
        let text = if folded { self.values.folded(value) } else { value.bytes(self.text, self.unescaped) };
        out.clear();
        out.extend(text.iter().rev().take(self.segment.affixes[index as usize].longest()));
        out
    }

    /// Adds where one family leads with one value. What a family found for certain needs no second look; folded texts
    /// are never certain, since case is not symmetric.
    fn gather(&self, family: Family, at: u32, scratch: &mut VisitScratch) {
        let segment = self.segment;
        let value = &self.values.values[at as usize];
        let path = value.path;
        let leads = &mut scratch.leads;
        let by = |certain: bool| if certain { Known::field(path) } else { Known::by(at) };
        let mut add = |target: Target, certain: bool| leads.push(Lead { target, known: by(certain) });
        let string = value.kind == Kind::String;
        let text = || value.bytes(self.text, self.unescaped);
        match family {
            Family::Prefix(n) if string => segment.affixes[n as usize].each_prefix(text(), &segment.operands, add),
            Family::FoldedPrefix(n) if string => {
                segment.affixes[n as usize].each_prefix(self.values.folded(value), &segment.operands, |target, _| add(target, false));
            }
            Family::Suffix(n) if string => {
                let text = self.reversed(value, n, false, &mut scratch.reversed);
                segment.affixes[n as usize].each_prefix(text, &segment.operands, add);
            }
            Family::FoldedSuffix(n) if string => {
                let text = self.reversed(value, n, true, &mut scratch.reversed);
                segment.affixes[n as usize].each_prefix(text, &segment.operands, |target, _| add(target, false));
            }
            Family::Range(n) => {
                if let Some(key) = value.near_key(self.text, self.unescaped) {
                    let begin = leads.len();
                    segment.ranges[n as usize].stab(key, |target| leads.push(Lead { target, known: Known::field(path) }));
                    if leads.len() > begin && value.comparable_key(self.text, self.unescaped).is_none() {
                        leads.truncate(begin);
                    }
                }
            }
            Family::Cidr(n) => {
                if let Some(address) = self.values.address(value) {
                    segment.cidrs[n as usize].each_containing(address.ip, |target| add(target, true));
                }
            }
            Family::Wildcard(n) if string => segment.wildcards[n as usize].each_match(text(), &mut scratch.wildcards, add),
            _ => {}
        }
    }

    /// Verifies the conjunctions that a lead names, or visits a node.
    fn follow(&self, lead: Lead, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        match lead.target.get() {
            Goes::Node(node) => self.visit_node(node, scratch, hits),
            Goes::One(conj) => self.judge(conj, lead.known, scratch, hits),
            Goes::Run(start) => {
                let mut verdict = Ok(());
                self.segment.each_of_run(start, |conj| {
                    if verdict.is_ok() && !hits.enough() {
                        verdict = self.judge(conj, lead.known, scratch, hits);
                    }
                });
                verdict
            }
        }
    }

    /// Verifies a conjunction, and hands its rules out if it holds.
    #[inline]
    fn judge(&self, conj: u32, known: Known, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        if hits.tally.is_some() {
            hits.count(conj);
        }
        if self.conjunction_holds(conj, known, &mut scratch.memo, &mut hits.steps)? {
            let records = &self.segment.records;
            for &rule in records.rules_of(&records.conjs[conj as usize]) {
                if self.segment.alive(rule, hits.version) {
                    hits.keys.push(self.segment.rules[rule as usize].key);
                }
            }
        }
        Ok(())
    }
}

/// Many leads since `begin` are made different: one for each target.
#[inline]
fn each_once(leads: &mut Vec<Lead>, begin: usize) {
    if leads.len() - begin > MANY {
        make_different(leads, begin);
    }
}

#[cold]
fn make_different(leads: &mut Vec<Lead>, begin: usize) {
    leads[begin..].sort_unstable();
    let mut kept = begin + 1;
    for at in begin + 1..leads.len() {
        if leads[at].target != leads[kept - 1].target {
            leads[kept] = leads[at];
            kept += 1;
        }
    }
    leads.truncate(kept);
}
