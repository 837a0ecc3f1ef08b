//! What the walk refuses, with which code, at which byte; and that `Strict` accepts exactly what serde_json accepts,
//! on seeded random mutations of valid documents.

mod walk_common;

use rulebus_core::error::EventErrorCode as Code;
use rulebus_core::limits::EventLimits;
use rulebus_core::path::PathTrie;
use rulebus_core::walk::{Leaves, Validation, WalkState, walk};
use walk_common::*;

fn verdict(text: &[u8], level: Validation) -> Result<(), (Code, usize)> {
    walk_fresh(text, &trie(&["a", "a.b"], &[]), level).map(|_| ()).map_err(|e| (e.code, e.offset))
}

#[test]
fn each_fault_has_its_code_and_its_byte() {
    let cases: &[(&[u8], Code, usize)] = &[
        (b"", Code::Empty, 0),
        (b" \n", Code::Empty, 0),
        (b"[1]", Code::NotAnObject, 0),
        (b" \"x\"", Code::NotAnObject, 1),
        (b"null", Code::NotAnObject, 0),
        (b"\xef\xbb\xbf{}", Code::UnexpectedByte, 0),
        (b"x", Code::UnexpectedByte, 0),
        (b"{", Code::Truncated, 1),
        (b"{\"a", Code::Truncated, 3),
        (b"{\"a\"", Code::Truncated, 4),
        (b"{\"a\":", Code::Truncated, 5),
        (b"{\"a\":1", Code::Truncated, 6),
        (b"{\"a\":1,", Code::Truncated, 7),
        (b"{\"a\":-", Code::Truncated, 6),
        (b"{\"a\":tr", Code::Truncated, 7),
        (b"{\"a\":{}", Code::Truncated, 7),
        (b"{\"a\":\"\\u00", Code::Truncated, 10),
        (b"{\"a\":[{}", Code::Truncated, 8),
        (b"{\"a\":01}", Code::InvalidNumber, 6),
        (b"{\"a\":1.}", Code::InvalidNumber, 7),
        (b"{\"a\":.5}", Code::InvalidNumber, 5),
        (b"{\"a\":+1}", Code::InvalidNumber, 5),
        (b"{\"a\":-}", Code::InvalidNumber, 6),
        (b"{\"a\":1e}", Code::InvalidNumber, 7),
        (b"{\"a\":1.5.2}", Code::InvalidNumber, 8),
        (b"{\"a\":tru}", Code::InvalidLiteral, 8),
        (b"{\"a\":truex}", Code::InvalidLiteral, 9),
        (b"{\"a\":NaN}", Code::InvalidLiteral, 5),
        (b"{\"a\":nul\0}", Code::InvalidLiteral, 8),
        (b"{\"a\":1}}", Code::TrailingText, 7),
        (b"{\"a\":1} x", Code::TrailingText, 8),
        (b"{}{}", Code::TrailingText, 2),
        (b"{} \0", Code::TrailingText, 3),
        (b"{\"a\":\"\n\"}", Code::ControlCharacter, 6),
        (b"{\"a\n\":1}", Code::ControlCharacter, 3),
        (b"{\"a\":\"\\x\"}", Code::InvalidEscape, 7),
        (b"{\"a\":\"\\u12g4\"}", Code::InvalidEscape, 10),
        (b"{\"\\q\":1}", Code::InvalidEscape, 3),
        (b"{\"a\":\"\xff\"}", Code::InvalidUtf8, 6),
        (b"{\"a\":\"\xed\xa0\x80\"}", Code::InvalidUtf8, 6),
        (b"{\"a\":\xff}", Code::UnexpectedByte, 5),
        (b"{,}", Code::UnexpectedByte, 1),
        (b"{\"a\":1,}", Code::UnexpectedByte, 7),
        (b"{\"a\":[1,]}", Code::UnexpectedByte, 8),
        (b"{\"a\":[,1]}", Code::UnexpectedByte, 6),
        (b"{\"a\" 1}", Code::UnexpectedByte, 5),
        (b"{\"a\":1 \"b\":2}", Code::UnexpectedByte, 7),
        (b"{\"a\":[1}}", Code::UnexpectedByte, 7),
        (b"{\"a\":{\"b\":1]}", Code::UnexpectedByte, 11),
        (b"{\\\"a\":1}", Code::UnexpectedByte, 1),
        (b"{'a':1}", Code::UnexpectedByte, 1),
        (b"{a:1}", Code::UnexpectedByte, 1),
        (b"{\"a\":}", Code::UnexpectedByte, 5),
        (b"{\"a\":1\x0b}", Code::UnexpectedByte, 6),
    ];
    for (text, code, offset) in cases {
        for level in [Validation::Strict, Validation::Checked] {
            assert_eq!(verdict(text, level), Err((*code, *offset)), "{level:?} {}", String::from_utf8_lossy(text));
        }
        // At the trusted level anything may be said, but nothing bad may happen.
        let _ = verdict(text, Validation::Trusted);
    }
}

