//! Segments from patterns, and segments from segments.

use crate::map::Map;
use crate::{
    compile::resolve,
    index::{
        build::IndexBuilder,
        encode::{Encoder, Paths},
        operands::OperandHasher,
        segment::{MANY_CONJUNCTIONS, RuleRec, Segment},
    },
    path::PathTrie,
    pattern::tree::Pattern,
};

/// A rule to be built: its key (place in the order, number) and its pattern.
pub struct RuleSource {
    /// See `index::segment::RuleRec::key`.
    pub key: u64,
    /// The pattern.
    pub pattern: Pattern,
}

/// Builds a segment. The rules must be in the order of their keys.
pub fn build(rules: impl ExactSizeIterator<Item = RuleSource>, hasher: &OperandHasher, paths: &mut Paths) -> Segment {
    let mut encoder = Encoder::new(hasher.clone());
    let mut recs = Vec::with_capacity(rules.len());
    let mut sources = Map::default();
    for (n, rule) in rules.enumerate() {
        let n = n as u32;
        let source = rule.pattern.clone_if_expanded();
        // The limit was checked when the pattern was accepted; an accepted pattern resolves.
        let conjunctions = resolve(rule.pattern, usize::MAX).unwrap_or_default();
        let mut conjs: Vec<u32> = conjunctions.iter().map(|c| encoder.conjunction(c, n, paths)).collect();
        let conj = if conjs.len() == 1 {
            conjs[0]
        } else {
            conjs.sort_unstable();
            conjs.dedup();
            if let Some(source) = source {
                sources.insert(n, source);
            }
            encoder.list(conjs) | MANY_CONJUNCTIONS
        };
        recs.push(RuleRec { key: rule.key, conj });
    }
    let (operands, records) = encoder.finish();
    IndexBuilder::new(operands, records, paths.trie().len()).finish(recs, sources)
}

impl Pattern {
    /// A copy to keep beside the records, when the pattern has `$or` and may have to be expanded.
    fn clone_if_expanded(&self) -> Option<Pattern> {
        use crate::pattern::tree::Item;
        self.items.iter().any(|item| matches!(item, Item::Or(_))).then(|| self.clone())
    }
}

/// The rules of some segments that live at `version`, in the order of their keys, read back from the index.
pub fn living(segments: &[std::sync::Arc<Segment>], version: u32, trie: &PathTrie) -> Vec<RuleSource> {
    let mut all = Vec::new();
    for segment in segments {
        for (n, rec) in segment.rules.iter().enumerate() {
            if segment.alive(n as u32, version) {
                all.push(RuleSource { key: rec.key, pattern: segment.pattern(n as u32, trie) });
            }
        }
    }
    all.sort_unstable_by_key(|r| r.key);
    all
}
