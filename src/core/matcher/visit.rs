//! The visit of a segment: from the root, every value asks the node's table and families; targets are verified or
//! visited in turn; what holds is handed out.

use super::{
    ask::reversed,
    hits::{Hits, MARKED, Marks},
    value::Value,
    verify::{Event, Known, Memo},
};
use crate::{
    error::EventErrorCode,
    index::{
        except::{Except, Words},
        gate::Gate,
        operands::NONE,
        record::{ConjRec, Goes, MANY_RULES, Target},
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
    pub(super) wildcards: WildcardScratch,
    /// Found by the family at hand.
    pub(super) leads: Vec<Lead>,
    pub(super) reversed: Vec<u8>,
    marks: Marks,
}

/// Where values lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lead {
    /// What to follow.
    pub target: Target,
    /// What is known of the conjunctions there.
    pub known: Known,
}

impl Lead {
    /// Where nothing is known.
    pub fn new(target: Target) -> Self {
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

impl Event<'_> {
    /// Visits the whole segment. `roots` is what `find_roots` found.
    pub fn visit(&self, roots: &Roots, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        scratch.memo.clear();
        // An event that was refused half way leaves some.
        scratch.leads.clear();
        scratch.marks.drain(|_| {});
        scratch.marks.on = self.segment.rules.len() <= MARKED && !hits.first_only && hits.tally.is_none();
        for lead in &roots.leads {
            if hits.enough() {
                return Ok(());
            }
            self.follow_any(*lead, scratch, hits)?;
        }
        self.visit_rest(0, roots.families, scratch, hits)?;
        let segment = self.segment;
        scratch.marks.drain(|rule| {
            if segment.alive(rule, hits.version) {
                hits.keys.push(segment.rules[rule as usize].key);
            }
        });
        Ok(())
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
                    Family::Suffix(n) => {
                        let (index, text) = (&segment.affixes[n as usize], value.bytes(self.text, self.unescaped));
                        index.expect(reversed(text, index, &mut scratch.reversed));
                    }
                    Family::FoldedSuffix(n) => {
                        let (index, text) = (&segment.affixes[n as usize], self.values.folded(value));
                        index.expect(reversed(text, index, &mut scratch.reversed));
                    }
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
            // Followed at once, in its turn.
            if let Family::Except(_) = family {
                return;
            }
            scratch.leads.clear();
            self.ask(*path, *family, self.values.first(*path), scratch);
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
            let at = self.values.first(path);
            match family {
                Family::Present(_) | Family::Except(_) => at == NONE,
                Family::Absent(_) => at != NONE,
                _ if self.values.is_long(path) => false,
                _ => {
                    self.ask(path, family, at, scratch);
                    scratch.leads.is_empty()
                }
            }
        })
    }

    fn visit_node(&self, id: NodeId, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        let begin = scratch.leads.len();
        self.each_target(id, |target| scratch.leads.push(Lead::new(target)));
        each_once(&mut scratch.leads, begin);
        self.follow_gathered(begin, scratch, hits)?;
        self.visit_rest(id, 0, scratch, hits)
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

    /// What a node does not find by exact value, if there is any. The families before `from` were asked already.
    #[inline(always)]
    fn visit_rest(&self, id: NodeId, from: u32, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        let node = &self.segment.nodes[id as usize];
        let families = node.families.0 + from..node.families.1;
        if families.is_empty() && node.residual == NO_RUN {
            return Ok(());
        }
        let families = &self.segment.families[families.start as usize..families.end as usize];
        self.visit_families(families, node.residual, scratch, hits)
    }

    #[inline(never)]
    fn visit_families(
        &self,
        families: &[(PathId, Family)],
        residual: u32,
        scratch: &mut VisitScratch,
        hits: &mut Hits<'_>,
    ) -> Result<(), EventErrorCode> {
        for &(path, family) in families {
            if !self.may_lead(path, &family) {
                continue;
            }
            if hits.enough() {
                return Ok(());
            }
            let at = self.values.first(path);
            match family {
                Family::Absent(target) if at == NONE => self.follow_any(Lead::new(Target(target)), scratch, hits)?,
                _ if at == NONE => {}
                Family::Present(target) => self.follow_any(Lead { target: Target(target), known: Known::by(at) }, scratch, hits)?,
                Family::Except(n) => self.follow_excepts(n, at, scratch, hits)?,
                _ => {
                    let begin = scratch.leads.len();
                    self.ask(path, family, at, scratch);
                    if scratch.leads.len() > begin {
                        let apart = |n: u32| self.segment.wildcards[n as usize].leads_apart() && self.values.count(path) == 1;
                        if !matches!(family, Family::Wildcard(n) if apart(n)) {
                            each_once(&mut scratch.leads, begin);
                        }
                        self.follow_gathered(begin, scratch, hits)?;
                    }
                }
            }
        }
        if residual != NO_RUN {
            self.follow_any(Lead::new(Target(residual)), scratch, hits)?;
        }
        Ok(())
    }

    /// Whether a family may lead anywhere: most have their path in few events.
    #[inline(always)]
    fn may_lead(&self, path: PathId, family: &Family) -> bool {
        self.values.may_have(path) || matches!(family, Family::Absent(_))
    }

    /// Follows the leads gathered since `begin`.
    fn follow_gathered(&self, begin: usize, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
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

    /// Follows the conditions of an `anything-but` family that hold. The path has a value, of which `at` is the first.
    fn follow_excepts(&self, family: u32, at: u32, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        let (excepts, value) = (&self.segment.excepts[family as usize], &self.values.values[at as usize]);
        if value.next != NONE || value.kind != Kind::String {
            for except in excepts {
                let holds = self.cond_holds(value.path, except.cond, false, &mut scratch.memo);
                self.follow_except(except, value.path, holds, scratch, hits)?;
                if hits.enough() {
                    break;
                }
            }
            return Ok(());
        }
        let words = Words::of(value.bytes(self.text, self.unescaped));
        for except in excepts {
            let holds = except.glance(&words).unwrap_or_else(|| self.accepts(value, except.cond, &mut scratch.memo));
            self.follow_except(except, value.path, holds, scratch, hits)?;
            if hits.enough() {
                break;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn follow_except(
        &self,
        except: &Except,
        path: PathId,
        holds: bool,
        scratch: &mut VisitScratch,
        hits: &mut Hits<'_>,
    ) -> Result<(), EventErrorCode> {
        if holds && except.rule != NONE && scratch.marks.on {
            scratch.marks.set(except.rule);
            return Ok(());
        }
        if holds {
            return self.follow(Lead { target: except.target, known: Known::field(path) }, scratch, hits);
        }
        if hits.tally.is_some() {
            self.count_asked(except.target, hits);
        }
        Ok(())
    }

    /// Counts the conjunctions of a target whose condition was asked and does not hold.
    #[cold]
    #[inline(never)]
    fn count_asked(&self, target: Target, hits: &mut Hits<'_>) {
        match target.get() {
            Goes::Node(_) => {}
            Goes::One(conj) => hits.count(conj),
            Goes::Run(start) => self.segment.each_of_run(start, |conj| hits.count(conj)),
        }
    }

    /// Follows a lead that perhaps leaves nothing to verify: then one rule is handed out without a call.
    #[inline(always)]
    fn follow(&self, lead: Lead, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        if let (Goes::One(conj), true) = (lead.target.get(), scratch.marks.on) {
            let rec = &self.segment.records.conjs[conj as usize];
            if lead.known.suffices(rec) && rec.flags & MANY_RULES == 0 {
                scratch.marks.set(rec.rules);
                return Ok(());
            }
        }
        self.follow_any(lead, scratch, hits)
    }

    /// Verifies the conjunctions that a lead names, or visits a node.
    #[inline(always)]
    fn follow_any(&self, lead: Lead, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        match lead.target.get() {
            Goes::Node(node) => self.visit_node(node, scratch, hits),
            Goes::One(conj) => self.judge(conj, lead.known, scratch, hits),
            Goes::Run(start) => self.follow_run(start, lead.known, scratch, hits),
        }
    }

    fn follow_run(&self, start: u32, known: Known, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        let mut verdict = Ok(());
        self.segment.each_of_run(start, |conj| {
            if verdict.is_ok() && !hits.enough() {
                verdict = self.judge(conj, known, scratch, hits);
            }
        });
        verdict
    }

    /// Hands out the rules of a conjunction if it holds.
    fn judge(&self, conj: u32, known: Known, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        if hits.tally.is_some() {
            hits.count(conj);
        }
        let rec = &self.segment.records.conjs[conj as usize];
        if known.suffices(rec) || self.conjunction_holds(rec, conj, known, &mut scratch.memo, &mut hits.steps)? {
            self.hand_out(rec, &mut scratch.marks, hits);
        }
        Ok(())
    }

    /// Hands out the rules of a conjunction that holds.
    #[inline]
    fn hand_out(&self, rec: &ConjRec, marks: &mut Marks, hits: &mut Hits<'_>) {
        if marks.on && rec.flags & MANY_RULES == 0 {
            return marks.set(rec.rules);
        }
        let segment = self.segment;
        for &rule in segment.records.rules_of(rec) {
            if marks.on {
                marks.set(rule);
            } else if segment.alive(rule, hits.version) {
                hits.keys.push(segment.rules[rule as usize].key);
            }
        }
    }
}

/// Many leads since `begin` are made different: one for each target, since many values of one array may name the same.
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
