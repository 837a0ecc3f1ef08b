//! Where a walk may stop or run: a trusted one before the text's end, but never before a key with dots that counts; and
//! any walk over elements that are like those before, which must find what a plain reader finds.

mod walk_common;

use rulebus_core::limits::EventLimits;
use rulebus_core::path::PathTrie;
use rulebus_core::walk::{Instructions, Leaves, Validation, WalkState, walk_with};
use walk_common::*;

/// What every instruction set finds, after checking that it is one answer; `None` for a refusal.
fn agreed(text: &[u8], trie: &PathTrie, level: Validation, state: &mut WalkState) -> Option<Vec<Found>> {
    let answers = Instructions::available().into_iter().map(|set| {
        let mut out = Leaves::default();
        let found = walk_with(set, text, trie, level, &EventLimits::default(), state, &mut out).expect("available");
        found.ok().map(|()| readable(text, trie, &out))
    });
    let answers: Vec<_> = answers.collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{level:?} {}", String::from_utf8_lossy(text));
    answers.into_iter().next().expect("the portable one")
}

#[test]
fn a_trusted_walk_stops_after_the_last_wanted_key() {
    let t = trie(&["a", "b"], &[]);
    let mut state = WalkState::default();
    for rest in ["\"unclosed", "]]]]", "1 2 3", "\u{1}"] {
        for blanks in 0..130 {
            let text = format!("{}{{\"a\":1,\"b\":2,{rest}}}", " ".repeat(blanks));
            let found = agreed(text.as_bytes(), &t, Validation::Trusted, &mut state).expect("nobody reads the rest");
            assert_eq!(found.len(), 2);
            assert_eq!(agreed(text.as_bytes(), &t, Validation::Strict, &mut state), None);
        }
    }
}

#[test]
fn a_trusted_walk_does_not_miss_keys_with_dots() {
    let mut random = Random(7);
    let mut state = WalkState::default();
    let tries = [
        trie(&["a.b", "c"], &[]),
        trie(&["a.b.c", "a.d"], &["a"]),
        trie(&["a1.b", "c"], &[]),
        trie(&[".b", "c"], &[]),
        trie(&["a..b", "c.d"], &[]),
        trie(&["detail.a.b", "detail.c", "c"], &["detail"]),
    ];
    let keys = ["a.b", "a", "c", "b", "a1.b", "a1", ".b", "", "a..b", "a.", "c.d", "a.b.c", "detail.a", "detail", "a\\u002eb", "\\u0061.b"];
    let values = ["1", "-122.5", "0.25", "\"x\"", "\"a.b\"", "\"\\\\\"", "\"s3.amazonaws.com\"", "null"];
    let mut late = 0;
    for _ in 0..if cfg!(debug_assertions) { 4_000 } else { 40_000 } {
        let t = random.pick(&tries);
        let mut used = vec![];
        let mut object = |random: &mut Random, depth: usize| {
            let mut members = vec![];
            for _ in 0..1 + random.below(5) {
                let key = *random.pick(&keys);
                let meaning = key.replace("\\u002e", ".").replace("\\u0061", "a");
                if used.contains(&(depth, meaning.clone())) {
                    continue;
                }
                used.push((depth, meaning));
                members.push((key, (*random.pick(&values)).to_owned()));
                if random.chance(4) {
                    members.push(("padding", format!("[{}]", vec!["37.5"; 1 + random.below(60)].join(","))));
                    used.push((depth, "padding".to_owned()));
                }
            }
            members
        };
        let written = |members: &[(&str, String)]| {
            let mut seen: Vec<&str> = vec![];
            let mut texts = vec![];
            for (key, value) in members {
                if !seen.contains(key) {
                    seen.push(key);
                    texts.push(format!("\"{key}\":{value}"));
                }
            }
            format!("{{{}}}", texts.join(","))
        };
        let mut members = object(&mut random, 0);
        let inner = written(&object(&mut random, 1));
        let at = random.below(members.len() + 1);
        let holder = *random.pick(&["a", "detail", "a1", "c", ""]);
        members.retain(|(key, _)| *key != holder);
        members.insert(at.min(members.len()), (holder, inner));
        let text = [vec![b' '; random.below(64)], written(&members).into_bytes()].concat();
        let strict = agreed(&text, t, Validation::Strict, &mut state).unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&text)));
        late += strict.len();
        for level in [Validation::Checked, Validation::Trusted] {
            assert_eq!(agreed(&text, t, level, &mut state).as_ref(), Some(&strict), "{level:?} {}", String::from_utf8_lossy(&text));
        }
    }
    assert!(late > 1_000, "{late}");
}

