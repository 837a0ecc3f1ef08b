//! Definitions that override one another are resolved here, so that everything below sees each path at most once on
//! any way through a conjunction.
//!
//! The language builds branches in document order: a field replaces an earlier definition of its path, `$or`
//! multiplies the branches. A definition that a later one always replaces is dropped, also inside `$or`. What is
//! left in conflict, a definition replaced on some branches only, is expanded into branches of its own; that is rare
//! and limited by `max_or_branches`. Every other `$or` stays a tree: it costs its own size, never a product.
//!
//! SOURCE: specification, sections 9 and 10.

use crate::map::Set;
use crate::{
    error::PatternError,
    limits::PatternLimits,
    pattern::{
        self,
        tree::{Field, Item, Matcher, Pattern},
    },
};

/// The engine's own limit of different paths on one branch.
pub const MOST_PATHS: usize = 256;

/// Fields that must all hold, and `$or` groups of which one alternative each must hold.
#[derive(Clone, Debug, Default)]
pub struct Conjunction {
    /// Each path at most once, here and on every way through `ors`.
    pub fields: Vec<Field>,
    /// Each group has at least one alternative.
    pub ors: Vec<Vec<Conjunction>>,
}

/// The branches of a pattern would be more than this many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyBranches;

/// Parses a pattern and proves that it compiles within the limits.
pub fn accept(text: &[u8], limits: &PatternLimits) -> Result<Pattern, PatternError> {
    // The engine counts the fields of a branch in 256 bits; a higher limit would promise what it cannot hold.
    let limits = &PatternLimits { max_pattern_paths: limits.max_pattern_paths.min(MOST_PATHS), ..*limits };
    let pattern = pattern::parse(text, limits)?;
    let has_or = pattern.items.iter().any(|item| matches!(item, Item::Or(_)));
    if has_or && !resolves(&pattern, limits.max_or_branches) {
        return Err(pattern::too_many_branches(text, limits));
    }
    Ok(pattern)
}

/// The conjunctions of a pattern; the rule matches when one of them does.
pub fn resolve(pattern: Pattern, max_branches: usize) -> Result<Vec<Conjunction>, TooManyBranches> {
    if plain(&pattern.items) {
        return Ok(vec![conjoin(pattern.items)]);
    }
    let items = drop_replaced(&pattern.items, &mut Set::default());
    if stays_tree(&items) {
        return Ok(vec![conjoin(drop_idle(items))]);
    }
    let branches = expand(&items, vec![vec![]], max_branches)?;
    let owned = |fields: Vec<&Field>| Conjunction { fields: fields.into_iter().cloned().collect(), ors: vec![] };
    Ok(branches.into_iter().map(owned).collect())
}

/// Whether a pattern resolves within `max_branches`, without building what it resolves to.
fn resolves(pattern: &Pattern, max_branches: usize) -> bool {
    let items = drop_replaced(&pattern.items, &mut Set::default());
    stays_tree(&items) || expand(&items, vec![vec![]], max_branches).is_ok()
}

/// The usual pattern: no `$or`, few fields, no path twice. It is one conjunction of its fields.
pub fn plain(items: &[Item]) -> bool {
    items.len() <= 16
        && items.iter().enumerate().all(|(i, item)| match item {
            Item::Field(field) => !items[..i].iter().any(|other| matches!(other, Item::Field(f) if f.path == field.path)),
            Item::Or(_) => false,
        })
}

