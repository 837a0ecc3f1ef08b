//! Any bytes as an event: the walk never panics at any level, strict accepts exactly what serde_json accepts, and the
//! leaves are those of a plain recursive extraction. Duplicate keys: the last one counts, and then only the leaves are
//! compared, not their order and trails.

use super::{kind, magnitude, names_surrogate};
use rulebus_core::{
    error::{EventError, EventErrorCode},
    limits::EventLimits,
    path::PathTrie,
    walk::{Instructions, Kind, Leaves, Validation, WalkState, walk, walk_with},
};
use serde_json::Value;

const PATHS: [&str; 12] = ["a", "b", "c", "a.b", "a.b.c", "a.a", "b.a", "", ".a", "detail.x", "\u{e9}", "exists"];

/// (path, kind, bytes, elements of the arrays around it)
type Found = (Vec<u8>, u8, Vec<u8>, Vec<(usize, usize)>);

/// Panics when the walk errs.
pub fn run(text: &[u8]) -> u64 {
    let mut trie = PathTrie::new();
    for path in PATHS {
        let id = trie.intern(path.as_bytes());
        trie.set_wanted(id);
    }
    for id in 0..trie.len() {
        trie.set_shared(id as u32);
    }
    let judge = serde_json::from_slice::<Value>(text).ok().filter(Value::is_object);
    let too_deep = judge.as_ref().is_some_and(|v| depth(v) > EventLimits::default().max_event_depth);
    let unique = judge.as_ref().is_some_and(|v| members(v) == colons(text));

    let strict = leaves(text, &trie, Validation::Strict);
    match (&strict, &judge) {
        (Ok(_), None) => assert!(names_surrogate(text), "strict accepts what serde_json refuses"),
        (Err(e), Some(_)) => assert!(too_deep && e.code == EventErrorCode::TooDeep, "strict refuses what serde_json accepts: {e}"),
        (Ok(_), Some(_)) => assert!(!too_deep, "strict accepts an event that is too deep"),
        (Err(_), None) => {}
    }
    let checked = leaves(text, &trie, Validation::Checked);
    let trusted = leaves(text, &trie, Validation::Trusted);
    if let Ok(strict) = &strict {
        assert_eq!(Ok(strict), checked.as_ref(), "checked differs from strict");
        if unique {
            assert_eq!(Ok(strict), trusted.as_ref(), "trusted differs from strict");
        }
        if let Some(value) = &judge {
            compare(value, strict, unique);
        }
    }
    instruction_sets_agree(text, &trie);
    let code = |r: &Result<Vec<Found>, EventError>| r.as_ref().map_or_else(|e| 1 + e.code as u64, |_| 0);
    kind(&[code(&strict), code(&checked), code(&trusted), unique as u64, strict.map_or(0, |l| magnitude(l.len()))])
}

/// Every instruction set finds the same, wherever the text lies among the blocks of 64 bytes.
fn instruction_sets_agree(text: &[u8], trie: &PathTrie) {
    let (mut state, mut out, mut plain) = (WalkState::default(), Leaves::default(), Leaves::default());
    let limits = EventLimits::default();
    // The text chooses the shifts, so that all of them come up without 64 walks for each text.
    let choice = text.iter().fold(text.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte as usize));
    for shift in [0, choice % 64, (choice >> 6) % 64] {
        let shifted = [&[b' '].repeat(shift), text].concat();
        for level in [Validation::Strict, Validation::Checked, Validation::Trusted] {
            let mut walk = |set, out: &mut Leaves| walk_with(set, &shifted, trie, level, &limits, &mut state, out).expect("available");
            let expected = walk(Instructions::Portable, &mut plain);
            for set in Instructions::available() {
                let found = walk(set, &mut out);
                assert_eq!(found, expected, "{set:?} {level:?} {shift}");
                if found.is_ok() {
                    assert_eq!((&out.leaves, &out.trails, &out.unescaped), (&plain.leaves, &plain.trails, &plain.unescaped));
                }
            }
        }
    }
}

