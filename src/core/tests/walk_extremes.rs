//! Sizes and shapes at the edge: block borders, long runs of backslashes, deep and wide texts, nested repeated keys in
//! linear time; and that every instruction set gives the same answer on every text at every offset within a block.

mod walk_common;

use rulebus_core::error::EventErrorCode as Code;
use rulebus_core::limits::EventLimits;
use rulebus_core::path::PathTrie;
use rulebus_core::walk::{Instructions, Leaves, Validation, WalkState, walk, walk_with};
use walk_common::*;

/// The answer of every instruction set, after checking that they are one.
fn agreed(text: &[u8], trie: &PathTrie, level: Validation, state: &mut WalkState) -> Result<Vec<Found>, (Code, usize)> {
    let mut answers = vec![];
    for instructions in Instructions::available() {
        let mut out = Leaves::default();
        let found = walk_with(instructions, text, trie, level, &EventLimits::default(), state, &mut out).expect("available");
        answers.push(found.map(|()| readable(text, trie, &out)).map_err(|e| (e.code, e.offset)));
    }
    for other in &answers[1..] {
        assert_eq!(*other, answers[0], "{level:?} {}", String::from_utf8_lossy(text));
    }
    answers.swap_remove(0)
}

#[test]
fn instruction_sets_agree_at_every_offset() {
    let mut random = Random(4);
    let t = trie(&["a", "a.b", "c", "detail.a", "b.c"], &["a", "detail"]);
    let mut state = WalkState::default();
    for round in 0..120 {
        let mut text = document(&mut random, true).into_bytes();
        if round % 2 == 1 {
            let at = random.below(text.len());
            text[at] = *random.pick(b"\"\\{}[]:,0x\x01\x80");
        }
        for blanks in 0..64 {
            let shifted = [&vec![b' '; blanks], &text[..]].concat();
            for level in LEVELS {
                let _ = agreed(&shifted, &t, level, &mut state);
            }
        }
    }
}

#[test]
fn runs_of_backslashes_across_block_borders() {
    let t = trie(&["a", "b"], &[]);
    let mut state = WalkState::default();
    for shift in 0..66 {
        for run in [1, 2, 3, 62, 63, 64, 65, 127, 128, 129, 200] {
            let text = format!("{}{{\"a\":\"{}\\\"x\",\"b\":1}}", " ".repeat(shift), "\\\\".repeat(run));
            for level in LEVELS {
                let found = agreed(text.as_bytes(), &t, level, &mut state).unwrap();
                assert_eq!(found[0].bytes, format!("{}\"x", "\\".repeat(run)).as_bytes());
                assert_eq!((found.len(), &found[1].bytes[..]), (2, &b"1"[..]));
            }
            let open = format!("{}{{\"a\":\"{}\\\",\"b\":1}}", " ".repeat(shift), "\\\\".repeat(run));
            for level in LEVELS {
                assert!(agreed(open.as_bytes(), &t, level, &mut state).is_err());
            }
        }
    }
}

#[test]
fn deep_texts_are_refused_or_skipped_without_recursion() {
    let t = trie(&["a.b"], &["a"]);
    let mut state = WalkState::default();
    let deep = |key: &str, n: usize| format!("{{\"{key}\":{}1{}}}", "[".repeat(n), "]".repeat(n)).into_bytes();
    assert!(agreed(&deep("a", 999), &t, Validation::Strict, &mut state).is_ok());
    assert_eq!(agreed(&deep("a", 1000), &t, Validation::Checked, &mut state), Err((Code::TooDeep, 1004)));
    assert_eq!(agreed(&deep("a", 10_000), &t, Validation::Strict, &mut state), Err((Code::TooDeep, 1004)));
    assert_eq!(agreed(&deep("z", 1_000_000), &t, Validation::Strict, &mut state), Err((Code::TooDeep, 1004)));
    assert_eq!(agreed(&deep("z", 1_000_000), &t, Validation::Checked, &mut state), Ok(vec![]));
    assert_eq!(agreed(&deep("z", 1_000_000), &t, Validation::Trusted, &mut state), Ok(vec![]));
    // A million brackets that never close, and a million that were never opened.
    for text in [[&b"{\"z\":"[..], &vec![b'['; 1_000_000], b"}"].concat(), [&b"{\"z\":"[..], &vec![b'}'; 1_000_000]].concat()] {
        for level in LEVELS {
            assert!(agreed(&text, &t, level, &mut state).is_err());
        }
    }
}

