//! The leaves and trails of the walk against a plain recursion over serde_json's tree, on seeded random documents.

mod walk_common;

use rulebus_core::limits::EventLimits;
use rulebus_core::path::PathTrie;
use rulebus_core::walk::{Kind, Leaves, Validation, WalkState, walk};
use walk_common::*;

fn random_trie(random: &mut Random) -> PathTrie {
    const SEGMENTS: [&str; 7] = ["a", "b", "c", "ab", "", "detail", "longer-than-eight"];
    let mut trie = PathTrie::new();
    for _ in 0..random.below(12) {
        let path: Vec<&str> = (0..1 + random.below(3)).map(|_| *random.pick(&SEGMENTS)).collect();
        let node = trie.intern(path.join(".").as_bytes());
        trie.set_wanted(node);
    }
    if random.chance(4) {
        for i in 0..30 {
            trie.intern(format!("filler{i}").as_bytes());
            trie.intern(format!("a.filler{i}").as_bytes());
        }
    }
    let share = random.below(3);
    for node in 0..trie.len() as u32 {
        if share == 0 || share == 1 && random.chance(2) {
            trie.set_shared(node);
        }
    }
    trie
}

#[test]
fn all_levels_find_what_a_plain_reader_finds() {
    let mut random = Random(1);
    let (mut state, mut out, mut leaves) = (WalkState::default(), Leaves::default(), 0);
    for _ in 0..60_000 {
        let trie = random_trie(&mut random);
        let text = document(&mut random, false);
        let expected = renumber(extract(&serde_json::from_str(&text).unwrap(), &trie));
        leaves += expected.len();
        for level in LEVELS {
            walk(text.as_bytes(), &trie, level, &EventLimits::default(), &mut state, &mut out).unwrap_or_else(|e| panic!("{e}: {text}"));
            let found = renumber(readable(text.as_bytes(), &trie, &out));
            assert_eq!(found, expected, "{level:?} {text}");
        }
    }
    assert!(leaves > 10_000, "{leaves}");
}

#[test]
fn the_last_of_equal_keys_counts() {
    let mut random = Random(2);
    let (mut state, mut out, mut dropped) = (WalkState::default(), Leaves::default(), 0);
    for _ in 0..60_000 {
        let trie = random_trie(&mut random);
        let text = document(&mut random, true);
        let value = serde_json::from_str(&text).unwrap();
        let expected: Vec<_> = sorted(extract(&value, &trie).into_iter().map(without_arrays).collect());
        for level in [Validation::Strict, Validation::Checked] {
            walk(text.as_bytes(), &trie, level, &EventLimits::default(), &mut state, &mut out).unwrap_or_else(|e| panic!("{e}: {text}"));
            let found = sorted(readable(text.as_bytes(), &trie, &out).into_iter().map(without_arrays).collect());
            assert_eq!(found, expected, "{level:?} {text}");
        }
        dropped += (text.len() > value.to_string().len() + 40) as usize;
    }
    assert!(dropped > 1000, "{dropped}");
}

/// Which instance of an array it is cannot be compared when document order differs; the elements can.
fn without_arrays(mut found: Found) -> Found {
    found.trail.iter_mut().for_each(|step| step.0 = 0);
    found
}

