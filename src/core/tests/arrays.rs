//! Array consistency against the specification's own definition (sections 3 and 8), tried leaf by leaf: small random
//! events with nested arrays, scalars among objects and dotted twins; random conjunctions with absence and `$or`.
//! Relies on nothing of the engine but its public face; the definition below is written out without cleverness.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    store::{Change, Put, RuleSet, Scratch},
    walk::Validation,
};
use std::fmt::Write as _;

/// Pairs of a rule and an event.
const CASES: usize = if cfg!(debug_assertions) { 40_000 } else { 400_000 };

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

enum Json {
    Number(usize),
    Array(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

const KEYS: [&str; 7] = ["a", "b", "c", "a.b", "b.c", "a.b.c", "a.c"];

fn some_value(r: &mut Random, depth: usize, dotted: bool) -> Json {
    match r.below(if depth == 0 { 1 } else { 5 }) {
        0 => Json::Number(r.below(3)),
        1 | 2 => Json::Array((0..r.below(4)).map(|_| some_value(r, depth - 1, dotted)).collect()),
        _ => some_object(r, depth, dotted),
    }
}

fn some_object(r: &mut Random, depth: usize, dotted: bool) -> Json {
    let mut members: Vec<(&'static str, Json)> = vec![];
    for _ in 0..1 + r.below(3) {
        let key = KEYS[r.below(if dotted { KEYS.len() } else { 3 })];
        if members.iter().all(|(k, _)| *k != key) {
            members.push((key, some_value(r, depth.saturating_sub(1), dotted)));
        }
    }
    Json::Object(members)
}

fn write_json(json: &Json, out: &mut String) {
    match json {
        Json::Number(n) => write!(out, "{n}").expect("a string"),
        Json::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                write_json(item, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (n, (key, value)) in members.iter().enumerate() {
                write!(out, "{}\"{key}\":", if n > 0 { "," } else { "" }).expect("a string");
                write_json(value, out);
            }
            out.push('}');
        }
    }
}

struct Leaf {
    path: String,
    value: usize,
    /// (array, index) of every array whose element on the way is an object or an array.
    way: Vec<(usize, usize)>,
}

fn leaves_of(json: &Json, path: &str, way: &[(usize, usize)], arrays: &mut usize, out: &mut Vec<Leaf>) {
    match json {
        Json::Number(n) => out.push(Leaf { path: path.into(), value: *n, way: way.to_vec() }),
        Json::Object(members) => {
            for (key, value) in members {
                let longer = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                leaves_of(value, &longer, way, arrays, out);
            }
        }
        Json::Array(items) => {
            *arrays += 1;
            let this = *arrays;
            for (index, item) in items.iter().enumerate() {
                if matches!(item, Json::Number(_)) {
                    leaves_of(item, path, way, arrays, out);
                } else {
                    let longer: Vec<_> = way.iter().copied().chain([(this, index)]).collect();
                    leaves_of(item, path, &longer, arrays, out);
                }
            }
        }
    }
}

fn agree(a: &Leaf, b: &Leaf) -> bool {
    a.way.iter().all(|(array, index)| b.way.iter().all(|(other, i)| array != other || index == i))
}

#[derive(Clone)]
struct Field {
    path: &'static str,
    /// Numbers that satisfy.
    accepts: Vec<usize>,
    absent: bool,
    text: String,
}

enum Item {
    Field(Field),
    Or(Vec<Vec<Item>>),
}

const PATHS: [&str; 9] = ["a", "b", "c", "a.b", "a.c", "a.b.c", "b.c", "a.a", "c.b"];

fn some_field(r: &mut Random) -> Field {
    let path = PATHS[r.below(PATHS.len())];
    let n = r.below(3);
    let (accepts, absent, text) = match r.below(9) {
        0..4 => (vec![n], false, format!("{n}")),
        4 => (vec![n, (n + 1) % 3], false, format!("{n},{}", (n + 1) % 3)),
        5 => (vec![], true, r#"{"exists":false}"#.into()),
        6 => (vec![n], true, format!(r#"{n},{{"exists":false}}"#)),
        7 => (vec![0, 1, 2], false, r#"{"exists":true}"#.into()),
        _ => ((0..3).filter(|v| *v != n).collect(), false, format!(r#"{{"anything-but":{n}}}"#)),
    };
    Field { path, accepts, absent, text }
}

fn some_items(r: &mut Random, depth: usize, used: &mut Vec<&'static str>) -> Vec<Item> {
    let mut items = vec![];
    for _ in 0..1 + r.below(3) {
        if depth > 0 && r.one_in(4) {
            let alternatives = (0..2 + r.below(2)).map(|_| some_items(r, depth - 1, &mut used.clone())).collect();
            items.push(Item::Or(alternatives));
        } else {
            let field = some_field(r);
            // Inside an object a key stands once; that a branch of `$or` redefines a path is left in now and then.
            let mine = items.iter().any(|i| matches!(i, Item::Field(f) if f.path == field.path));
            if !mine && (!used.contains(&field.path) || r.one_in(6)) {
                used.push(field.path);
                items.push(Item::Field(field));
            }
        }
    }
    if items.is_empty() {
        items.push(Item::Field(some_field(r)));
    }
    items
}

fn write_items(items: &[Item], out: &mut String) {
    out.push('{');
    for (n, item) in items.iter().enumerate() {
        out.push_str(if n > 0 { "," } else { "" });
        match item {
            Item::Field(f) => write!(out, "\"{}\":[{}]", f.path, f.text).expect("a string"),
            Item::Or(alternatives) => {
                out.push_str("\"$or\":[");
                for (n, alternative) in alternatives.iter().enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    write_items(alternative, out);
                }
                out.push(']');
            }
        }
    }
    out.push('}');
}

/// Section 10: the branches, built in document order.
fn branches(items: &[Item], mut so_far: Vec<Vec<Field>>) -> Vec<Vec<Field>> {
    for item in items {
        match item {
            Item::Field(field) => {
                for branch in &mut so_far {
                    branch.retain(|f| f.path != field.path);
                    branch.push(field.clone());
                }
            }
            Item::Or(alternatives) => so_far = alternatives.iter().flat_map(|a| branches(a, so_far.clone())).collect(),
        }
    }
    so_far
}

/// Sections 3 and 8: some choice of a leaf for every path, or of none where absence may be, is consistent and final.
fn branch_matches<'a>(branch: &[Field], leaves: &'a [Leaf], chosen: &mut Vec<Option<&'a Leaf>>) -> bool {
    let Some(field) = branch.get(chosen.len()) else {
        return branch.iter().zip(chosen.iter()).all(|(field, choice)| {
            choice.is_some() || !leaves.iter().any(|l| l.path == field.path && chosen.iter().flatten().all(|c| agree(c, l)))
        });
    };
    for leaf in leaves.iter().filter(|l| l.path == field.path && field.accepts.contains(&l.value)) {
        if chosen.iter().flatten().all(|c| agree(c, leaf)) {
            chosen.push(Some(leaf));
            let holds = branch_matches(branch, leaves, chosen);
            chosen.pop();
            if holds {
                return true;
            }
        }
    }
    field.absent && {
        chosen.push(None);
        let holds = branch_matches(branch, leaves, chosen);
        chosen.pop();
        holds
    }
}

fn run(seed: u64, dotted: bool, cases: usize) {
    let mut r = Random(seed);
    let mut scratch = Scratch::default();
    let (mut done, mut matched) = (0, 0);
    while done < cases {
        // Alone or among others: other rules decide which arrays the walk records.
        let rules: Vec<(Vec<Vec<Field>>, String)> = (0..1 + r.below(5))
            .map(|_| {
                let items = some_items(&mut r, 2, &mut vec![]);
                let mut text = String::new();
                write_items(&items, &mut text);
                (branches(&items, vec![vec![]]), text)
            })
            .collect();
        let set = RuleSet::new(EventLimits::default());
        let put = rules.iter().map(|(_, text)| Put {
            replaces: None,
            pattern: accept(text.as_bytes(), &PatternLimits::default()).unwrap_or_else(|e| panic!("{text}: {e}")),
        });
        let ids = set.apply(Change { remove: vec![], put: put.collect() }).expect("within capacity").ids;
        let snapshot = set.load();
        for _ in 0..6 {
            let event = some_object(&mut r, 4, dotted);
            let (mut text, mut leaves) = (String::new(), vec![]);
            write_json(&event, &mut text);
            leaves_of(&event, "", &[], &mut 0, &mut leaves);
            if leaves.len() > 24 {
                continue;
            }
            snapshot.match_text(text.as_bytes(), Validation::Checked, &mut scratch).unwrap_or_else(|e| panic!("{text}: {e}"));
            for ((branches, rule), id) in rules.iter().zip(&ids) {
                let want = branches.iter().any(|b| branch_matches(b, &leaves, &mut vec![]));
                assert_eq!(scratch.matches.contains(id), want, "{rule} on {text}");
                done += 1;
                matched += want as usize;
            }
        }
    }
    assert!(matched * 20 > done, "{matched} of {done} matched: the cases decide too little");
}

#[test]
fn plain_keys_agree_with_the_definition() {
    run(0x9e37_79b9_7f4a_7c15, false, CASES / 2);
}

#[test]
fn dotted_twins_agree_with_the_definition() {
    run(0x2545_f491_4f6c_dd1d, true, CASES / 2);
}
