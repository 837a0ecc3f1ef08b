//! Writes conjunctions down as records. Equal operands, ranges, wildcards, lists and whole conjunctions are kept once:
//! a million rules with the same pattern share one conjunction and cost a few bytes each.

use super::{
    operands::{FALSE, NULL, OperandHasher, OperandId, OperandKind, Operands, TRUE},
    record::{Branch, Cond, ConjId, ConjRec, FieldRec, Form, HAS_OR, MANY_RULES, Op, Records, SHARES_ARRAYS},
};
use crate::map::Map;
use crate::{
    compile::Conjunction,
    path::{PathId, PathTrie, ROOT},
    pattern::tree::{AnythingBut, Field, Matcher, Number, Range, Text, Wildcard},
    value::ip::{Cidr, Ip},
};
use foldhash::fast::RandomState;
use std::{
    hash::{BuildHasher, Hash},
    sync::Arc,
};

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
    ranges: Map<Range, u32>,
    wildcards: Map<Wildcard, u32>,
    cidrs: Map<Cidr, u32>,
    /// Hash of a list's content to its places.
    lists: Map<u64, Vec<u32>>,
    /// Hash of a list of conditions to its places.
    cond_lists: Map<u64, Vec<u32>>,
    /// Hash of a conjunction's fields to the conjunctions.
    conjs: Map<u64, Vec<ConjId>>,
    /// Rules of conjunctions that more than one rule has.
    shared: Map<ConjId, Vec<u32>>,
    state: RandomState,
}

impl Encoder {
    /// An empty one.
    pub fn new(hasher: OperandHasher) -> Self {
        Self {
            operands: Operands::new(hasher),
            records: Records::default(),
            ranges: Map::default(),
            wildcards: Map::default(),
            cidrs: Map::default(),
            lists: Map::default(),
            cond_lists: Map::default(),
            conjs: Map::default(),
            shared: Map::default(),
            state: RandomState::default(),
        }
    }

    /// Writes a conjunction of rule `rule`, or finds the equal one; adds its paths to the paths.
    pub fn conjunction(&mut self, conjunction: &Conjunction, rule: u32, paths: &mut Paths) -> ConjId {
        let mut fields: Vec<FieldRec> = conjunction.fields.iter().map(|f| self.field(f, paths)).collect();
        fields.sort_unstable_by_key(FieldRec::path);
        if conjunction.ors.is_empty() {
            let hash = self.state.hash_one(&fields);
            let known = self.conjs.get(&hash).into_iter().flatten().copied();
            let equal = known.into_iter().find(|c| self.records.fields_of(&self.records.conjs[*c as usize]) == fields);
            if let Some(conj) = equal {
                let first = self.records.conjs[conj as usize].rules;
                let rules = self.shared.entry(conj).or_insert_with(|| vec![first]);
                // The same conjunction twice in one rule counts once.
                if rules.last() != Some(&rule) {
                    rules.push(rule);
                }
                return conj;
            }
            self.conjs.entry(hash).or_default().push(self.records.conjs.len() as ConjId);
        }
        let mut ids: Vec<PathId> = fields.iter().map(FieldRec::path).collect();
        let mut flags = 0;
        let mut groups = 0;
        if !conjunction.ors.is_empty() {
            flags |= HAS_OR;
            let encoded: Vec<Vec<Branch>> = conjunction.ors.iter().map(|group| self.group(group, paths)).collect();
            self.gather_paths(&encoded, &mut ids);
            groups = self.records.groups.len() as u32;
            self.records.groups.push(encoded);
        }
        flags |= mark_shared(ids, paths);
        let start = self.records.fields.len() as u32;
        let field_count = fields.len() as u16;
        self.records.fields.append(&mut fields);
        self.records.conjs.push(ConjRec { fields: start, field_count, flags, groups, rules: rule });
        self.records.conjs.len() as ConjId - 1
    }

