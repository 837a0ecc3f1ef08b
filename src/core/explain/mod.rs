//! Why a pattern matched an event or did not: the pattern's conditions, each with its verdict, the values found, and
//! the nearest value that would have matched. For people, not for the hot path; COST: a build of one rule and a match.
//!
//! The verdict is the engine's own; the conditions are evaluated by the same code that verifies candidates.

mod hint;

use crate::{
    error::EventError,
    index::{
        operands::NONE,
        record::{Branch, ConjRec, FieldRec},
    },
    json::string::escape_into,
    limits::EventLimits,
    matcher::verify::{Event, Memo},
    path::PathTrie,
    pattern::{
        self,
        tree::{Matcher, Pattern},
    },
    store::{Change, Put, RuleSet, Scratch, Snapshot},
    walk::{Kind, Validation},
};
use std::fmt::Write as _;

/// An event that was matched against one pattern, with everything needed to explain the verdict.
struct Case<'a> {
    event: Event<'a>,
    trie: &'a PathTrie,
    text: &'a [u8],
}

/// Explains a pattern and an event; JSON text of this shape:
/// `{"matched": bool, "conditions": [CONDITION...], "note": str or null}`, CONDITION being
/// `{"kind": "field", "path": str, "matched": bool, "alternatives": [{"operator": str, "operand": JSON, "matched": bool}...],
/// "found": [JSON...], "hint": str or null}` or `{"kind": "or", "matched": bool, "branches": [[CONDITION...]...]}`.
/// `note` says when every condition holds by itself but not within one array element.
pub fn explain(pattern: &Pattern, event: &[u8], level: Validation, limits: EventLimits) -> Result<String, EventError> {
    let (snapshot, mut scratch) = (alone(pattern, limits), Scratch::default());
    snapshot.match_whole(event, level, &mut scratch)?;
    Ok(describe(&snapshot, event, &mut scratch))
}

/// Explains a pattern and an event that is not text: `fill` puts its leaves into the scratch, all of them copied.
pub fn explain_leaves<E: From<EventError>>(
    pattern: &Pattern,
    limits: EventLimits,
    fill: impl FnOnce(&Snapshot, &mut Scratch) -> Result<(), E>,
) -> Result<String, E> {
    let (snapshot, mut scratch) = (alone(pattern, limits), Scratch::default());
    fill(&snapshot, &mut scratch)?;
    snapshot.match_leaves(&mut scratch)?;
    Ok(describe(&snapshot, &[], &mut scratch))
}

/// The pattern as the only rule of a set.
fn alone(pattern: &Pattern, limits: EventLimits) -> std::sync::Arc<Snapshot> {
    let set = RuleSet::new(limits);
    // One accepted pattern is within the capacity of an empty set; if it were not, the snapshot would be empty.
    let _ = set.apply(Change { remove: vec![], put: vec![Put { replaces: None, pattern: pattern.clone() }] });
    set.load()
}

fn describe(snapshot: &Snapshot, text: &[u8], scratch: &mut Scratch) -> String {
    let matched = !scratch.matches.is_empty();
    let mut out = String::new();
    let _ = write!(out, "{{\"matched\":{matched},\"conditions\":");
    let mut all_hold = false;
    if let Some((segment, values, leaves)) = snapshot.prepared(scratch) {
        let event = Event { segment, values, text, unescaped: &leaves.unescaped, trails: &leaves.trails };
        let case = Case { event, trie: snapshot.trie(), text };
        let records = &segment.records;
        let conjs: Vec<&ConjRec> = segment.conjunctions_of(0).iter().map(|c| &records.conjs[*c as usize]).collect();
        all_hold = match conjs[..] {
            [conj] => case.conditions(records.fields_of(conj), records.groups_of(conj).unwrap_or(&[]), &mut out),
            _ => {
                let mut any = false;
                let mut branches = String::new();
                for conj in conjs {
                    separate(&mut branches);
                    any |= case.conditions(records.fields_of(conj), &[], &mut branches);
                }
                let _ = write!(out, "[{{\"kind\":\"or\",\"matched\":{any},\"branches\":[{branches}]}}]");
                any
            }
        };
    } else {
        out.push_str("[]");
    }
    out.push_str(",\"note\":");
    if all_hold && !matched {
        quote(
            "every condition holds by itself, but not together: the values lie in different elements of one array, \
             and a rule takes all values of an array from a single element",
            &mut out,
        );
    } else {
        out.push_str("null");
    }
    out.push('}');
    out
}

