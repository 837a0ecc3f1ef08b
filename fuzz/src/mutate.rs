//! Mutation of inputs: bytes flipped, cut, doubled, joined with other inputs, and the words of JSON and of the pattern
//! language put in. Seeded, so that a run can be repeated; relies on nothing but [`Rng`]. Must never grow an input
//! beyond `MAX_BYTES`.

use crate::choices::Rng;

/// Inputs stay below this length: findings should be short, and short inputs run fast.
pub const MAX_BYTES: usize = 4096;

const WORDS: [&str; 61] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\\\"",
    "\\\\",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\ud800",
    "\\u",
    "\\/",
    "\\x",
    "null",
    "true",
    "false",
    "nul",
    "0",
    "-0",
    "01",
    "1.",
    "1e",
    "1e400",
    "9007199254740993",
    "-",
    "+1",
    "NaN",
    "\"a\":",
    "\"a\"",
    "{\"a\":1}",
    "[1,2]",
    " ",
    "\n",
    "\t",
    "\u{feff}",
    "\u{0}",
    "é",
    "😀",
    "exists",
    "prefix",
    "suffix",
    "wildcard",
    "equals-ignore-case",
    "anything-but",
    "numeric",
    "cidr",
    "exactly",
    "$or",
    ">=",
    "<",
    "=",
    "10.0.0.0/8",
    "::1/64",
    "a*b",
    "\\\\*",
    "**",
    "a.b",
    "[{\"exists\":false}]",
];

/// A changed copy of `input`; `other` lends a piece now and then.
pub fn mutate(rng: &mut Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut out = input.to_vec();
    for _ in 0..1 + rng.below(4) {
        once(rng, &mut out, other);
    }
    out.truncate(MAX_BYTES);
    out
}

fn once(rng: &mut Rng, out: &mut Vec<u8>, other: &[u8]) {
    let at = rng.below(out.len() + 1);
    let end = (at + 1 + rng.below(16)).min(out.len());
    match rng.below(9) {
        0 if at < out.len() => out[at] ^= 1 << rng.below(8),
        1 if at < out.len() => out[at] = rng.draw() as u8,
        2 => drop(out.drain(at..end)),
        3 => {
            let piece = out[at..end].to_vec();
            let repeats = if rng.below(20) == 0 { 1 + rng.below(200) } else { 1 };
            let to = rng.below(out.len() + 1);
            out.splice(to..to, piece.repeat(repeats));
        }
        4 => out.truncate(at),
        5 if !other.is_empty() => {
            let from = rng.below(other.len());
            let to = (from + 1 + rng.below(64)).min(other.len());
            out.splice(at..at, other[from..to].iter().copied());
        }
        6 => out.insert(at, rng.draw() as u8),
        7 if at < out.len() => {
            let word = WORDS[rng.below(WORDS.len())].as_bytes();
            out.splice(at..end, word.iter().copied());
        }
        _ => {
            let word = WORDS[rng.below(WORDS.len())].as_bytes();
            out.splice(at..at, word.iter().copied());
        }
    }
}