    /// Writes the rule lists of shared conjunctions and gives everything back.
    pub fn finish(mut self) -> (Operands, Records) {
        for (conj, mut rules) in std::mem::take(&mut self.shared) {
            rules.sort_unstable();
            rules.dedup();
            if rules.len() > 1 {
                let at = self.list(rules);
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
        (self.operands, self.records)
    }

    /// A list of numbers, kept once; returns its place.
    pub fn list(&mut self, members: Vec<u32>) -> u32 {
        let hash = self.state.hash_one(&members);
        if let Some(at) = self.lists.get(&hash).into_iter().flatten().copied().find(|at| self.records.list(*at) == members) {
            return at;
        }
        let at = self.records.lists.len() as u32;
        self.records.lists.push(members.len() as u32);
        self.records.lists.extend(members);
        self.lists.entry(hash).or_default().push(at);
        at
    }

    fn group(&mut self, group: &[Conjunction], paths: &mut Paths) -> Vec<Branch> {
        group
            .iter()
            .map(|alternative| {
                let mut fields: Vec<FieldRec> = alternative.fields.iter().map(|f| self.field(f, paths)).collect();
                let groups = alternative.ors.iter().map(|g| self.group(g, paths)).collect();
                let start = self.records.fields.len() as u32;
                let count = fields.len() as u32;
                self.records.fields.append(&mut fields);
                Branch { fields: (start, count), groups }
            })
            .collect()
    }

    fn gather_paths(&self, groups: &[Vec<Branch>], ids: &mut Vec<PathId>) {
        for branch in groups.iter().flatten() {
            ids.extend(self.records.branch_fields(branch).iter().map(FieldRec::path));
            self.gather_paths(&branch.groups, ids);
        }
    }

    fn field(&mut self, field: &Field, paths: &mut Paths) -> FieldRec {
        let path = paths.want(&field.path);
        let mut conds: Vec<Cond> = field.matchers.iter().map(|m| self.cond(m)).collect();
        conds.sort_unstable();
        conds.dedup();
        let form = if conds.len() == 1 {
            Form::One(conds[0])
        } else if conds.iter().all(|c| c.op == Op::Exact) {
            Form::AnyExact(self.list(conds.iter().map(|c| c.arg).collect()))
        } else {
            Form::Any(self.conds(conds))
        };
        FieldRec::new(path, form)
    }

    fn conds(&mut self, conds: Vec<Cond>) -> u32 {
        let hash = self.state.hash_one(&conds);
        if let Some(at) = self.cond_lists.get(&hash).into_iter().flatten().copied().find(|at| self.records.any(*at) == conds) {
            return at;
        }
        let at = self.records.conds.len() as u32;
        self.records.conds.push(Cond { op: Op::Exact, arg: conds.len() as u32 });
        self.records.conds.extend(conds);
        self.cond_lists.entry(hash).or_default().push(at);
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
            Matcher::Numeric(range) => (Op::Range, numbered(&mut self.ranges, &mut self.records.ranges, range)),
            Matcher::Cidr(cidr) => (Op::Cidr, numbered(&mut self.cidrs, &mut self.records.cidrs, cidr)),
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
        (op, self.list(members))
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

    fn wildcard(&mut self, wildcard: &Wildcard) -> u32 {
        numbered(&mut self.wildcards, &mut self.records.wildcards, wildcard)
    }
}

fn numbered<T: Clone + Eq + Hash>(known: &mut Map<T, u32>, list: &mut Vec<T>, item: &T) -> u32 {
    if let Some(n) = known.get(item) {
        return *n;
    }
    list.push(item.clone());
    let n = list.len() as u32 - 1;
    known.insert(item.clone(), n);
    n
}

/// Marks every node of the trie at or below which a conjunction with these paths has two of them or more: there the
/// walk has to remember array elements. Returns `SHARES_ARRAYS` if there is such a node.
fn mark_shared(mut ids: Vec<PathId>, paths: &mut Paths) -> u8 {
    ids.sort_unstable();
    ids.dedup();
    if ids.len() < 2 {
        return 0;
    }
    let mut above: Vec<PathId> = Vec::with_capacity(ids.len() * 3);
    for mut id in ids {
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
