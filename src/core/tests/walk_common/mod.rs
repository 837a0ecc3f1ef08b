//! Shared by the walk's tests: a seeded generator of documents, an extraction of leaves from serde_json's tree written
//! as plainly as possible, and a readable form of what the walk found. Relies on nothing of the walk but its results.
#![allow(dead_code)] // each test file uses its own part

use rulebus_core::error::EventError;
use rulebus_core::limits::EventLimits;
use rulebus_core::path::PathTrie;
use rulebus_core::walk::{Kind, Leaves, Validation, WalkState, walk};
use serde_json::Value;

pub const LEVELS: [Validation; 3] = [Validation::Strict, Validation::Checked, Validation::Trusted];

/// A small generator of random numbers (splitmix64): the same everywhere, for ever.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }

    pub fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A leaf, ready to compare: path, kind, bytes, and its trail as (array, element) steps, outermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub path: String,
    pub kind: Kind,
    pub bytes: Vec<u8>,
    pub trail: Vec<(u32, u32)>,
}

/// Walks with everything fresh.
pub fn walk_fresh(text: &[u8], trie: &PathTrie, level: Validation) -> Result<Vec<Found>, EventError> {
    let mut out = Leaves::default();
    walk(text, trie, level, &EventLimits::default(), &mut WalkState::default(), &mut out)?;
    Ok(readable(text, trie, &out))
}

pub fn readable(text: &[u8], trie: &PathTrie, out: &Leaves) -> Vec<Found> {
    out.leaves
        .iter()
        .map(|leaf| {
            let mut trail = vec![];
            let mut at = leaf.trail;
            while at != 0 {
                let step = out.trails[at as usize];
                assert!(step.parent < at, "a trail's parent comes before it");
                trail.push((step.array, step.index));
                at = step.parent;
            }
            trail.reverse();
            let path = String::from_utf8_lossy(&trie.name(leaf.path)).into_owned();
            Found { path, kind: leaf.kind, bytes: out.bytes(leaf, text).to_vec(), trail }
        })
        .collect()
}

/// The same from serde_json's tree (keys in document order, the last of equal keys), by plain recursion.
pub fn extract(value: &Value, trie: &PathTrie) -> Vec<Found> {
    let mut found = Extraction { trie, arrays: 0, found: vec![] };
    found.value(value, "", true, &[]);
    // Array numbers are names: the walk also counts those of values that were dropped, so both are renumbered.
    found.found
}

struct Extraction<'a> {
    trie: &'a PathTrie,
    arrays: u32,
    found: Vec<Found>,
}

impl Extraction<'_> {
    fn value(&mut self, value: &Value, path: &str, root: bool, trail: &[(u32, u32)]) {
        let node = if root { Some(0) } else { self.trie.find(path.as_bytes()) };
        let (kind, bytes) = match value {
            Value::Object(members) => {
                for (key, member) in members {
                    let path = if root { key.clone() } else { format!("{path}.{key}") };
                    self.value(member, &path, false, trail);
                }
                return;
            }
            Value::Array(elements) => {
                self.arrays += 1;
                let array = self.arrays;
                for (i, element) in elements.iter().enumerate() {
                    let mut inner = trail.to_vec();
                    if node.is_some_and(|n| self.trie.is_shared(n)) && (element.is_object() || element.is_array()) {
                        inner.push((array, i as u32));
                    }
                    self.value(element, path, root, &inner);
                }
                return;
            }
            Value::String(s) => (Kind::String, s.clone().into_bytes()),
            Value::Number(n) => (Kind::Number, n.to_string().into_bytes()),
            Value::Bool(true) => (Kind::True, b"true".to_vec()),
            Value::Bool(false) => (Kind::False, b"false".to_vec()),
            Value::Null => (Kind::Null, b"null".to_vec()),
        };
        if node.is_some_and(|n| n != 0 && self.trie.is_wanted(n)) {
            self.found.push(Found { path: path.to_owned(), kind, bytes, trail: trail.to_vec() });
        }
    }
}

