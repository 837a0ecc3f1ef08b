//! Rules on their way into a segment: written down, not yet placed. They come from patterns, from other segments (a
//! merge), or from the pieces that several threads wrote.

use super::{CapacityError, writer::Task};
use crate::map::Map;
use crate::{
    compile::resolve::{plain, resolve},
    index::{
        build::IndexBuilder,
        encode::{Encoder, Paths},
        import::Import,
        operands::OperandHasher,
        record::MAX_PATHS,
        segment::{MANY_CONJUNCTIONS, RuleRec, Segment},
        skew::Skew,
    },
    path::PathTrie,
    pattern::tree::{Item, Pattern},
};
use std::sync::Arc;

/// Rules written down, numbered from 0.
pub struct Draft {
    encoder: Encoder,
    paths: Paths,
    /// By rule, as in `RuleRec::conj`.
    rules: Vec<u32>,
    /// As in `Segment::sources`.
    sources: Map<u32, Pattern>,
    /// The conjunctions of the rule at hand.
    conjs: Vec<u32>,
}

impl Draft {
    /// No rules; their paths will be added to a trie.
    pub(super) fn new(hasher: OperandHasher, trie: Arc<PathTrie>) -> Self {
        Self { encoder: Encoder::new(hasher), paths: Paths::new(trie), rules: vec![], sources: Map::default(), conjs: vec![] }
    }

    /// Makes room for so many rules.
    pub(super) fn reserve(&mut self, rules: usize) {
        self.encoder.reserve(rules);
        self.rules.reserve(rules);
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The trie with the rules' paths.
    pub(super) fn trie(&self) -> &Arc<PathTrie> {
        self.paths.trie()
    }

    /// Whether the paths of a pattern can be added.
    pub(super) fn has_room_for<'a>(&self, patterns: impl Iterator<Item = &'a Pattern> + Clone) -> Result<(), CapacityError> {
        let trie = self.trie();
        let most: usize = patterns.clone().map(|pattern| count_segments(&pattern.items)).sum();
        if trie.len() + most > MAX_PATHS && trie.len() + count_new_paths(patterns, trie) > MAX_PATHS {
            return Err(CapacityError::TooManyPaths);
        }
        Ok(())
    }

    /// Adds a rule; there must be room for its paths.
    pub(super) fn push(&mut self, pattern: Pattern) {
        let rule = self.rules.len() as u32;
        if plain(&pattern.items) {
            let fields = pattern.items.iter().filter_map(|item| if let Item::Field(field) = item { Some(field) } else { None });
            self.rules.push(self.encoder.conjoined(fields, &[], rule, &mut self.paths));
            return;
        }
        let expands = pattern.items.iter().any(|item| matches!(item, Item::Or(_)));
        let source = expands.then(|| pattern.clone());
        // The limit was checked when the pattern was accepted; an accepted pattern resolves.
        let conjunctions = resolve(pattern, usize::MAX).unwrap_or_default();
        self.conjs.clear();
        self.conjs.extend(conjunctions.iter().map(|c| self.encoder.conjunction(c, rule, &mut self.paths)));
        if conjunctions.len() != 1 {
            self.sources.extend(source.map(|source| (rule, source)));
        }
        self.end_rule();
    }

    /// Adds rule `rule` of a segment; `import` copies from there.
    pub(super) fn copy(&mut self, segment: &Segment, rule: u32, import: &mut Import<'_>) {
        self.copy_rule(segment.conjunctions_of(rule), segment.sources.get(&rule), import);
    }

    /// Adds all rules of a piece.
    pub(super) fn absorb(&mut self, piece: &Self) -> Result<(), CapacityError> {
        let paths = self.paths.absorb(piece.trie());
        if self.trie().len() > MAX_PATHS {
            return Err(CapacityError::TooManyPaths);
        }
        let (records, operands) = (&piece.encoder.records, &piece.encoder.operands);
        let mut import = Import::new(records, operands, Some(&paths));
        for (rule, conj) in piece.rules.iter().enumerate() {
            let conjs = if conj & MANY_CONJUNCTIONS != 0 { records.list(conj & !MANY_CONJUNCTIONS) } else { std::slice::from_ref(conj) };
            self.copy_rule(conjs, piece.sources.get(&(rule as u32)), &mut import);
        }
        Ok(())
    }

    fn copy_rule(&mut self, conjs: &[u32], source: Option<&Pattern>, import: &mut Import<'_>) {
        let rule = self.rules.len() as u32;
        self.conjs.clear();
        self.conjs.extend(conjs.iter().map(|conj| import.conjunction(*conj, rule, &mut self.encoder)));
        self.sources.extend(source.map(|source| (rule, source.clone())));
        self.end_rule();
    }

    fn end_rule(&mut self) {
        if let [conj] = self.conjs[..] {
            return self.rules.push(conj);
        }
        self.conjs.sort_unstable();
        self.conjs.dedup();
        self.rules.push(self.encoder.list(&self.conjs) | MANY_CONJUNCTIONS);
    }

