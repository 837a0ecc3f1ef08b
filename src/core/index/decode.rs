//! Reads a rule back from the index as a pattern: equal in meaning to what was put, in a canonical spelling
//! (addresses and numbers in their shortest form, wildcards that are prefixes or suffixes as such).

use super::{
    operands::{FALSE, NULL, OperandKind, TRUE},
    record::{Branch, Cond, FieldRec, Op},
    segment::Segment,
};
use crate::{
    compile::Conjunction,
    path::PathTrie,
    pattern::tree::{AnythingBut, Field, Item, Matcher, Number, Pattern, Text},
    value::{ip::Ip, number},
};
use std::net::{Ipv4Addr, Ipv6Addr};

impl Segment {
    /// A rule as a pattern.
    pub fn pattern(&self, rule: u32, trie: &PathTrie) -> Pattern {
        if let Some(pattern) = self.sources.get(&rule) {
            return pattern.clone();
        }
        let conjunction = self.conjunction(self.rules[rule as usize].conj, trie);
        Pattern { items: items(conjunction) }
    }

    /// A conjunction as it was before it was encoded.
    pub fn conjunction(&self, conj: u32, trie: &PathTrie) -> Conjunction {
        let rec = &self.records.conjs[conj as usize];
        let fields = self.records.fields_of(rec).iter().map(|f| self.field(f, trie)).collect();
        let groups = self.records.groups_of(rec).unwrap_or(&[]);
        Conjunction { fields, ors: groups.iter().map(|g| self.group(g, trie)).collect() }
    }

    fn group(&self, group: &[Branch], trie: &PathTrie) -> Vec<Conjunction> {
        group
            .iter()
            .map(|branch| Conjunction {
                fields: self.records.branch_fields(branch).iter().map(|f| self.field(f, trie)).collect(),
                ors: branch.groups.iter().map(|g| self.group(g, trie)).collect(),
            })
            .collect()
    }

    fn field(&self, field: &FieldRec, trie: &PathTrie) -> Field {
        let mut matchers = Vec::new();
        self.records.each_cond(field, |cond| matchers.push(self.matcher(cond)));
        Field { path: trie.name(field.path()).into_boxed_slice(), matchers }
    }

    /// One condition as a matcher.
    pub fn matcher(&self, cond: Cond) -> Matcher {
        let text = |arg: u32| -> Text { self.operands.bytes(arg).into() };
        match cond.op {
            Op::Exact => match (cond.arg, self.operands.kind(cond.arg)) {
                (TRUE, _) => Matcher::True,
                (FALSE, _) => Matcher::False,
                (NULL, _) => Matcher::Null,
                (arg, OperandKind::Number) => {
                    let key = self.key(arg);
                    Matcher::Number(Number { text: number::shortest(key).into_bytes().into(), key: Some(key) })
                }
                (arg, OperandKind::NumberText) => Matcher::Number(Number { text: text(arg), key: None }),
                (arg, _) if Ip::parse(self.operands.bytes(arg)).is_some() => Matcher::Exactly(text(arg)),
                (arg, _) => Matcher::String(text(arg)),
            },
            Op::Ip => Matcher::String(address(self.operands.bytes(cond.arg)).into_bytes().into()),
            Op::IgnoreCase => Matcher::EqualsIgnoreCase(text(cond.arg)),
            Op::Prefix => Matcher::Prefix(text(cond.arg)),
            Op::PrefixIgnoreCase => Matcher::PrefixIgnoreCase(text(cond.arg)),
            Op::Suffix => Matcher::Suffix(text(cond.arg)),
            Op::SuffixIgnoreCase => Matcher::SuffixIgnoreCase(text(cond.arg)),
            Op::Wildcard => Matcher::Wildcard(self.records.wildcards[cond.arg as usize].clone()),
            Op::Range => Matcher::Numeric(self.records.ranges[cond.arg as usize]),
            Op::Cidr => Matcher::Cidr(self.records.cidrs[cond.arg as usize]),
            Op::Present => Matcher::Exists(true),
            Op::Absent => Matcher::Exists(false),
            Op::NotExact | Op::NotPrefix | Op::NotSuffix | Op::NotIgnoreCase | Op::NotWildcard => {
                Matcher::AnythingBut(self.anything_but(cond))
            }
        }
    }

    fn anything_but(&self, cond: Cond) -> AnythingBut {
        let list = self.records.list(cond.arg);
        let texts = || list.iter().map(|arg| self.operands.bytes(*arg).into()).collect();
        match cond.op {
            Op::NotExact if self.operands.kind(list[0]) == OperandKind::Number => {
                AnythingBut::Numbers(list.iter().map(|arg| self.key(*arg)).collect())
            }
            Op::NotExact => AnythingBut::Strings(texts()),
            Op::NotPrefix => AnythingBut::Prefix(texts()),
            Op::NotSuffix => AnythingBut::Suffix(texts()),
            Op::NotIgnoreCase => AnythingBut::IgnoreCase(texts()),
            _ => AnythingBut::Wildcard(list.iter().map(|w| self.records.wildcards[*w as usize].clone()).collect()),
        }
    }

    fn key(&self, arg: u32) -> u64 {
        u64::from_be_bytes(self.operands.bytes(arg).try_into().expect("a number's operand has 8 bytes"))
    }
}

fn items(conjunction: Conjunction) -> Vec<Item> {
    let fields = conjunction.fields.into_iter().map(Item::Field);
    fields.chain(groups(conjunction.ors)).collect()
}

/// `$or` groups as items.
pub fn groups(ors: Vec<Vec<Conjunction>>) -> Vec<Item> {
    ors.into_iter().map(|group| Item::Or(group.into_iter().map(items).collect())).collect()
}

/// The text of an address from its 17 bytes.
fn address(bytes: &[u8]) -> String {
    let left = u128::from_be_bytes(bytes[1..].try_into().expect("an address has 17 bytes"));
    if bytes[0] == 0 {
        return Ipv4Addr::from((left >> 96) as u32).to_string();
    }
    // An IPv4-mapped address is printed without the dotted tail, which the language does not read.
    let groups = Ipv6Addr::from(left).segments();
    if groups[..6] == [0, 0, 0, 0, 0, 0xffff] || groups[..6] == [0; 6] {
        return groups.map(|g| format!("{g:x}")).join(":");
    }
    Ipv6Addr::from(left).to_string()
}