/// Items without the definitions that a later one (`later`, on every branch) replaces; adds the paths that these
/// items define on every branch to `later`.
fn drop_replaced<'a>(items: &'a [Item], later: &mut Set<&'a [u8]>) -> Vec<Item> {
    let mut kept: Vec<Item> = Vec::with_capacity(items.len());
    for item in items.iter().rev() {
        match item {
            Item::Field(field) => {
                if later.insert(&field.path) {
                    kept.push(item.clone());
                }
            }
            Item::Or(alternatives) => {
                let mut inner = Vec::with_capacity(alternatives.len());
                let mut always: Option<Set<&[u8]>> = None;
                for alternative in alternatives {
                    let mut seen = later.clone();
                    let left = drop_replaced(alternative, &mut seen);
                    inner.push(left);
                    always = Some(match always {
                        None => seen,
                        Some(a) => a.into_iter().filter(|p| seen.contains(p)).collect(),
                    });
                }
                later.extend(always.into_iter().flatten());
                // An alternative left empty demands nothing, but the others may still replace what stands before.
                kept.push(Item::Or(inner));
            }
        }
    }
    kept.reverse();
    kept
}

/// Whether the items mean the same as a tree: no path is defined twice on any way, so alternatives replace nothing
/// outside; and where a group demands nothing, no absence is asked for, since an alternative that holds besides may
/// choose an array element and so hide others.
fn stays_tree(items: &[Item]) -> bool {
    paths_once(items).is_some() && !(idles(items) && asks_absence(items))
}

fn idles(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Field(_) => false,
        Item::Or(alternatives) => alternatives.iter().any(|a| a.is_empty() || idles(a)),
    })
}

fn asks_absence(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Field(field) => field.matchers.contains(&Matcher::Exists(false)),
        Item::Or(alternatives) => alternatives.iter().any(|a| asks_absence(a)),
    })
}

/// Without the groups that demand nothing because one of their alternatives does not.
fn drop_idle(items: Vec<Item>) -> Vec<Item> {
    let keep = |item| match item {
        Item::Field(field) => Some(Item::Field(field)),
        Item::Or(alternatives) => {
            let inner: Vec<Vec<Item>> = alternatives.into_iter().map(drop_idle).collect();
            inner.iter().all(|alternative| !alternative.is_empty()).then_some(Item::Or(inner))
        }
    };
    items.into_iter().filter_map(keep).collect()
}

/// All paths of the items, or `None` if one is defined twice on some way through them.
/// COST: n log n in the fields, however `$or`s nest or stand side by side: the smaller set moves into the larger.
fn paths_once(items: &[Item]) -> Option<Set<&[u8]>> {
    let mut all: Set<&[u8]> = Set::default();
    for item in items {
        match item {
            Item::Field(field) => {
                if !all.insert(&field.path) {
                    return None;
                }
            }
            Item::Or(alternatives) => {
                let mut group: Set<&[u8]> = Set::default();
                for alternative in alternatives {
                    let one = paths_once(alternative)?;
                    let (large, small) = if one.len() > group.len() { (one, group) } else { (group, one) };
                    group = large;
                    group.extend(small);
                }
                let (large, small) = if group.len() > all.len() { (group, all) } else { (all, group) };
                all = large;
                for path in small {
                    if !all.insert(path) {
                        return None;
                    }
                }
            }
        }
    }
    Some(all)
}

/// Conditions that a branch may hold on average before expansion is refused: a long list of values would else be
/// copied as often as there are branches.
const CONDITIONS_A_BRANCH: usize = 256;

/// The language's own definition, branch by branch.
fn expand<'a>(items: &'a [Item], mut branches: Vec<Vec<&'a Field>>, max: usize) -> Result<Vec<Vec<&'a Field>>, TooManyBranches> {
    for item in items {
        match item {
            Item::Field(field) => {
                for branch in branches.iter_mut() {
                    match branch.iter_mut().find(|f| f.path == field.path) {
                        Some(earlier) => *earlier = field,
                        None => branch.push(field),
                    }
                }
            }
            Item::Or(alternatives) => {
                let mut all = Vec::new();
                for alternative in alternatives {
                    all.append(&mut expand(alternative, branches.clone(), max)?);
                    if all.len() > max {
                        return Err(TooManyBranches);
                    }
                }
                branches = all;
            }
        }
    }
    let conditions: usize = branches.iter().flatten().map(|f| f.matchers.len()).sum();
    if branches.len() > 1 && conditions > max.saturating_mul(CONDITIONS_A_BRANCH) { Err(TooManyBranches) } else { Ok(branches) }
}