fn quote(text: &str, out: &mut String) {
    escape_into(text.as_bytes(), out);
}

fn separate(out: &mut String) {
    if !out.is_empty() && !out.ends_with('[') {
        out.push(',');
    }
}

impl Case<'_> {
    /// Writes a list of conditions; returns whether all of them hold, arrays aside.
    fn conditions(&self, fields: &[FieldRec], groups: &[Vec<Branch>], out: &mut String) -> bool {
        let mut all = true;
        out.push('[');
        for field in fields {
            separate(out);
            all &= self.field(field, out);
        }
        for group in groups {
            separate(out);
            let mut any = false;
            let mut branches = String::new();
            for branch in group {
                separate(&mut branches);
                any |= self.conditions(self.event.segment.records.branch_fields(branch), &branch.groups, &mut branches);
            }
            let _ = write!(out, "{{\"kind\":\"or\",\"matched\":{any},\"branches\":[{branches}]}}");
            all &= any;
        }
        out.push(']');
        all
    }

    fn field(&self, field: &FieldRec, out: &mut String) -> bool {
        let path = field.path();
        let in_array = self.values_of(path).any(|v| self.event.values.values[v as usize].trail != 0);
        let holds = self.event.field_holds(field, in_array, &mut Memo::default());
        out.push_str("{\"kind\":\"field\",\"path\":");
        escape_into(&self.trie.name(path), out);
        let _ = write!(out, ",\"matched\":{holds},\"alternatives\":[");
        let mut matchers = Vec::new();
        self.event.segment.records.each_cond(field, |cond| {
            let one = FieldRec::new(path, crate::index::record::Form::One(cond));
            let matched = self.event.field_holds(&one, in_array, &mut Memo::default());
            let matcher = self.event.segment.matcher(cond);
            separate(out);
            self.alternative(&matcher, matched, out);
            matchers.push(matcher);
        });
        out.push_str("],\"found\":[");
        for (n, value) in self.values_of(path).enumerate() {
            // A few values show the case; a big array would bury it.
            if n == 20 {
                break;
            }
            separate(out);
            self.value(value, out);
        }
        out.push_str("],\"hint\":");
        match if holds { None } else { self.hint(field, &matchers) } {
            Some(hint) => quote(&hint, out),
            None => out.push_str("null"),
        }
        out.push('}');
        holds
    }

    fn values_of(&self, path: u32) -> impl Iterator<Item = u32> + '_ {
        let mut chain: Vec<u32> = Vec::new();
        let mut at = self.event.values.first_of_all(path);
        while at != NONE {
            chain.push(at);
            at = self.event.values.next_of_all(at);
        }
        chain.into_iter().rev()
    }

    /// A value as JSON text.
    fn value(&self, value: u32, out: &mut String) {
        let value = &self.event.values.values[value as usize];
        let bytes = value.bytes(self.event.text, self.event.unescaped);
        match value.kind {
            Kind::String => escape_into(bytes, out),
            Kind::Number => out.push_str(&String::from_utf8_lossy(bytes)),
            Kind::True => out.push_str("true"),
            Kind::False => out.push_str("false"),
            Kind::Null => out.push_str("null"),
        }
    }

    /// One alternative: the operator's name and its operand.
    fn alternative(&self, matcher: &Matcher, matched: bool, out: &mut String) {
        let json = pattern::print_matcher(matcher);
        let (operator, operand) = match matcher {
            Matcher::String(_) | Matcher::Number(_) | Matcher::True | Matcher::False | Matcher::Null => ("equals", &json[..]),
            // {"operator":operand}
            _ => {
                let colon = json.find("\":").unwrap_or(1);
                (&json[2..colon], &json[colon + 2..json.len() - 1])
            }
        };
        out.push_str("{\"operator\":");
        quote(operator, out);
        let _ = write!(out, ",\"operand\":{operand},\"matched\":{matched}}}");
    }
}
