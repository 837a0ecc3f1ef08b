//! Copies conjunctions that were written before into an encoder, number for number: what a merge of segments does instead
//! of reading rules back as patterns, and how what several threads wrote comes together.
//!
//! COST: a conjunction costs its fields; every operand, range, wildcard and block is looked up once a segment.

use super::{
    encode::{Encoder, need_of},
    operands::{NONE, Operands},
    record::{Branch, Cond, ConjId, FieldRec, Form, Op, Records, SHARES_ARRAYS},
};
use crate::path::PathId;

/// What was already copied of some records and their operands.
pub struct Import<'a> {
    records: &'a Records,
    texts: &'a Operands,
    /// By path there, the path here, unless they are the same.
    paths: Option<&'a [PathId]>,
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
    pub fn new(records: &'a Records, texts: &'a Operands, paths: Option<&'a [PathId]>) -> Self {
        Self {
            records,
            texts,
            paths,
            operands: vec![NONE; texts.len()],
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
        let (records, mut fields) = (self.records, std::mem::take(&mut self.fields));
        let rec = &records.conjs[conj as usize];
        fields.clear();
        fields.extend(records.fields_of(rec).iter().map(|f| self.field(f, to)));
        if self.paths.is_some() {
            fields.sort_unstable_by_key(FieldRec::path);
        }
        let new = match records.groups_of(rec) {
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
        let records = self.records;
        let branch = |branch: &Branch| {
            let fields: Vec<FieldRec> = records.branch_fields(branch).iter().map(|f| self.field(f, to)).collect();
            let groups = branch.groups.iter().map(|g| self.group(g, to)).collect();
            to.branch(&fields, groups)
        };
        group.iter().map(branch).collect()
    }

    fn field(&mut self, field: &FieldRec, to: &mut Encoder) -> FieldRec {
        let (records, texts) = (self.records, self.texts);
        let path = self.paths.map_or(field.path(), |paths| paths[field.path() as usize]);
        let form = match field.form() {
            Form::One(cond) => {
                to.need(path, need_of(cond, texts, records));
                Form::One(self.cond(cond, to))
            }
            _ => {
                let mut conds = std::mem::take(&mut self.conds);
                conds.clear();
                records.each_cond(field, |cond| conds.push(cond));
                to.need(path, conds.iter().fold(0, |bits, cond| bits | need_of(*cond, texts, records)));
                conds.iter_mut().for_each(|cond| *cond = self.cond(*cond, to));
                let form = to.form(&mut conds);
                self.conds = conds;
                form
            }
        };
        FieldRec::new(path, form)
    }

    fn cond(&mut self, cond: Cond, to: &mut Encoder) -> Cond {
        let arg = match cond.op {
            Op::Present | Op::Absent => cond.arg,
            Op::NotExact | Op::NotPrefix | Op::NotSuffix | Op::NotIgnoreCase | Op::NotWildcard => {
                let mut members = std::mem::take(&mut self.members);
                members.clear();
                for member in self.records.list(cond.arg) {
                    members.push(if cond.op == Op::NotWildcard { self.wildcard(*member, to) } else { self.operand(*member, to) });
                }
                members.sort_unstable();
                let at = to.list(&members);
                self.members = members;
                at
            }
            Op::Wildcard => self.wildcard(cond.arg, to),
            Op::Range => once(&mut self.ranges, cond.arg, || to.range(&self.records.ranges[cond.arg as usize])),
            Op::Cidr => once(&mut self.cidrs, cond.arg, || to.cidr(&self.records.cidrs[cond.arg as usize])),
            Op::Exact | Op::Ip | Op::IgnoreCase | Op::Prefix | Op::PrefixIgnoreCase | Op::Suffix | Op::SuffixIgnoreCase => {
                self.operand(cond.arg, to)
            }
        };
        Cond { op: cond.op, arg }
    }

    fn operand(&mut self, operand: u32, to: &mut Encoder) -> u32 {
        let texts = self.texts;
        once(&mut self.operands, operand, || to.operands.intern(texts.kind(operand), texts.bytes(operand)))
    }

    fn wildcard(&mut self, wildcard: u32, to: &mut Encoder) -> u32 {
        once(&mut self.wildcards, wildcard, || to.wildcard(&self.records.wildcards[wildcard as usize]))
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