/// Gives arrays the numbers 1, 2, … in the order in which the leaves first name them.
pub fn renumber(mut found: Vec<Found>) -> Vec<Found> {
    let mut names = vec![];
    for step in found.iter_mut().flat_map(|f| f.trail.iter_mut()) {
        let known = names.iter().position(|n| *n == step.0).unwrap_or_else(|| {
            names.push(step.0);
            names.len() - 1
        });
        step.0 = known as u32 + 1;
    }
    found
}

/// serde_json keeps the first place of a repeated key, the walk the last value's place: compare as sets of lines.
pub fn sorted(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by(|a, b| (&a.path, &a.bytes, &a.trail).cmp(&(&b.path, &b.bytes, &b.trail)));
    found
}

/// Asks for every path in `wanted`; those in `shared` record array elements.
pub fn trie(wanted: &[&str], shared: &[&str]) -> PathTrie {
    let mut trie = PathTrie::new();
    for path in wanted {
        let node = trie.intern(path.as_bytes());
        trie.set_wanted(node);
    }
    for path in shared {
        let node = trie.intern(path.as_bytes());
        trie.set_shared(node);
    }
    trie
}

const KEYS: [&str; 12] = ["a", "b", "c", "d", "a.b", "b.", "", "detail", "a\\u0062", "\\u0061", "a\\u002eb", "longer-than-eight"];
const SCALARS: [&str; 22] = [
    "1",
    "-0",
    "0",
    "12.5e-3",
    "1e+2",
    "true",
    "false",
    "null",
    "\"\"",
    "\"x\"",
    "\"a\\\"b\"",
    "\"\\\\\"",
    "\"\\u00e9\\n\"",
    "\"é😀\"",
    "\"[{]}\"",
    "-122.422003528252475",
    "37.808480096967251",
    "9007199254740993",
    "\"\\ud83d\\ude00\"",
    "1e+5",
    "\"{\\\"k\\\":[1]}\"",
    "\"a long string that fills more than one block of sixty-four bytes, it does\"",
];

/// A random object: repeated keys only when `repeats`; blanks, escapes, keys with dots, nesting.
pub fn document(random: &mut Random, repeats: bool) -> String {
    let mut text = String::new();
    object(random, &mut text, 0, repeats);
    text
}

fn blanks(random: &mut Random, text: &mut String) {
    if random.chance(6) {
        for _ in 0..random.below(3) {
            text.push(*random.pick(&[' ', '\n', '\t', '\r']));
        }
    }
}

fn value(random: &mut Random, text: &mut String, depth: usize, repeats: bool) {
    blanks(random, text);
    match random.below(if depth > 5 { 6 } else { 10 }) {
        0..6 => text.push_str(SCALARS[random.below(SCALARS.len())]),
        6 | 7 => object(random, text, depth + 1, repeats),
        _ => {
            text.push('[');
            blanks(random, text);
            for i in 0..random.below(5) {
                if i > 0 {
                    text.push(',');
                }
                value(random, text, depth + 1, repeats);
            }
            text.push(']');
        }
    }
    blanks(random, text);
}

fn object(random: &mut Random, text: &mut String, depth: usize, repeats: bool) {
    text.push('{');
    blanks(random, text);
    let mut used: Vec<String> = vec![];
    let mut first = true;
    for _ in 0..random.below(7) {
        let key = *random.pick(&KEYS);
        let meaning = key.replace("\\u0062", "b").replace("\\u0061", "a").replace("\\u002e", ".");
        if !repeats && used.contains(&meaning) {
            continue;
        }
        used.push(meaning);
        if !first {
            text.push(',');
        }
        first = false;
        blanks(random, text);
        text.push_str(&format!("\"{key}\""));
        blanks(random, text);
        text.push(':');
        value(random, text, depth, repeats);
    }
    text.push('}');
}
