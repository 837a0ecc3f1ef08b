//! Writes conjunctions down as records. Equal operands, ranges, wildcards, lists and whole conjunctions are kept once:
//! a million rules with the same pattern share one conjunction and cost a few bytes each.

use super::{
    list::SHORT,
    once::Once,
    operands::{FALSE, NULL, OperandHasher, OperandId, OperandKind, Operands, TRUE},
    record::{Branch, Cond, ConjId, ConjRec, FieldRec, Form, HAS_OR, MANY_RULES, Op, Records, SHARES_ARRAYS, Share},
    segment::need,
};
use crate::map::Map;
use crate::{
    compile::Conjunction,
    path::{PathId, PathTrie, ROOT},
    pattern::tree::{AnythingBut, Field, Matcher, Number, Range, Text, Wildcard},
    value::ip::{Cidr, Ip},
};
use std::{hash::Hash, sync::Arc};

/// The trie of a rule set under change: copied only when a path or a mark is really new, since snapshots share it.
pub struct Paths {
    trie: Arc<PathTrie>,
}

impl Paths {
    /// Starts from the current trie.
    pub fn new(trie: Arc<PathTrie>) -> Self {
        Self { trie }
    }

    /// The trie as it is now.
    pub fn trie(&self) -> &Arc<PathTrie> {
        &self.trie
    }

    /// The number of a path, wanted from now on.
    fn want(&mut self, joined: &[u8]) -> PathId {
        match self.trie.find(joined) {
            Some(id) if self.trie.is_wanted(id) => id,
            _ => {
                let trie = Arc::make_mut(&mut self.trie);
                let id = trie.intern(joined);
                trie.set_wanted(id);
                id
            }
        }
    }

    /// Adds the paths of another trie; returns by node there the node here.
    pub fn absorb(&mut self, other: &PathTrie) -> Vec<PathId> {
        self.trie.knows(other).unwrap_or_else(|| Arc::make_mut(&mut self.trie).absorb(other))
    }

    fn share(&mut self, id: PathId) {
        if !self.trie.is_shared(id) {
            Arc::make_mut(&mut self.trie).set_shared(id);
        }
    }
}

/// Collects records; becomes `(Operands, Records)`.
pub struct Encoder {
    /// Texts, numbers, addresses.
    pub operands: Operands,
    /// What was written.
    pub records: Records,
    /// By content, the numbers or places in `records`; so are the tables below.
    ranges: Once,
    wildcards: Once,
    cidrs: Once,
    lists: Once,
    cond_lists: Once,
    conjs: Once,
    /// Rules of conjunctions that more than one rule has.
    shared: Map<ConjId, Vec<u32>>,
    /// By path: what has to be known about its values (`segment::need`).
    needs: Vec<u8>,
    /// Lists of paths that `mark_shared` has seen, and what it said.
    marked: Map<Box<[PathId]>, u8>,
    /// The fields of the conjunction at hand, its paths, and the conditions of the field at hand and their operands.
    fields: Vec<FieldRec>,
    ids: Vec<PathId>,
    field_conds: Vec<Cond>,
    args: Vec<u32>,
}

/// So many conjunctions are written before lists of paths are remembered, and so many lists are.
const FEW: usize = 16;
const MOST_MARKED: usize = 4096;

/// What an encoder wrote.
pub struct Encoded {
    /// Texts, numbers, addresses.
    pub operands: Operands,
    /// The records.
    pub records: Records,
    /// By path: what verification has to know about its values.
    pub needs: Vec<u8>,
}

impl Encoder {
    /// An empty one.
    pub fn new(hasher: OperandHasher) -> Self {
        Self {
            operands: Operands::new(hasher),
            records: Records::default(),
            ranges: Once::default(),
            wildcards: Once::default(),
            cidrs: Once::default(),
            lists: Once::default(),
            cond_lists: Once::default(),
            conjs: Once::default(),
            shared: Map::default(),
            needs: Vec::new(),
            marked: Map::default(),
            fields: Vec::new(),
            ids: Vec::new(),
            field_conds: Vec::new(),
            args: Vec::new(),
        }
    }

