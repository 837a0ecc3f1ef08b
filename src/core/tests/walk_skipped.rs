//! `Strict` over containers that no rule asks for: accepts what the plain reader of `grammar` accepts and refuses with its
//! words, whatever the blanks, the place among the blocks of 64 bytes, the depth and the instruction set.

mod walk_common;

use rulebus_core::limits::EventLimits;
use rulebus_core::path::PathTrie;
use rulebus_core::walk::{Instructions, Leaves, Validation, WalkState, grammar, walk_with};
use walk_common::*;

/// Holds every instruction set to the plain reader; whether the text was accepted.
fn judged(text: &[u8], trie: &PathTrie, limits: &EventLimits, state: &mut WalkState) -> bool {
    let expected = grammar::check(text, limits);
    let mut out = Leaves::default();
    for set in Instructions::available() {
        let mut walk = |level| {
            let found = walk_with(set, text, trie, level, limits, state, &mut out).expect("available");
            (found, readable(text, trie, &out))
        };
        let (found, leaves) = walk(Validation::Strict);
        assert_eq!(found, expected, "{set:?} {}", String::from_utf8_lossy(text));
        if found.is_ok() {
            assert_eq!(walk(Validation::Checked), (found, leaves), "{set:?} {}", String::from_utf8_lossy(text));
        }
    }
    expected.is_ok()
}

/// Members of numbers and short strings, as coordinates and measurements have them.
fn measurements(random: &mut Random) -> String {
    const NUMBERS: [&str; 14] = [
        "0",
        "-0",
        "7",
        "0.0",
        "-122.46233985566415",
        "37.79",
        "10",
        "1e5",
        "-1.5E-3",
        "0.1e+2",
        "100.25",
        "-7",
        "12345678901234567890123456789012",
        "0.5",
    ];
    let keys = ["x", "y", "longer-than-eight", "z-a-key-that-is-so-long-that-its-value-lies-far-behind-where-it-begins"];
    let keys = &keys[..1 + random.below(keys.len())];
    let elements: Vec<String> = (0..random.below(8))
        .map(|_| {
            let mut member = |key: &&str| {
                let value = if random.chance(4) {
                    *random.pick(&["\"\"", "\"s\"", "true", "null", "[]", "{}", "[1,-2]"])
                } else {
                    *random.pick(&NUMBERS)
                };
                format!("\"{key}\":{value}")
            };
            let members: Vec<String> = keys.iter().map(&mut member).collect();
            format!("{{{}}}", members.join(","))
        })
        .collect();
    format!("[{}]", elements.join(","))
}

/// The text with blanks between tokens, wherever one in so many chances falls.
fn spaced(text: &str, random: &mut Random, one_in: usize) -> String {
    let (mut spaced, mut inside, mut escaped) = (String::new(), false, false);
    for char in text.chars() {
        let sign = !inside && matches!(char, '{' | '}' | '[' | ']' | ',' | ':');
        let mut blanks = |spaced: &mut String| {
            if sign && random.chance(one_in) {
                (0..1 + random.below(3)).for_each(|_| spaced.push(*random.pick(&[' ', '\n', '\t', '\r'])));
            }
        };
        blanks(&mut spaced);
        spaced.push(char);
        blanks(&mut spaced);
        inside ^= char == '"' && !escaped;
        escaped = char == '\\' && !escaped;
    }
    spaced
}

