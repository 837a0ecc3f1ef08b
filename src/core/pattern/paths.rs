//! How many different paths the largest branch of a pattern has, without expanding `$or`.
//! A path that stands both outside an `$or` and inside it counts once; one that stands in two `$or`s side by side counts
//! in each, so the sum may exceed the truth when alternatives repeat paths, and never falls below it.

use super::tree::Item;
use std::collections::HashSet;

/// Paths on the branch with the most of them.
pub(super) fn largest_branch(items: &[Item]) -> usize {
    count(items, &mut HashSet::new())
}

fn count<'a>(items: &'a [Item], around: &mut HashSet<&'a [u8]>) -> usize {
    let mut own = Vec::new();
    for item in items {
        if let Item::Field(f) = item
            && around.insert(&f.path)
        {
            own.push(&*f.path);
        }
    }
    let mut total = own.len();
    for item in items {
        if let Item::Or(branches) = item {
            total += branches.iter().map(|b| count(b, around)).max().unwrap_or(0);
        }
    }
    for path in own {
        around.remove(path);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits::PatternLimits, pattern::parse};

    fn paths(text: &str) -> usize {
        largest_branch(&parse(text.as_bytes(), &PatternLimits::default()).unwrap().items)
    }

    #[test]
    fn alternatives_count_by_the_largest() {
        assert_eq!(paths(r#"{"a":[1],"b":{"c":[1]},"a":[2]}"#), 2);
        assert_eq!(paths(r#"{"a":[1],"$or":[{"a":[2]},{"b":[3],"c":[4]}]}"#), 3);
        assert_eq!(paths(r#"{"$or":[{"a":[2]},{"b":[3]}],"$or":[{"a":[2]},{"c":[3]}]}"#), 2);
        assert_eq!(paths(r#"{"$or":[{"a":[2]},{"b":[3],"$or":[{"x":[1],"y":[1]},{"b":[1]}]}]}"#), 3);
    }

    #[test]
    fn the_limit_is_on_a_branch_not_on_the_text() {
        let fields = |from: usize, to: usize| (from..to).map(|i| format!("\"k{i}\":[1]")).collect::<Vec<_>>().join(",");
        let limits = PatternLimits::default();
        assert!(parse(format!("{{{}}}", fields(0, 256)).as_bytes(), &limits).is_ok());
        let error = parse(format!("{{{}}}", fields(0, 257)).as_bytes(), &limits).unwrap_err();
        assert_eq!((error.code, error.aws_message.as_str()), ("too-many-paths", "Size of rule 'rule' exceeds max value of 256"));
        let wide = format!("{{\"$or\":[{{{}}},{{{}}}]}}", fields(0, 200), fields(200, 400));
        assert!(parse(wide.as_bytes(), &limits).is_ok());
    }
}