fn leaves(text: &[u8], trie: &PathTrie, level: Validation) -> Result<Vec<Found>, EventError> {
    let mut out = Leaves::default();
    let mut state = WalkState::default();
    if let Err(e) = walk(text, trie, level, &EventLimits::default(), &mut state, &mut out) {
        assert!(e.offset <= text.len(), "an error beyond the text: {e:?}");
        return Err(e);
    }
    let found = out.leaves.iter().map(|leaf| {
        let from = if leaf.copied { out.unescaped.as_slice() } else { text };
        let bytes = &from[leaf.start as usize..][..leaf.len as usize];
        let kind = leaf.kind as u8;
        // A literal's bytes are not promised.
        let bytes = match leaf.kind {
            Kind::String => bytes.to_vec(),
            Kind::Number => one_spelling(bytes),
            _ => Vec::new(),
        };
        let (mut trail, mut members) = (leaf.trail as usize, Vec::new());
        while trail != 0 {
            let step = out.trails[trail];
            assert!((step.parent as usize) < trail, "a trail's parent stands after it");
            members.push((step.array as usize, step.index as usize));
            trail = step.parent as usize;
        }
        members.reverse();
        (trie.name(leaf.path), kind, bytes, members)
    });
    Ok(renumber(found.collect()))
}

/// serde_json rewrites the sign of an exponent, so numbers are compared without it.
fn one_spelling(number: &[u8]) -> Vec<u8> {
    number.iter().filter(|b| **b != b'+').map(u8::to_ascii_lowercase).collect()
}

/// Arrays are numbered by first appearance, so that only identity counts.
fn renumber(mut found: Vec<Found>) -> Vec<Found> {
    let mut seen: Vec<usize> = Vec::new();
    for (array, _) in found.iter_mut().flat_map(|f| f.3.iter_mut()) {
        let number = seen.iter().position(|s| s == array).unwrap_or_else(|| {
            seen.push(*array);
            seen.len() - 1
        });
        *array = number;
    }
    found
}

fn compare(value: &Value, strict: &[Found], unique: bool) {
    let mut expected = Vec::new();
    extract(value, None, &mut Vec::new(), &mut 0, &mut expected);
    if unique {
        assert_eq!(renumber(expected), strict, "leaves differ from serde_json's");
    } else {
        let plain = |found: &[Found]| {
            let mut all: Vec<_> = found.iter().map(|f| (f.0.clone(), f.1, f.2.clone())).collect();
            all.sort();
            all
        };
        assert_eq!(plain(&expected), plain(strict), "leaves differ from serde_json's (duplicate keys)");
    }
}

fn extract(value: &Value, path: Option<&str>, members: &mut Vec<(usize, usize)>, arrays: &mut usize, out: &mut Vec<Found>) {
    let mut leaf = |kind: Kind, bytes: &[u8]| {
        let path = path.unwrap_or_default();
        if PATHS.contains(&path) {
            out.push((path.as_bytes().to_vec(), kind as u8, bytes.to_vec(), members.clone()));
        }
    };
    match value {
        Value::String(s) => leaf(Kind::String, s.as_bytes()),
        Value::Number(n) => leaf(Kind::Number, &one_spelling(n.as_str().as_bytes())),
        Value::Bool(b) => leaf(if *b { Kind::True } else { Kind::False }, b""),
        Value::Null => leaf(Kind::Null, b""),
        Value::Object(map) => {
            for (key, inner) in map {
                let path = path.map_or_else(|| key.clone(), |path| format!("{path}.{key}"));
                extract(inner, Some(&path), members, arrays, out);
            }
        }
        Value::Array(elements) => {
            *arrays += 1;
            let array = *arrays;
            for (index, element) in elements.iter().enumerate() {
                let nests = element.is_object() || element.is_array();
                if nests {
                    members.push((array, index));
                }
                extract(element, path, members, arrays, out);
                if nests {
                    members.pop();
                }
            }
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn members(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.len() + map.values().map(members).sum::<usize>(),
        Value::Array(elements) => elements.iter().map(members).sum(),
        _ => 0,
    }
}

/// Colons outside strings: as many as the text has members, repeated keys included.
fn colons(text: &[u8]) -> usize {
    let (mut count, mut inside, mut escaped) = (0, false, false);
    for byte in text {
        match (inside, escaped, byte) {
            (true, true, _) => escaped = false,
            (true, false, b'\\') => escaped = true,
            (_, _, b'"') => inside = !inside,
            (false, _, b':') => count += 1,
            _ => {}
        }
    }
    count
}