    /// Adds the paths to another trie, and uses that from now on; nothing may be added afterwards.
    pub(super) fn join(&mut self, trie: &Arc<PathTrie>) -> Result<(), CapacityError> {
        let mut paths = Paths::new(trie.clone());
        let here = paths.absorb(self.trie());
        if paths.trie().len() > MAX_PATHS {
            return Err(CapacityError::TooManyPaths);
        }
        if here.iter().enumerate().any(|(there, here)| there != *here as usize) {
            self.encoder.map_paths(&here);
        }
        self.paths = paths;
        Ok(())
    }

    /// Places the rules, which have these keys; `skew` is what is known of events.
    pub(super) fn finish(mut self, mut keys: Vec<u64>, skew: Option<Arc<Skew>>, threads: usize) -> Segment {
        if !keys.is_sorted() {
            self.sort(&mut keys);
        }
        let rules = keys.into_iter().zip(self.rules).map(|(key, conj)| RuleRec::new(key, conj)).collect();
        let encoded = self.encoder.finish(self.paths.trie().len());
        IndexBuilder::new(encoded, skew).finish(rules, self.sources, threads)
    }

    /// Puts the rules into the order of their keys.
    fn sort(&mut self, keys: &mut [u64]) {
        let order = order_of(keys);
        let mut numbers = vec![0; order.len()];
        order.iter().enumerate().for_each(|(new, old)| numbers[*old as usize] = new as u32);
        self.encoder.renumber(&numbers);
        self.rules = order.iter().map(|old| self.rules[*old as usize]).collect();
        self.sources = std::mem::take(&mut self.sources).into_iter().map(|(old, source)| (numbers[old as usize], source)).collect();
        keys.sort_unstable();
    }
}

/// The places of keys in their order.
pub(super) fn order_of(keys: &[u64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    order.sort_unstable_by_key(|rule| keys[*rule as usize]);
    order
}

/// Rules that are placed, but not put yet.
pub struct Placed {
    pub(super) segment: Segment,
    /// By rule of the segment, the rule of the draft that it was, unless they are the same.
    pub(super) order: Option<Vec<u32>>,
}

impl Placed {
    /// Gives the rules of the draft these keys. COST: small, unless the keys are in another order than those before.
    pub(super) fn finish(self, keys: Vec<u64>, hasher: &OperandHasher, trie: &Arc<PathTrie>) -> Segment {
        let Self { mut segment, order } = self;
        let keys = match order {
            Some(order) => order.iter().map(|rule| keys[*rule as usize]).collect(),
            None => keys,
        };
        if keys.is_sorted() {
            segment.rules.iter_mut().zip(keys).for_each(|(rec, key)| rec.key = key);
            return segment;
        }
        let mut draft = Draft::new(hasher.clone(), trie.clone());
        let mut import = Import::new(&segment.records, &segment.operands, None);
        (0..keys.len() as u32).for_each(|rule| draft.copy(&segment, rule, &mut import));
        draft.finish(keys, None, 1)
    }
}

/// Builds a segment of the rules that live at the version of a task; `None` if there is none. `trie` is that of all of them.
pub fn merge(task: &Task, hasher: &OperandHasher, trie: &Arc<PathTrie>, skew: Option<Arc<Skew>>) -> Option<Segment> {
    let (segments, version) = (&task.segments, task.version);
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
    let mut draft = Draft::new(hasher.clone(), trie.clone());
    draft.reserve(living.len());
    let mut imports: Vec<Import<'_>> = segments.iter().map(|s| Import::new(&s.records, &s.operands, None)).collect();
    living.iter().for_each(|(_, at, rule)| draft.copy(&segments[*at as usize], *rule, &mut imports[*at as usize]));
    drop(imports);
    Some(draft.finish(living.into_iter().map(|(key, ..)| key).collect(), skew, 1))
}

/// Upper bound of the trie nodes that items add.
fn count_segments(items: &[Item]) -> usize {
    let count = |item: &Item| match item {
        Item::Field(field) => 1 + field.path.iter().filter(|b| **b == b'.').count(),
        Item::Or(alternatives) => alternatives.iter().map(|a| count_segments(a)).sum(),
    };
    items.iter().map(count).sum()
}

/// The trie nodes that patterns really add; asked only when the upper bound is too high, which repeated paths make it.
#[cold]
fn count_new_paths<'a>(patterns: impl Iterator<Item = &'a Pattern>, trie: &PathTrie) -> usize {
    fn add(items: &[Item], known: &PathTrie, new: &mut PathTrie) {
        for item in items {
            match item {
                Item::Field(field) if known.find(&field.path).is_none() => {
                    if new.len() <= MAX_PATHS {
                        new.intern(&field.path);
                    }
                }
                Item::Field(_) => {}
                Item::Or(alternatives) => alternatives.iter().for_each(|a| add(a, known, new)),
            }
        }
    }
    let mut new = PathTrie::new();
    patterns.for_each(|pattern| add(&pattern.items, trie, &mut new));
    // Nodes that only lead to new paths may be known already; counting them again errs on the safe side.
    new.len() - 1
}