    /// Makes room for so many conjunctions.
    pub fn reserve(&mut self, conjs: usize) {
        self.conjs.reserve(conjs);
        self.records.conjs.reserve(conjs);
        self.records.fields.reserve(3 * conjs);
    }

    /// Writes a conjunction of rule `rule`, or finds the equal one; adds its paths to the paths.
    pub fn conjunction(&mut self, conjunction: &Conjunction, rule: u32, paths: &mut Paths) -> ConjId {
        self.conjoined(conjunction.fields.iter(), &conjunction.ors, rule, paths)
    }

    /// The same for a conjunction of fields and `$or` groups, each path at most once.
    pub fn conjoined<'f>(
        &mut self,
        given: impl Iterator<Item = &'f Field>,
        ors: &[Vec<Conjunction>],
        rule: u32,
        paths: &mut Paths,
    ) -> ConjId {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        fields.extend(given.map(|f| self.field(f, paths)));
        fields.sort_unstable_by_key(FieldRec::path);
        let known = if ors.is_empty() { self.known(&fields, rule) } else { None };
        let conj = known.unwrap_or_else(|| {
            let mut ids = std::mem::take(&mut self.ids);
            ids.clear();
            ids.extend(fields.iter().map(FieldRec::path));
            let groups: Vec<Vec<Branch>> = ors.iter().map(|group| self.group(group, paths)).collect();
            gather_paths(&groups, &self.records, &mut ids);
            let flags = self.mark_shared(&mut ids, paths);
            self.ids = ids;
            self.add(&fields, groups, flags, rule)
        });
        self.fields = fields;
        conj
    }

    /// As `mark_shared`; most rules have the paths of rules before them.
    fn mark_shared(&mut self, ids: &mut Vec<PathId>, paths: &mut Paths) -> u8 {
        ids.sort_unstable();
        ids.dedup();
        if let Some(flags) = self.marked.get(&ids[..]) {
            return *flags;
        }
        let flags = mark_shared(ids, paths);
        if self.records.conjs.len() >= FEW && self.marked.len() < MOST_MARKED {
            self.marked.insert(ids[..].into(), flags);
        }
        flags
    }

    /// The conjunction without `$or` that has these fields, if there is one: it is the rule's from now on.
    pub(super) fn known(&mut self, fields: &[FieldRec], rule: u32) -> Option<ConjId> {
        let records = &self.records;
        let conj = self.conjs.find(fields, |conj| records.fields_of(&records.conjs[conj as usize]) == fields)?;
        self.attach(conj, rule);
        Some(conj)
    }

    /// Gives a conjunction that is there to one more rule.
    pub(super) fn attach(&mut self, conj: ConjId, rule: u32) {
        let first = self.records.conjs[conj as usize].rules;
        let rules = self.shared.entry(conj).or_insert_with(|| vec![first]);
        // The same conjunction twice in one rule counts once.
        if rules.last() != Some(&rule) {
            rules.push(rule);
        }
    }

    /// Writes a conjunction that is not there; `flags` says whether it shares arrays.
    pub(super) fn add(&mut self, fields: &[FieldRec], groups: Vec<Vec<Branch>>, mut flags: u8, rule: u32) -> ConjId {
        let records = &mut self.records;
        let (start, field_count) = (records.fields.len() as u32, fields.len() as u16);
        records.fields.extend_from_slice(fields);
        let conj = records.conjs.len() as ConjId;
        let mut group_at = 0;
        if !groups.is_empty() {
            flags |= HAS_OR;
            group_at = records.groups.len() as u32;
            records.groups.push(groups);
        }
        records.conjs.push(ConjRec { fields: start, field_count, flags, share: Share::default(), groups: group_at, rules: rule });
        if flags & HAS_OR == 0 {
            self.conjs.insert(fields, conj);
        }
        conj
    }

    /// Gives rule n the number `numbers[n]`.
    pub fn renumber(&mut self, numbers: &[u32]) {
        self.records.conjs.iter_mut().for_each(|conj| conj.rules = numbers[conj.rules as usize]);
        self.shared.values_mut().flatten().for_each(|rule| *rule = numbers[*rule as usize]);
    }

    /// Gives path n the number `paths[n]`. Nothing may be written afterwards.
    pub fn map_paths(&mut self, paths: &[PathId]) {
        let records = &mut self.records;
        records.fields.iter_mut().for_each(|field| *field = FieldRec::new(paths[field.path() as usize], field.form()));
        for conj in &records.conjs {
            let start = conj.fields as usize;
            records.fields[start..start + conj.field_count as usize].sort_unstable_by_key(FieldRec::path);
        }
        let needs = std::mem::take(&mut self.needs);
        needs.iter().zip(paths).for_each(|(bits, path)| self.need(*path, *bits));
    }

    /// Notes what has to be known about a path's values.
    pub(super) fn need(&mut self, path: PathId, bits: u8) {
        if self.needs.len() <= path as usize {
            self.needs.resize(path as usize + 1, 0);
        }
        self.needs[path as usize] |= bits;
    }

    /// Writes the rule lists of shared conjunctions and gives everything back; `paths` is the number of all paths.
    pub fn finish(mut self, paths: usize) -> Encoded {
        for (conj, mut rules) in std::mem::take(&mut self.shared) {
            rules.sort_unstable();
            rules.dedup();
            if rules.len() > 1 {
                let at = self.list(&rules);
                let rec = &mut self.records.conjs[conj as usize];
                rec.rules = at;
                rec.flags |= MANY_RULES;
            }
        }
        let records = &mut self.records;
        records.conjs.shrink_to_fit();
        records.fields.shrink_to_fit();
        records.conds.shrink_to_fit();
        records.lists.shrink_to_fit();
        self.needs.resize(paths, 0);
        Encoded { operands: self.operands, records: self.records, needs: self.needs }
    }

    /// A list of numbers, kept once; returns its place.
    pub fn list(&mut self, members: &[u32]) -> u32 {
        let records = &mut self.records;
        if let Some(at) = self.lists.find(members, |at| records.list(at) == members) {
            return at;
        }
        let at = records.lists.len() as u32;
        records.lists.push(members.len() as u32);
        records.lists.extend_from_slice(members);
        self.lists.insert(members, at);
        at
    }

    fn group(&mut self, group: &[Conjunction], paths: &mut Paths) -> Vec<Branch> {
        group
            .iter()
            .map(|alternative| {
                let fields: Vec<FieldRec> = alternative.fields.iter().map(|f| self.field(f, paths)).collect();
                let groups = alternative.ors.iter().map(|g| self.group(g, paths)).collect();
                self.branch(&fields, groups)
            })
            .collect()
    }

    /// Writes an alternative.
    pub(super) fn branch(&mut self, fields: &[FieldRec], groups: Vec<Vec<Branch>>) -> Branch {
        let start = self.records.fields.len() as u32;
        self.records.fields.extend_from_slice(fields);
        Branch { fields: (start, fields.len() as u32), groups }
    }

    fn field(&mut self, field: &Field, paths: &mut Paths) -> FieldRec {
        let path = paths.want(&field.path);
        if let [one] = &field.matchers[..] {
            let cond = self.cond(one);
            self.need(path, need_of(cond, &self.operands, &self.records));
            return FieldRec::new(path, Form::One(cond));
        }
        let mut conds = std::mem::take(&mut self.field_conds);
        conds.clear();
        conds.extend(field.matchers.iter().map(|m| self.cond(m)));
        let needs = conds.iter().fold(0, |bits, cond| bits | need_of(*cond, &self.operands, &self.records));
        self.need(path, needs);
        let form = self.form(&mut conds);
        self.field_conds = conds;
        FieldRec::new(path, form)
    }

    /// How these conditions are stored; sorts them.
    pub(super) fn form(&mut self, conds: &mut Vec<Cond>) -> Form {
        conds.sort_unstable();
        conds.dedup();
        if conds.len() == 1 {
            Form::One(conds[0])
        } else if conds.iter().all(|c| c.op == Op::Exact) {
            let mut args = std::mem::take(&mut self.args);
            args.clear();
            args.extend(conds.iter().map(|c| c.arg));
            let at = self.list(&args);
            self.args = args;
            Form::AnyExact(at)
        } else {
            Form::Any(self.conds(conds))
        }
    }

    fn conds(&mut self, conds: &[Cond]) -> u32 {
        let records = &mut self.records;
        if let Some(at) = self.cond_lists.find(conds, |at| records.any(at) == conds) {
            return at;
        }
        let at = records.conds.len() as u32;
        records.conds.push(Cond { op: Op::Exact, arg: conds.len() as u32 });
        records.conds.extend_from_slice(conds);
        self.cond_lists.insert(conds, at);
        at
    }

    fn cond(&mut self, matcher: &Matcher) -> Cond {
        let (op, arg) = match matcher {
            Matcher::String(text) => match Ip::parse(text) {
                Some(ip) => (Op::Ip, self.operands.intern(OperandKind::Ip, &ip.bytes())),
                None => (Op::Exact, self.text(text)),
            },
            Matcher::Exactly(text) => (Op::Exact, self.text(text)),
            Matcher::Number(number) => (Op::Exact, self.number(number)),
            Matcher::True => (Op::Exact, TRUE),
            Matcher::False => (Op::Exact, FALSE),
            Matcher::Null => (Op::Exact, NULL),
            Matcher::Prefix(text) => (Op::Prefix, self.text(text)),
            Matcher::PrefixIgnoreCase(text) => (Op::PrefixIgnoreCase, self.text(text)),
            Matcher::Suffix(text) => (Op::Suffix, self.text(text)),
            Matcher::SuffixIgnoreCase(text) => (Op::SuffixIgnoreCase, self.text(text)),
            Matcher::EqualsIgnoreCase(text) => (Op::IgnoreCase, self.text(text)),
            Matcher::Wildcard(wildcard) => match &wildcard.pieces[..] {
                // What other families say as well, they say faster.
                [text] => (Op::Exact, self.text(text)),
                [text, end] if end.is_empty() => (Op::Prefix, self.text(text)),
                [start, text] if start.is_empty() => (Op::Suffix, self.text(text)),
                _ => (Op::Wildcard, self.wildcard(wildcard)),
            },
            Matcher::Numeric(range) => (Op::Range, self.range(range)),
            Matcher::Cidr(cidr) => (Op::Cidr, self.cidr(cidr)),
            Matcher::Exists(true) => (Op::Present, 0),
            Matcher::Exists(false) => (Op::Absent, 0),
            Matcher::AnythingBut(anything_but) => self.anything_but(anything_but),
        };
        Cond { op, arg }
    }

    fn anything_but(&mut self, anything_but: &AnythingBut) -> (Op, u32) {
        let (op, mut members): (Op, Vec<u32>) = match anything_but {
            AnythingBut::Strings(texts) => (Op::NotExact, texts.iter().map(|t| self.text(t)).collect()),
            AnythingBut::Numbers(keys) => {
                (Op::NotExact, keys.iter().map(|k| self.operands.intern(OperandKind::Number, &k.to_be_bytes())).collect())
            }
            AnythingBut::Prefix(texts) => (Op::NotPrefix, texts.iter().map(|t| self.text(t)).collect()),
            AnythingBut::Suffix(texts) => (Op::NotSuffix, texts.iter().map(|t| self.text(t)).collect()),
            AnythingBut::IgnoreCase(texts) => (Op::NotIgnoreCase, texts.iter().map(|t| self.text(t)).collect()),
            AnythingBut::Wildcard(wildcards) => (Op::NotWildcard, wildcards.iter().map(|w| self.wildcard(w)).collect()),
        };
        members.sort_unstable();
        members.dedup();
        (op, self.list(&members))
    }

    fn text(&mut self, text: &Text) -> OperandId {
        self.operands.intern(OperandKind::String, text)
    }

    fn number(&mut self, number: &Number) -> OperandId {
        match number.key {
            Some(key) => self.operands.intern(OperandKind::Number, &key.to_be_bytes()),
            None => self.operands.intern(OperandKind::NumberText, &number.text),
        }
    }

    pub(super) fn wildcard(&mut self, wildcard: &Wildcard) -> u32 {
        numbered(&mut self.wildcards, &mut self.records.wildcards, wildcard)
    }

    pub(super) fn range(&mut self, range: &Range) -> u32 {
        numbered(&mut self.ranges, &mut self.records.ranges, range)
    }

    pub(super) fn cidr(&mut self, cidr: &Cidr) -> u32 {
        numbered(&mut self.cidrs, &mut self.records.cidrs, cidr)
    }
}

