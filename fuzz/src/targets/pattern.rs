//! Any bytes as a pattern: the parser never panics, a refusal names its place, and what is accepted is JSON, prints,
//! and parses back to itself.

use super::{kind, magnitude, names_surrogate};
use rulebus_core::{limits::PatternLimits, pattern};
use serde_json::Value;

/// Panics when the parser errs.
pub fn run(text: &[u8]) -> u64 {
    let limits = PatternLimits::default();
    match pattern::parse(text, &limits) {
        Ok(parsed) => {
            if !names_surrogate(text) {
                assert!(serde_json::from_slice::<Value>(text).is_ok(), "accepted, but not JSON");
            }
            let printed = pattern::print(&parsed);
            let again = pattern::parse(printed.as_bytes(), &limits).unwrap_or_else(|e| panic!("printed form refused: {e}\n{printed}"));
            assert_eq!(again, parsed, "printed form means something else: {printed}");
            assert_eq!(pattern::print(&again), printed, "printing is not stable");
            // The kind of an accepted pattern: which operators it holds.
            let names = ["exactly", "prefix", "suffix", "ignore-case", "wildcard", "anything-but", "numeric", "cidr", "exists", "$or"];
            let held = names.iter().enumerate().fold(0, |held, (i, name)| held | (printed.contains(name) as u64) << i);
            kind(&[1, held, magnitude(parsed.items.len())])
        }
        Err(error) => {
            assert!(error.offset <= text.len() && error.length >= 1 && error.line >= 1 && error.column >= 1, "no place: {error:?}");
            assert!(error.code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "code {:?}", error.code);
            for text in [&error.message, &error.expected, &error.excerpt, &error.aws_message] {
                assert!(!text.is_empty(), "an empty sentence: {error:?}");
            }
            kind(&[0, kind(&error.code.bytes().map(u64::from).collect::<Vec<_>>()), magnitude(error.pointer.len())])
        }
    }
}
