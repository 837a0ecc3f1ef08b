//! The visit of a segment: from the root, every value asks the node's table and families; targets are verified or
//! visited in turn; what holds is handed out.

use super::{
    values::Value,
    verify::{Event, Memo},
};
use crate::{
    error::EventErrorCode,
    index::{
        gate::Gate,
        operands::{NONE, OperandId},
        record::Target,
        segment::{Family, LANE_EXACT, LANE_FOLDED, LANE_IP, NO_RUN},
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
    /// Targets found by the family at hand.
    targets: Vec<Target>,
    reversed: Vec<u8>,
}

/// So many targets are followed without a look whether some are the same.
const MANY: usize = 16;

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
    pub fn visit(&self, roots: &[Target], scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        scratch.memo.clear();
        // An event that was refused half way leaves some.
        scratch.targets.clear();
        for target in roots {
            if hits.enough() {
                return Ok(());
            }
            self.follow(*target, NONE, scratch, hits)?;
        }
        self.visit_families(0, scratch, hits)
    }

    /// Has the slots of the root read ahead in which `find_roots` will look.
    pub fn expect_roots(&self) {
        for value in &self.values.values {
            self.each_operand(value, LANE_EXACT | LANE_IP | LANE_FOLDED, |operand| self.segment.table.expect(0, value.path, operand));
        }
    }

    /// Where the values lead by exact value at the root.
    pub fn find_roots(&self, roots: &mut Vec<Target>) {
        roots.clear();
        self.each_target(0, |target| roots.push(target));
        if roots.len() > MANY {
            roots.sort_unstable_by_key(|target| target.0);
            roots.dedup();
        }
    }

    /// Whether the event has no candidate in the segment. Relies on no lookup of its values there; when it says no, a visit
    /// has to find out.
    pub fn passes_by(&self, gate: &Gate, scratch: &mut VisitScratch) -> bool {
        if self.values.enter(gate) {
            return false;
        }
        scratch.targets.clear();
        let (segment, root) = (self.segment, &self.segment.nodes[0]);
        segment.families[root.families.0 as usize..root.families.1 as usize].iter().all(|&(path, family)| {
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
                    scratch.targets.is_empty()
                }
            }
        })
    }

    fn visit_node(&self, id: NodeId, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        let begin = scratch.targets.len();
        self.each_target(id, |target| scratch.targets.push(target));
        self.follow_gathered(begin, NONE, scratch, hits)?;
        self.visit_families(id, scratch, hits)
    }

    /// Calls `visit` with what the values name in a node's exact table; perhaps more than once with the same.
    #[inline]
    fn each_target(&self, id: NodeId, mut visit: impl FnMut(Target)) {
        let segment = self.segment;
        let node = &segment.nodes[id as usize];
        let lanes = &segment.lanes[node.lanes.0 as usize..node.lanes.1 as usize];
        let mut ask = |value: &Value, lanes: u32| {
            self.each_operand(value, lanes, |operand| segment.table.candidates(id, value.path, operand, &mut visit));
        };
        if lanes.len() > self.values.values.len() {
            // More paths than values: let each value ask, whether or not its path is among them.
            for value in &self.values.values {
                ask(value, LANE_EXACT | LANE_IP | LANE_FOLDED);
            }
            return;
        }
        for lane in lanes {
            let mut at = self.values.first(lane & 0xff_ffff);
            while at != NONE {
                let value = &self.values.values[at as usize];
                ask(value, *lane);
                at = value.next;
            }
        }
    }

    /// Calls `visit` with the operands of a value that these lanes look at.
    #[inline(always)]
    fn each_operand(&self, value: &Value, lanes: u32, mut visit: impl FnMut(OperandId)) {
        if lanes & LANE_EXACT != 0 && value.operand != NONE {
            visit(value.operand);
        }
        if lanes & LANE_IP != 0 && value.address != NONE {
            let operand = self.values.addresses[value.address as usize].operand;
            if operand != NONE {
                visit(operand);
            }
        }
        if lanes & LANE_FOLDED != 0 && value.fold != NONE {
            let operand = self.values.folds[value.fold as usize].operand;
            if operand != NONE {
                visit(operand);
            }
        }
    }

    /// What a node does not find by exact value.
    fn visit_families(&self, id: NodeId, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        let segment = self.segment;
        let node = &segment.nodes[id as usize];
        for &(path, family) in &segment.families[node.families.0 as usize..node.families.1 as usize] {
            if !self.values.may_have(path) && !matches!(family, Family::Absent(_)) {
                continue;
            }
            if hits.enough() {
                return Ok(());
            }
            let mut at = self.values.first(path);
            match family {
                Family::Present(target) if at != NONE => self.follow(Target(target), NONE, scratch, hits)?,
                Family::Absent(target) if at == NONE => self.follow(Target(target), NONE, scratch, hits)?,
                Family::Present(_) | Family::Absent(_) => {}
                // Many numbers lie in many ranges: each range is asked instead.
                Family::Range(n) if self.values.is_long(path) && segment.ranges[n as usize].len() <= 8 * self.values.count(path) => {
                    let begin = scratch.targets.len();
                    let targets = &mut scratch.targets;
                    segment.ranges[n as usize].meet(self.values.keys(path, self.text, self.unescaped), |t| targets.push(t));
                    self.follow_gathered(begin, path, scratch, hits)?;
                }
                _ => {
                    let begin = scratch.targets.len();
                    while at != NONE {
                        self.gather(family, at, scratch);
                        at = self.values.values[at as usize].next;
                    }
                    // These families answer exactly, so the field that led here needs no second look. Folded texts are
                    // only candidates: case is not symmetric.
                    let known = if matches!(family, Family::FoldedPrefix(_) | Family::FoldedSuffix(_)) { NONE } else { path };
                    self.follow_gathered(begin, known, scratch, hits)?;
                }
            }
        }
        if node.residual != NO_RUN {
            self.follow(Target::run(node.residual), NONE, scratch, hits)?;
        }
        Ok(())
    }

    /// Follows the targets gathered since `begin`, each once: many values of one array may name the same.
    fn follow_gathered(&self, begin: usize, known: PathId, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        if scratch.targets.len() - begin > MANY {
            scratch.targets[begin..].sort_unstable_by_key(|t| t.0);
            let mut kept = begin + 1;
            for at in begin + 1..scratch.targets.len() {
                if scratch.targets[at] != scratch.targets[kept - 1] {
                    scratch.targets[kept] = scratch.targets[at];
                    kept += 1;
                }
            }
            scratch.targets.truncate(kept);
        }
        while scratch.targets.len() > begin {
            if hits.enough() {
                scratch.targets.truncate(begin);
                return Ok(());
            }
            let target = scratch.targets.pop().expect("longer than begin");
            self.follow(target, known, scratch, hits)?;
        }
        Ok(())
    }

    /// Targets of one family for one value.
    fn gather(&self, family: Family, at: u32, scratch: &mut VisitScratch) {
        let segment = self.segment;
        let value = &self.values.values[at as usize];
        let targets = &mut scratch.targets;
        let string = value.kind == Kind::String;
        let text = || value.bytes(self.text, self.unescaped);
        match family {
            Family::Prefix(n) if string => segment.affixes[n as usize].each_prefix(text(), &segment.operands, |t| targets.push(t)),
            Family::FoldedPrefix(n) if string => {
                segment.affixes[n as usize].each_prefix(self.values.folded(value.fold), &segment.operands, |t| targets.push(t));
            }
            Family::Suffix(n) | Family::FoldedSuffix(n) if string => {
                let text = if matches!(family, Family::Suffix(_)) { text() } else { self.values.folded(value.fold) };
                let index = &segment.affixes[n as usize];
                scratch.reversed.clear();
                scratch.reversed.extend(text.iter().rev().take(index.longest()));
                index.each_prefix(&scratch.reversed, &segment.operands, |t| targets.push(t));
            }
            Family::Range(n) => {
                if let Some(key) = value.near_key() {
                    let begin = targets.len();
                    segment.ranges[n as usize].stab(key, |t| targets.push(t));
                    if targets.len() > begin && value.comparable_key(self.text, self.unescaped).is_none() {
                        targets.truncate(begin);
                    }
                }
            }
            Family::Cidr(n) if value.address != NONE => {
                segment.cidrs[n as usize].each_containing(self.values.addresses[value.address as usize].ip, |t| targets.push(t));
            }
            Family::Wildcard(n) if string => {
                segment.wildcards[n as usize].each_match(text(), &mut scratch.wildcards, |t| targets.push(t));
            }
            _ => {}
        }
    }

    /// Verifies the conjunctions of a run, or visits a node. `known` is a path whose field holds already, or `NONE`.
    fn follow(&self, target: Target, known: PathId, scratch: &mut VisitScratch, hits: &mut Hits<'_>) -> Result<(), EventErrorCode> {
        let start = match target.get() {
            Ok(node) => return self.visit_node(node, scratch, hits),
            Err(start) => start,
        };
        let mut verdict = Ok(());
        self.segment.each_of_run(start, |conj| {
            if verdict.is_err() || hits.enough() {
                return;
            }
            if hits.tally.is_some() {
                hits.count(conj);
            }
            match self.conjunction_holds(conj, known, &mut scratch.memo, &mut hits.steps) {
                Ok(true) => {
                    let records = &self.segment.records;
                    for &rule in records.rules_of(&records.conjs[conj as usize]) {
                        if self.segment.alive(rule, hits.version) {
                            hits.keys.push(self.segment.rules[rule as usize].key);
                        }
                    }
                }
                Ok(false) => {}
                Err(code) => verdict = Err(code),
            }
        });
        verdict
    }
}