fn conjoin(items: Vec<Item>) -> Conjunction {
    let mut out = Conjunction::default();
    for item in items {
        match item {
            Item::Field(field) => out.fields.push(field),
            Item::Or(alternatives) => {
                let group: Vec<_> = alternatives.into_iter().map(conjoin).collect();
                // Where nothing is replaced, an empty alternative means that the group demands nothing. It may have
                // become empty only now, by losing the groups inside it.
                if group.iter().all(|alternative| !alternative.fields.is_empty() || !alternative.ors.is_empty()) {
                    out.ors.push(group);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::catalogue::{ENTRIES, EXAMPLE_LIMITS};

    #[test]
    fn every_code_is_produced_by_its_example() {
        for e in ENTRIES {
            let error = accept(e.example, &EXAMPLE_LIMITS).expect_err(e.code);
            assert_eq!(error.code, e.code, "{error}");
            assert!(!error.aws_message.is_empty() && !error.aws_message.contains('\n') && !error.expected.is_empty(), "{error}");
            assert!(error.offset <= e.example.len() && error.length >= 1 && error.excerpt.contains('^'), "{error}");
        }
    }

    fn branches(text: &str) -> Vec<Conjunction> {
        resolve(accept(text.as_bytes(), &PatternLimits::default()).expect("valid"), 4096).expect("few branches")
    }

    #[test]
    fn or_without_overrides_stays_a_tree() {
        let block = |k: &str| format!(r#"{{"$or":[{{"{k}1":[1]}},{{"{k}2":[1]}},{{"{k}3":[1]}},{{"{k}4":[1]}}]}}"#);
        let text = format!("{{{}}}", ["a", "b", "c", "d", "e", "f", "g"].map(|k| format!("\"{k}\":{}", block(k))).join(","));
        let all = branches(&text);
        assert_eq!((all.len(), all[0].ors.len()), (1, 7));
    }

    #[test]
    fn what_is_always_replaced_goes_what_is_sometimes_replaced_is_expanded() {
        let all = branches(r#"{"a":[1],"$or":[{"a":[2]},{"b":[3]}],"a":[4]}"#);
        assert_eq!((all.len(), all[0].fields.len(), all[0].ors.len()), (1, 1, 0));
        // Of the group only an alternative is left that replaces "b"; the empty one beside it must not hide it.
        let all = branches(r#"{"b":[1],"$or":[{"b":[2]},{"a":[3]}],"a":[4]}"#);
        assert_eq!(all.iter().map(|c| c.fields.len()).collect::<Vec<_>>(), [2, 2]);
        let all = branches(r#"{"$or":[{"b":[2]},{"a":[3]}],"a":[4]}"#);
        assert_eq!((all.len(), all[0].fields.len(), all[0].ors.len()), (1, 1, 0));
        // An alternative may lose all it has only with the group inside it.
        let all = branches(r#"{"$or":[{"b":[1]},{"$or":[{"a":[2]},{"d":[3]}],"c":[4]}],"a":[5],"c":[6]}"#);
        assert_eq!((all.len(), all[0].fields.len(), all[0].ors.len()), (1, 2, 0));
        let all = branches(r#"{"a":[1],"$or":[{"a":[2]},{"b":[3]}]}"#);
        assert_eq!(all.iter().map(|c| c.fields.len()).collect::<Vec<_>>(), [1, 2]);
        // An alternative that is replaced as a whole leaves the branches of the others.
        let all = branches(r#"{"a":[1],"$or":[{"a":[2]},{"b":[3]}],"b":[4]}"#);
        assert_eq!(all.iter().map(|c| c.fields.len()).collect::<Vec<_>>(), [2, 2]);
        let all = branches(r#"{"a":[1],"$or":[{"c":[2]},{"b":[3]}],"b":[4]}"#);
        assert_eq!((all.len(), all[0].fields.len(), all[0].ors.len()), (1, 2, 0));
    }
}
