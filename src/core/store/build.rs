//! Segments from patterns, and one segment from several.

use crate::map::Map;
use crate::{
    compile::resolve,
    index::{
        build::IndexBuilder,
        encode::{Encoder, Paths},
        import::Import,
        operands::OperandHasher,
        segment::{MANY_CONJUNCTIONS, RuleRec, Segment},
    },
    pattern::tree::Pattern,
};
use std::sync::Arc;

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
        if let (true, Some(source)) = (conjs.len() != 1, source) {
            sources.insert(n, source);
        }
        recs.push(RuleRec { key: rule.key, conj: conjs_of(&mut conjs, &mut encoder) });
    }
    let (operands, records) = encoder.finish();
    IndexBuilder::new(operands, records, paths.trie().len()).finish(recs, sources)
}

/// Builds a segment of the rules of some segments that live at `version`; `None` if there is none. `paths` is the number
/// of paths of their trie.
pub fn merge(segments: &[Arc<Segment>], version: u32, hasher: &OperandHasher, paths: usize) -> Option<Segment> {
    let mut living: Vec<(u64, u32, u32)> = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let rules = (0..segment.rules.len() as u32).filter(|rule| segment.alive(*rule, version));
        living.extend(rules.map(|rule| (segment.rules[rule as usize].key, at as u32, rule)));
    }
    if living.is_empty() {
        return None;
    }
    // Not the unstable sort: what is a few ascending runs already is merged in one pass.
    living.sort();
    let mut encoder = Encoder::new(hasher.clone());
    let mut imports: Vec<Import<'_>> = segments.iter().map(|s| Import::new(s)).collect();
    let mut recs = Vec::with_capacity(living.len());
    let mut sources = Map::default();
    let mut conjs = Vec::new();
    for (n, (key, at, rule)) in living.into_iter().enumerate() {
        let (n, segment, import) = (n as u32, &segments[at as usize], &mut imports[at as usize]);
        conjs.clear();
        conjs.extend(segment.conjunctions_of(rule).iter().map(|conj| import.conjunction(*conj, n, &mut encoder)));
        if let Some(source) = segment.sources.get(&rule) {
            sources.insert(n, source.clone());
        }
        recs.push(RuleRec { key, conj: conjs_of(&mut conjs, &mut encoder) });
    }
    drop(imports);
    let (operands, records) = encoder.finish();
    Some(IndexBuilder::new(operands, records, paths).finish(recs, sources))
}

/// How a rule names its conjunctions.
fn conjs_of(conjs: &mut Vec<u32>, encoder: &mut Encoder) -> u32 {
    if let [conj] = conjs[..] {
        return conj;
    }
    conjs.sort_unstable();
    conjs.dedup();
    encoder.list(conjs) | MANY_CONJUNCTIONS
}

impl Pattern {
    /// A copy to keep beside the records, when the pattern has `$or` and may have to be expanded.
    fn clone_if_expanded(&self) -> Option<Pattern> {
        use crate::pattern::tree::Item;
        self.items.iter().any(|item| matches!(item, Item::Or(_))).then(|| self.clone())
    }
}