#[test]
fn checked_sees_strings_controls_and_encoding_in_what_it_skips() {
    for (text, code) in [
        (&b"{\"z\":{\"y\":\"\x01\"}}"[..], Code::ControlCharacter),
        (b"{\"z\":[\"\xc0\"]}", Code::InvalidUtf8),
        (b"{\"z\":[\"x]}", Code::Truncated),
        (b"{\"z\":[[1]}", Code::UnexpectedByte),
        (b"{\"z\":tru}", Code::InvalidLiteral),
        (b"{\"z\":\"\\x\"}", Code::InvalidEscape),
        (b"{\"\\ud8\":1}", Code::InvalidEscape),
    ] {
        assert_eq!(verdict(text, Validation::Checked).unwrap_err().0, code, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn limits() {
    let t = trie(&["a"], &[]);
    let run = |text: &[u8], limits: &EventLimits, level| {
        walk(text, &t, level, limits, &mut WalkState::default(), &mut Leaves::default()).map_err(|e| (e.code, e.offset))
    };
    for level in LEVELS {
        let small = EventLimits { max_event_bytes: 10, ..Default::default() };
        assert_eq!(run(b"{\"a\":1234}", &small, level), Ok(()));
        assert_eq!(run(b"{\"a\":12345}", &small, level), Err((Code::TooLarge, 10)));
        let few = EventLimits { max_event_values: 2, ..Default::default() };
        assert_eq!(run(b"{\"a\":[1,2]}", &few, level), Ok(()));
        assert_eq!(run(b"{\"a\":[1,2,3]}", &few, level), Err((Code::TooManyValues, 10)));
        let flat = EventLimits { max_event_depth: 3, ..Default::default() };
        assert_eq!(run(b"{\"a\":[[1]]}", &flat, level), Ok(()));
        assert_eq!(run(b"{\"a\":[[[1]]]}", &flat, level), Err((Code::TooDeep, 7)));
        assert_eq!(run(b"{}", &EventLimits { max_event_depth: 0, ..flat }, level), Err((Code::TooDeep, 0)));
    }
    let flat = EventLimits { max_event_depth: 3, ..Default::default() };
    assert_eq!(run(b"{\"z\":[[[1]]]}", &flat, Validation::Strict), Err((Code::TooDeep, 7)));
    assert_eq!(run(b"{\"z\":[[[1]]]}", &flat, Validation::Checked), Ok(()));
}

/// serde_json's verdict; it refuses lone surrogates, which JSON's grammar allows.
fn accepted_by_serde(text: &[u8]) -> Option<bool> {
    match serde_json::from_slice::<serde_json::Value>(text) {
        Ok(value) => Some(value.is_object()),
        Err(e) if e.to_string().contains("surrogate") || e.to_string().contains("unexpected end of hex escape") => None,
        Err(_) => Some(false),
    }
}

#[test]
fn strict_accepts_what_serde_json_accepts_and_no_level_refuses_it() {
    const PIECES: [&[u8]; 30] = [
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"0",
        b"1",
        b"-",
        b".",
        b"e",
        b"E+",
        b"true",
        b"fals",
        b"null",
        b" ",
        b"\n",
        b"\x00",
        b"\x1f",
        b"\x7f",
        b"\x80",
        b"\xc3\xa9",
        b"\xf0\x9f",
        b"\\u",
        b"\\ud83d",
        b"\"a\":",
        b"{}",
        b"[]",
    ];
    let mut random = Random(3);
    let (mut state, mut out) = (WalkState::default(), Leaves::default());
    let empty = PathTrie::new();
    let tries = [&empty, &trie(&["a", "a.b", "b.c", "detail", "c.d.a", ""], &["a"])];
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..150_000 {
        let repeats = random.chance(2);
        let mut text = document(&mut random, repeats).into_bytes();
        for _ in 0..random.below(4) {
            let at = random.below(text.len() + 1);
            let until = (at + random.below(4)).min(text.len());
            let piece = random.pick(&PIECES).to_vec();
            match random.below(4) {
                0 => drop(text.splice(at..at, piece)),
                1 => drop(text.drain(at..until)),
                2 => drop(text.splice(at..until, piece)),
                _ => text.truncate(if random.chance(3) { at } else { text.len() }),
            }
        }
        let Some(expected) = accepted_by_serde(&text) else { continue };
        *(if expected { &mut accepted } else { &mut refused }) += 1;
        for t in tries {
            for level in LEVELS {
                let found = walk(&text, t, level, &EventLimits::default(), &mut state, &mut out);
                if level == Validation::Strict || expected {
                    assert_eq!(found.is_ok(), expected, "{level:?} {found:?} {}", String::from_utf8_lossy(&text));
                }
            }
        }
    }
    assert!(accepted > 20_000 && refused > 20_000, "{accepted} {refused}");
}