#[test]
fn long_strings_and_wide_arrays() {
    let t = trie(&["s", "w.x"], &["w"]);
    let mut state = WalkState::default();
    let long = "é".repeat(500_000);
    let wide: Vec<String> = (0..65_536).map(|i| format!("{{\"x\":{i}}}")).collect();
    let text = format!("{{\"w\":[{}],\"s\":\"{long}\"}}", wide.join(","));
    for level in LEVELS {
        let found = agreed(text.as_bytes(), &t, level, &mut state).unwrap();
        assert_eq!(found.len(), 65_537);
        assert_eq!((&found[65_535].bytes[..], &found[65_535].trail[..]), (&b"65535"[..], &[(1, 65_535)][..]));
        assert_eq!(found[65_536].bytes, long.as_bytes());
    }
}

/// `{"a":{"a":…,"a":…},"a":…}`: every level has a dead value, and each is dropped once. Doubling the depth must not
/// quadruple the work; the count of leaves is what a quadratic walk would betray, time is only bounded loosely.
#[test]
fn nested_repeated_keys_cost_linear_time() {
    let depth = 900;
    let path = vec!["a"; depth].join(".");
    let mut paths: Vec<String> = (1..=depth).map(|n| vec!["a"; n].join(".")).collect();
    paths.push(format!("{path}.b"));
    let t = trie(&paths.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    let text = format!("{}{{\"a\":1}}{}", "{\"a\":[1,2],\"a\":".repeat(depth - 1), ",\"a\":9,\"a\":[7]}".repeat(depth - 1));
    let start = std::time::Instant::now();
    for level in [Validation::Strict, Validation::Checked] {
        for _ in 0..20 {
            let found = walk_fresh(text.as_bytes(), &t, level).unwrap();
            assert_eq!(found.iter().map(|f| (f.path.as_str(), &f.bytes[..])).collect::<Vec<_>>(), [("a", &b"7"[..])]);
        }
    }
    assert!(start.elapsed().as_secs() < 20);
    let many: String = (0..200_000).map(|i| format!("\"a\":{i},")).collect();
    let found = walk_fresh(format!("{{{many}\"z\":0}}").as_bytes(), &t, Validation::Checked).unwrap();
    assert_eq!(found.iter().map(|f| f.bytes.clone()).collect::<Vec<_>>(), [b"199999".to_vec()]);
}

/// Every beginning of every document, so that each possible end of the text is met at each offset in a block.
#[test]
fn cut_texts_are_refused_by_every_level() {
    let mut random = Random(5);
    let t = trie(&["a", "a.b", "detail.c"], &["a"]);
    let (mut state, mut out) = (WalkState::default(), Leaves::default());
    for _ in 0..300 {
        let text = document(&mut random, false);
        for end in 0..text.len() {
            let cut = &text.as_bytes()[..end];
            for level in [Validation::Strict, Validation::Checked] {
                let code = walk(cut, &t, level, &EventLimits::default(), &mut state, &mut out).unwrap_err().code;
                assert!(matches!(code, Code::Truncated | Code::Empty | Code::InvalidUtf8), "{code:?} {}", String::from_utf8_lossy(cut));
            }
            let _ = walk(cut, &t, Validation::Trusted, &EventLimits::default(), &mut state, &mut out);
        }
    }
}

#[test]
fn random_bytes_never_do_harm() {
    const COMMON: &[u8] = b"{}[]\"\"\\:,,a1tn \x00\x80\xff";
    let mut random = Random(6);
    let t = trie(&["a", "a.b", "1", ""], &["a"]);
    let mut state = WalkState::default();
    for _ in 0..30_000 {
        let mut text: Vec<u8> = (0..random.below(150)).map(|_| *random.pick(COMMON)).collect();
        text.splice(0..0, *b"{\"a\":");
        text.push(b'}');
        for level in LEVELS {
            let _ = agreed(&text, &t, level, &mut state);
        }
    }
}