fn numbered<T: Clone + Eq + Hash>(known: &mut Once, list: &mut Vec<T>, item: &T) -> u32 {
    known.find(item, |n| list[n as usize] == *item).unwrap_or_else(|| {
        let n = list.len() as u32;
        list.push(item.clone());
        known.insert(item, n);
        n
    })
}

fn gather_paths(groups: &[Vec<Branch>], records: &Records, ids: &mut Vec<PathId>) {
    for branch in groups.iter().flatten() {
        ids.extend(records.branch_fields(branch).iter().map(FieldRec::path));
        gather_paths(&branch.groups, records, ids);
    }
}

/// What has to be known about a value to ask a condition.
pub(super) fn need_of(cond: Cond, operands: &Operands, records: &Records) -> u8 {
    let exact = |arg: u32| match operands.kind(arg) {
        OperandKind::Number | OperandKind::NumberText => need::NUMBER,
        OperandKind::String => need::STRING,
        _ => 0,
    };
    match cond.op {
        Op::Exact => exact(cond.arg),
        // Few texts are compared: that costs less than to look the value up.
        Op::NotExact if asks_few_texts(cond, operands, records) => 0,
        Op::NotExact => records.list(cond.arg).iter().fold(0, |bits, arg| bits | exact(*arg)),
        Op::Range => need::NUMBER,
        Op::Ip | Op::Cidr => need::IP,
        _ => 0,
    }
}

/// Whether an `anything-but` names so few texts that it can do without the value's operand.
fn asks_few_texts(cond: Cond, operands: &Operands, records: &Records) -> bool {
    let list = records.list(cond.arg);
    list.len() <= SHORT && list.iter().all(|member| operands.kind(*member) == OperandKind::String)
}

/// Marks every node of the trie at or below which a conjunction with these paths has two of them or more: there the
/// walk has to remember array elements. Returns `SHARES_ARRAYS` if there is such a node.
fn mark_shared(ids: &[PathId], paths: &mut Paths) -> u8 {
    if ids.len() < 2 {
        return 0;
    }
    let mut above: Vec<PathId> = Vec::with_capacity(ids.len() * 3);
    for mut id in ids.iter().copied() {
        while id != ROOT {
            above.push(id);
            id = paths.trie.parent(id);
        }
    }
    above.sort_unstable();
    let mut flags = 0;
    for pair in above.windows(2) {
        if pair[0] == pair[1] {
            paths.share(pair[0]);
            flags = SHARES_ARRAYS;
        }
    }
    flags
}