#[test]
fn keys_with_dots_and_nested_objects_both_count() {
    let t = trie(&["a.b"], &[]);
    let values = |text: &str| -> Vec<String> {
        let found = walk_fresh(text.as_bytes(), &t, Validation::Checked).unwrap();
        found.into_iter().map(|f| String::from_utf8(f.bytes).unwrap()).collect()
    };
    assert_eq!(values(r#"{"a.b":1,"a":{"b":2}}"#), ["1", "2"]);
    assert_eq!(values(r#"{"a.b":1,"a":{"b":2},"a.b":3}"#), ["2", "3"]);
    assert_eq!(values(r#"{"a":{"b":1,"b":2},"a.b":3,"a":{"b":4}}"#), ["3", "4"]);
    assert_eq!(values(r#"{"a":[{"b":1,"b":2},{"b":3}]}"#), ["2", "3"]);
    assert_eq!(values(r#"{"a":{"b":1},"a":{}}"#), Vec::<String>::new());
    assert_eq!(values(r#"{"a":{"b":[1,2]},"\u0061":{"b":3}}"#), ["3"]);
    assert_eq!(values(r#"{"a\u002eb":1,"a.b":2}"#), ["2"]);
}

#[test]
fn trails_are_the_elements_that_are_containers() {
    let t = trie(&["a.b", "a.c", "d"], &["a"]);
    let text = r#"{"a":[{"b":[1,2]},7,{"c":3,"b":{"x":[]}},[[{"c":4}]]],"d":[[5],6]}"#;
    for level in LEVELS {
        let found = walk_fresh(text.as_bytes(), &t, level).unwrap();
        let steps: Vec<_> = found.iter().map(|f| (f.path.as_str(), f.bytes[0], f.trail.clone())).collect();
        assert_eq!(
            steps,
            [
                ("a.b", b'1', vec![(1, 0)]),
                ("a.b", b'2', vec![(1, 0)]),
                ("a.c", b'3', vec![(1, 2)]),
                ("a.c", b'4', vec![(1, 3), (2, 0), (3, 0)]),
                ("d", b'5', vec![]),
                ("d", b'6', vec![]),
            ]
        );
    }
}

#[test]
fn elements_that_follow_at_once_are_found_as_those_behind_blanks() {
    let t = trie(&["a.b", "a.c", "a.d.b", "e"], &["a", "a.d"]);
    let text = concat!(
        r#"{"a":[{"b":1,"c":2},{"c":[3,{"b":4},{"b":5}],"b":6},{},{"z":{}},{"b":7,"b":8},[{"b":9},{"c":10}],"#,
        r#"{"d":[{"b":11},{"b":12},13,{"b":14}]},{"b":15}],"e":[{"e":1},{"e":2}],"a":[{"b":16},{"c":17}]}"#
    );
    let bare = |found: Vec<Found>| found.into_iter().map(|f| (f.path, f.bytes, f.trail)).collect::<Vec<_>>();
    for text in [text, &text[..text.rfind(",\"a\"").unwrap()]] {
        let closed = if text.ends_with('}') { text.to_owned() } else { format!("{text}}}") };
        let apart = closed.replace("},{", "} , {");
        for level in LEVELS {
            let at_once = bare(walk_fresh(closed.as_bytes(), &t, level).unwrap());
            assert_eq!(at_once, bare(walk_fresh(apart.as_bytes(), &t, level).unwrap()), "{level:?}");
            assert!(at_once.iter().any(|f| !f.2.is_empty()));
        }
        for wrong in ["},{,", "},{]", "},,{", "},[{"] {
            let broken = closed.replacen("},{", wrong, 1);
            assert!(walk_fresh(broken.as_bytes(), &t, Validation::Checked).is_err(), "{broken}");
        }
    }
}

#[test]
fn strings_are_unescaped_and_lone_surrogates_kept() {
    let t = trie(&["s"], &[]);
    for level in LEVELS {
        let found = walk_fresh(br#"{"s":["plain","\ud800","\ud83d\ude00\/","\u0000"]}"#, &t, level).unwrap();
        let bytes: Vec<&[u8]> = found.iter().map(|f| f.bytes.as_slice()).collect();
        assert_eq!(bytes, [&b"plain"[..], b"\xed\xa0\x80", "😀/".as_bytes(), b"\0"]);
        assert!(found.iter().all(|f| f.kind == Kind::String));
    }
}

#[test]
fn a_value_counts_where_objects_are_expected_and_objects_where_values_are() {
    let t = trie(&["a", "a.b"], &[]);
    let found = walk_fresh(br#"{"a":[1,{"b":2},{}],"a.b":[]}"#, &t, Validation::Checked).unwrap();
    assert_eq!(found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["a", "a.b"]);
    assert!(walk_fresh(br#"{"a":{"c":[1]}}"#, &trie(&["a"], &[]), Validation::Checked).unwrap().is_empty());
}
