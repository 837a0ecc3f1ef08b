//! The targets, by name. A target takes any bytes, panics when the core errs, and returns the kind of input it saw.

pub mod engine;
pub mod pattern;
pub mod select;
pub mod walk;

/// A target: its name, which is also its corpus folder, and its body.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name and corpus folder.
    pub name: &'static str,
    /// Panics when the core errs; returns the kind of input.
    pub run: fn(&[u8]) -> u64,
}

/// All targets.
pub const ALL: [Target; 4] = [
    Target { name: "pattern", run: pattern::run },
    Target { name: "walk", run: walk::run },
    Target { name: "engine", run: engine::run },
    Target { name: "select", run: select::run },
];

/// Mixes facts about an input into its kind (FNV-1a).
pub(crate) fn kind(facts: &[u64]) -> u64 {
    facts.iter().flat_map(|f| f.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ b as u64).wrapping_mul(0x100_0000_01b3))
}

/// The magnitude of a count: kinds should tell few from many, not 17 from 18.
pub(crate) fn magnitude(count: usize) -> u64 {
    (usize::BITS - count.leading_zeros()) as u64
}

/// Whether the text names a surrogate by an escape; serde_json refuses lone ones, the core takes them.
pub(crate) fn names_surrogate(text: &[u8]) -> bool {
    text.windows(4)
        .any(|w| w[..2] == *b"\\u" && w[2].eq_ignore_ascii_case(&b'd') && matches!(w[3], b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F'))
}
