//! Any bytes as an event of which parts are selected and spliced: nothing panics, every span lies in the text, values
//! are those of a plain walk over serde_json's tree, and what is spliced as JSON is JSON.

use super::{kind, magnitude, names_surrogate};
use rulebus_core::select::{Form, Found, Paths, Piece, Refusal, Splice, Step};
use serde_json::Value;

fn paths() -> Vec<Vec<Step>> {
    let name = |name: &str| Step::Name(name.as_bytes().to_vec());
    vec![
        vec![],
        vec![name("a")],
        vec![name("a"), name("b")],
        vec![name("b"), Step::Index(0)],
        vec![name("b"), Step::All],
        vec![name("b"), Step::All, name("a")],
        vec![name("b"), Step::Index(1), Step::All],
        vec![name("")],
        vec![name("\u{e9}")],
        vec![name("detail"), name("x")],
        vec![Step::All],
        vec![Step::Index(0), name("a")],
    ]
}

/// Panics when selection errs.
pub fn run(text: &[u8]) -> u64 {
    let all = paths();
    let mut trie = Paths::default();
    let numbers: Vec<usize> = all.iter().map(|path| trie.add(path)).collect();
    let mut found = Found::default();
    let scanned = trie.scan(text, &mut found);
    let judge = serde_json::from_slice::<Value>(text).ok();
    if let Err(broken) = scanned {
        assert!(broken.offset <= text.len(), "an error beyond the text: {broken:?}");
        assert!(judge.is_none(), "refused, but JSON: {broken:?}");
    } else {
        for (path, number) in all.iter().zip(&numbers) {
            let spans: Option<Vec<_>> = found.values(*number).map(Iterator::collect);
            for span in spans.iter().flatten() {
                assert!(span.start < span.end && span.end <= text.len(), "a span beyond the text: {span:?}");
            }
            if let (Some(judge), false) = (&judge, names_surrogate(text)) {
                let parsed =
                    |span: &rulebus_core::select::Span| serde_json::from_slice::<Value>(span.of(text)).expect("a value's own text");
                let got = spans.map(|spans| spans.iter().map(parsed).collect::<Vec<_>>());
                assert_eq!(got, naive(judge, path), "{path:?}");
            }
        }
    }
    let mut outcomes = Vec::new();
    for form in [Form::Value, Form::Name, Form::Inside, Form::Bare, Form::Part, Form::Needed] {
        for path in &all {
            outcomes.push(spliced(text, path, form, judge.is_some()));
        }
    }
    kind(&[scanned.is_ok() as u64, judge.is_some() as u64, kind(&outcomes), magnitude(text.len())])
}

/// Every value on a path; `None` when there is none and no array that a list ranges over.
fn naive(value: &Value, path: &[Step]) -> Option<Vec<Value>> {
    let Some((step, rest)) = path.split_first() else { return Some(vec![value.clone()]) };
    match step {
        Step::Name(name) => naive(value.as_object()?.get(std::str::from_utf8(name).expect("our own names"))?, rest),
        Step::Index(index) => naive(value.as_array()?.get(*index)?, rest),
        Step::All => Some(value.as_array()?.iter().flat_map(|element| naive(element, rest).unwrap_or_default()).collect()),
    }
}

/// Splices one path in one form between fixed literals; says what came of it.
fn spliced(text: &[u8], path: &[Step], form: Form, valid: bool) -> u64 {
    let (before, after): (&[u8], &[u8]) = match form {
        Form::Inside => (b"{\"k\":\"x", b"y\"}"),
        Form::Name => (b"{", b":1}"),
        Form::Bare | Form::Part => (b"\"", b"\""),
        Form::Value | Form::Needed => (b"[", b"]"),
    };
    let mut paths = Paths::default();
    let number = paths.add(path);
    let pieces = vec![Piece::Literal(before.to_vec()), Piece::Value(number, form), Piece::Literal(after.to_vec())];
    let mut out = Vec::new();
    match Splice::new(paths, pieces, 1 << 16).write(text, &[], &mut Found::default(), &mut out) {
        Ok(()) => {
            if valid && !names_surrogate(text) {
                assert!(serde_json::from_slice::<Value>(&out).is_ok(), "not JSON: {}", String::from_utf8_lossy(&out));
            }
            1
        }
        Err(Refusal::Broken(_)) => {
            assert!(!valid, "refused, but JSON");
            2
        }
        Err(Refusal::Misplaced(piece)) => {
            assert!(piece == 1 && matches!(form, Form::Inside | Form::Name));
            3
        }
        Err(Refusal::Missing(piece)) => {
            assert!(piece == 1 && form == Form::Needed);
            4
        }
        Err(Refusal::TooLong) => 5,
    }
}