#[test]
fn elements_like_those_before_are_read_like_others() {
    let mut random = Random(8);
    let mut state = WalkState::default();
    const NUMBERS: [&str; 16] = [
        "0.0",
        "-0",
        "7",
        "-122.46233985566415",
        "37.79137554373406",
        "1e5",
        "1.5E-3",
        "12345678901234567890123456789012345",
        "0.5",
        "-0.25",
        "123456789.5",
        "1.00000000000000000000000000000000",
        "10",
        "100.0",
        "-7.125",
        "9007199254740993",
    ];
    const ODD: [&str; 13] = ["01", "1.", "-", ".5", "1e", "\"s\"", "null", "{}", "[1.5]", "{\"x\":1}", "1 ", "--1", "1.2.3"];
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..if cfg!(debug_assertions) { 6_000 } else { 60_000 } {
        // Tokens of up to 32 bytes are remembered.
        let pad = "p".repeat(if random.chance(2) { 0 } else { random.below(31) });
        let names = ["x", "y", "z"].map(|key| format!("{key}{pad}"));
        let paths = names.each_ref().map(|name| format!("o.{name}"));
        let keys = &names[..1 + random.below(3)];
        let t = &match random.below(5) {
            0 => trie(&[&paths[0], &paths[1]], &[]),
            1 => trie(&[&paths[0], &paths[2]], &["o"]),
            2 => trie(&[&paths[1], "p"], &[]),
            3 => trie(&["p"], &[]),
            _ => trie(&["o"], &["o"]),
        };
        let colon = *random.pick(&[":", ":", ":", ": "]);
        let comma = *random.pick(&[",", ",", ",", ", "]);
        let odd = 4 * random.below(20) + 3;
        let elements: Vec<String> = (0..random.below(12))
            .map(|_| {
                let mut members: Vec<String> = keys
                    .iter()
                    .map(|key| {
                        let value = if random.chance(odd) { *random.pick(&ODD) } else { *random.pick(&NUMBERS) };
                        format!("\"{key}\"{colon}{value}")
                    })
                    .collect();
                if random.chance(odd) {
                    members.rotate_left(1);
                }
                if random.chance(odd) {
                    members.truncate(1);
                }
                if random.chance(odd) {
                    members.push("\"w\":[1]".to_owned());
                }
                format!("{{{}}}", members.join(comma))
            })
            .collect();
        let rest = "z".repeat(random.below(100));
        let mut text = format!("{}{{\"o\":[{}],\"p\":\"{rest}\"}}", " ".repeat(random.below(64)), elements.join(comma)).into_bytes();
        if random.chance(10) {
            let at = random.below(text.len());
            text[at] = *random.pick(b"{}[],:\"0e.- x");
        }
        let judge = serde_json::from_slice::<serde_json::Value>(&text).ok().filter(|value| value.is_object());
        let strict = agreed(&text, t, Validation::Strict, &mut state);
        assert_eq!(strict.is_some(), judge.is_some(), "{}", String::from_utf8_lossy(&text));
        let (checked, trusted) = (agreed(&text, t, Validation::Checked, &mut state), agreed(&text, t, Validation::Trusted, &mut state));
        let Some(judge) = judge else {
            refused += 1;
            continue;
        };
        accepted += 1;
        assert_eq!(checked, strict, "{}", String::from_utf8_lossy(&text));
        // A changed byte can make two equal keys.
        let strict = renumber(strict.expect("accepted"));
        if extract(&judge, t).len() == strict.len() {
            let plain = |found: Vec<Found>| found.into_iter().map(|f| (f.path, f.kind, f.trail)).collect::<Vec<_>>();
            assert_eq!(plain(strict.clone()), plain(renumber(extract(&judge, t))), "{}", String::from_utf8_lossy(&text));
            assert_eq!(trusted.map(renumber), Some(strict), "{}", String::from_utf8_lossy(&text));
        }
    }
    assert!(accepted > 1_000 && refused > 500, "{accepted} {refused}");
}