#[test]
fn what_is_skipped_is_judged_as_the_plain_reader_judges() {
    const PIECES: [&str; 34] = [
        "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "1", "-", ".", "e", "E+", "true", "fals", "null", " ", "\n", "\u{1}", "é", "\\u",
        "\\n", "\"a\":", "{}", "[]", "},{", "],[", "00", "1.5", ",\"", "\":\"", "\",\"", "\u{7f}",
    ];
    let mut random = Random(11);
    let mut state = WalkState::default();
    let tries = [PathTrie::new(), trie(&["w", "s.none"], &[]), trie(&["t", "a"], &["a"])];
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..if cfg!(debug_assertions) { 6_000 } else { 60_000 } {
        let inner = if random.chance(2) { measurements(&mut random) } else { document(&mut random, true) };
        let mut text = if random.chance(2) { inner } else { spaced(&inner, &mut random, *[1, 2, 8].get(inner.len() % 3).expect("three")) };
        for _ in 0..random.below(3) {
            let at = (0..=random.below(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).expect("zero is one");
            let until = (at + random.below(3)..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
            let piece: &str = if random.chance(3) { "" } else { PIECES[random.below(PIECES.len())] };
            text.replace_range(at..until, piece);
        }
        let rest = "z".repeat(random.below(80));
        let text = format!("{}{{\"w\":1,\"s\":{text},\"t\":\"{rest}\"}}", " ".repeat(random.below(64)));
        let limits = EventLimits { max_event_depth: if random.chance(4) { 1 + random.below(6) } else { 1000 }, ..Default::default() };
        *(if judged(text.as_bytes(), random.pick(&tries), &limits, &mut state) { &mut accepted } else { &mut refused }) += 1;
    }
    assert!(accepted > 1_500 && refused > 1_500, "{accepted} {refused}");
}

/// Every byte of a text that has everything, replaced by every byte that means something, at every place in a block.
#[test]
fn every_byte_of_what_is_skipped_counts() {
    let t = trie(&["t"], &[]);
    let mut state = WalkState::default();
    let text = concat!(
        r#"{"s":{"a":"b","c":"\u00e9\"","d":-1.5,"e":[{"x":0.25,"y":-7},{"x":10,"y":1e5}],"f":{"g":[],"h":{}},"i":true,"#,
        r#""j":[null,false,"k",[0]], "l" : 12 , "m":"#,
        r#""a string that is longer than the sixty-four bytes of a block, so that its end lies far behind"},"t":1}"#
    );
    let (mut accepted, mut refused) = (0, 0);
    for at in 0..text.len() {
        for (n, byte) in b"\"\\{}[],:019-.eEtnfu \n\x01ax".iter().enumerate() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = *byte;
            changed.splice(0..0, b" ".repeat((at + 7 * n) % 64));
            let whole = judged(&changed, &t, &EventLimits::default(), &mut state);
            *(if whole { &mut accepted } else { &mut refused }) += 1;
        }
        for shift in [0, at % 64] {
            let cut = [&b" ".repeat(shift), &text.as_bytes()[..at]].concat();
            assert!(!judged(&cut, &t, &EventLimits::default(), &mut state));
            judged(&[&cut, &text.as_bytes()[at + 1..]].concat(), &t, &EventLimits::default(), &mut state);
        }
    }
    assert!(accepted > 1_000 && refused > 3_000, "{accepted} {refused}");
    for shift in 0..128 {
        assert!(judged(&[&b" ".repeat(shift), text.as_bytes()].concat(), &t, &EventLimits::default(), &mut state));
    }
}

/// Around the depth to which containers are read without a walk, and around the limit.
#[test]
fn depth_of_what_is_skipped() {
    let t = trie(&["t"], &[]);
    let mut state = WalkState::default();
    let mut random = Random(12);
    for depth in (0..8).chain(58..70).chain([200]) {
        for limit in [depth, depth + 1, depth + 2, 1000, usize::MAX] {
            let limits = EventLimits { max_event_depth: limit, ..Default::default() };
            for fault in ["", "1", ",", "}", "]", "{", "\"", "01"] {
                let (mut opening, mut closing) = (String::new(), String::new());
                for _ in 0..depth {
                    let object = random.chance(2);
                    opening += if object { "{\"a\":\"b\",\"c\":1.5,\"d\":" } else { "[1," };
                    closing.insert_str(0, if object { ",\"e\":[]}" } else { ",{\"x\":1}]" });
                }
                let text = format!("{{\"s\":[{opening}0{fault}{closing},{opening}0{closing}],\"t\":1}}");
                let accepted = judged(text.as_bytes(), &t, &limits, &mut state);
                // The outermost object, the array, and what lies in the innermost container.
                let needed = depth + if depth > 0 { 3 } else { 2 };
                assert_eq!(accepted, limit >= needed && (fault.is_empty()), "{depth} {limit} {fault}");
            }
        }
    }
}
