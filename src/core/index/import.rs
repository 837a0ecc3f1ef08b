//! Copies conjunctions from a frozen segment into an encoder, number for number: what a merge does instead of reading
//! rules back as patterns and writing them anew. The paths of both are those of one trie.
//!
//! COST: a conjunction costs its fields; every operand, range, wildcard and block is looked up once a segment.

use super::{
    encode::Encoder,
    operands::NONE,
    record::{Branch, Cond, ConjId, FieldRec, Form, Op, SHARES_ARRAYS},
    segment::Segment,
};

/// What of a segment was already copied.
pub struct Import<'a> {
    from: &'a Segment,
    /// By number there, the number here, or `NONE`; so are the lists below.
    operands: Vec<u32>,
    ranges: Vec<u32>,
    wildcards: Vec<u32>,
    cidrs: Vec<u32>,
    conjs: Vec<ConjId>,
    fields: Vec<FieldRec>,
    conds: Vec<Cond>,
    members: Vec<u32>,
}

impl<'a> Import<'a> {
    /// Nothing was copied yet.
    pub fn new(from: &'a Segment) -> Self {
        let records = &from.records;
        Self {
            from,
            operands: vec![NONE; from.operands.len()],
            ranges: vec![NONE; records.ranges.len()],
            wildcards: vec![NONE; records.wildcards.len()],
            cidrs: vec![NONE; records.cidrs.len()],
            conjs: vec![NONE; records.conjs.len()],
            fields: vec![],
            conds: vec![],
            members: vec![],
        }
    }

    /// Copies a conjunction, for rule `rule` there; returns its number there.
    pub fn conjunction(&mut self, conj: ConjId, rule: u32, to: &mut Encoder) -> ConjId {
        let known = self.conjs[conj as usize];
        if known != NONE {
            to.attach(known, rule);
            return known;
        }
        let (from, mut fields) = (self.from, std::mem::take(&mut self.fields));
        let rec = &from.records.conjs[conj as usize];
        fields.clear();
        fields.extend(from.records.fields_of(rec).iter().map(|f| self.field(f, to)));
        let new = match from.records.groups_of(rec) {
            Some(groups) => {
                let groups = groups.iter().map(|group| self.group(group, to)).collect();
                to.add(&fields, groups, rec.flags & SHARES_ARRAYS, rule)
            }
            None => to.known(&fields, rule).unwrap_or_else(|| to.add(&fields, vec![], rec.flags & SHARES_ARRAYS, rule)),
        };
        self.fields = fields;
        self.conjs[conj as usize] = new;
        new
    }

    fn group(&mut self, group: &[Branch], to: &mut Encoder) -> Vec<Branch> {
        let from = self.from;
        let branch = |branch: &Branch| {
            let fields: Vec<FieldRec> = from.records.branch_fields(branch).iter().map(|f| self.field(f, to)).collect();
            let groups = branch.groups.iter().map(|g| self.group(g, to)).collect();
            to.branch(&fields, groups)
        };
        group.iter().map(branch).collect()
    }

    fn field(&mut self, field: &FieldRec, to: &mut Encoder) -> FieldRec {
        let form = match field.form() {
            Form::One(cond) => Form::One(self.cond(cond, to)),
            _ => {
                let mut conds = std::mem::take(&mut self.conds);
                conds.clear();
                self.from.records.each_cond(field, |cond| conds.push(cond));
                conds.iter_mut().for_each(|cond| *cond = self.cond(*cond, to));
                let form = to.form(&mut conds);
                self.conds = conds;
                form
            }
        };
        FieldRec::new(field.path(), form)
    }

    fn cond(&mut self, cond: Cond, to: &mut Encoder) -> Cond {
        let arg = match cond.op {
            Op::Present | Op::Absent => cond.arg,
            Op::NotExact | Op::NotPrefix | Op::NotSuffix | Op::NotIgnoreCase | Op::NotWildcard => {
                let mut members = std::mem::take(&mut self.members);
                members.clear();
                for member in self.from.records.list(cond.arg) {
                    members.push(if cond.op == Op::NotWildcard { self.wildcard(*member, to) } else { self.operand(*member, to) });
                }
                members.sort_unstable();
                let at = to.list(&members);
                self.members = members;
                at
            }
            Op::Wildcard => self.wildcard(cond.arg, to),
            Op::Range => once(&mut self.ranges, cond.arg, || to.range(&self.from.records.ranges[cond.arg as usize])),
            Op::Cidr => once(&mut self.cidrs, cond.arg, || to.cidr(&self.from.records.cidrs[cond.arg as usize])),
            Op::Exact | Op::Ip | Op::IgnoreCase | Op::Prefix | Op::PrefixIgnoreCase | Op::Suffix | Op::SuffixIgnoreCase => {
                self.operand(cond.arg, to)
            }
        };
        Cond { op: cond.op, arg }
    }

    fn operand(&mut self, operand: u32, to: &mut Encoder) -> u32 {
        let from = &self.from.operands;
        once(&mut self.operands, operand, || to.operands.intern(from.kind(operand), from.bytes(operand)))
    }

    fn wildcard(&mut self, wildcard: u32, to: &mut Encoder) -> u32 {
        once(&mut self.wildcards, wildcard, || to.wildcard(&self.from.records.wildcards[wildcard as usize]))
    }
}

/// The number here of a number there, made when it is asked for the first time.
fn once(known: &mut [u32], number: u32, make: impl FnOnce() -> u32) -> u32 {
    let known = &mut known[number as usize];
    if *known == NONE {
        *known = make();
    }
    *known
}
