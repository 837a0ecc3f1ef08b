//! AWS's wildcard complexity: for the wildcards of one field run side by side as a byte automaton, the largest number of
//! places that can be alive at once; for a pattern, the largest of its fields.
//!
//! Each wildcard is its text between quotes. A place is "these bytes are read", and where a star comes next also
//! "somewhere in that star". A place before a star counts twice while the star itself is not yet entered.
//! The sets of places that are reachable are found by search; there can be exponentially many, so steps are counted and
//! the search gives up as "too complex" (`u32::MAX`) when [`BUDGET`] is spent.
//! SOURCE: specification, section 7; that the members of one anything-but list share beginning and end, as recorded answers show.
//! DIFFERS: a path that stands in several branches of `$or` is measured in each branch by itself.

use super::tree::{AnythingBut, Item, Matcher, Pattern, Text, Wildcard};
use std::collections::{BTreeSet, HashSet};

/// Places looked at before a field is given up. COST: some nanoseconds each, so at most about 20 ms a field.
const BUDGET: usize = 1 << 20;

/// AWS's wildcard complexity of a pattern; 0 without wildcards, `u32::MAX` if finding it takes too long.
pub fn complexity(pattern: &Pattern) -> u32 {
    largest(&pattern.items, u32::MAX)
}

/// Whether the complexity is more than `most`; stops as soon as that is certain.
pub(super) fn exceeds(pattern: &Pattern, most: u32) -> bool {
    largest(&pattern.items, most) > most
}

fn largest(items: &[Item], enough: u32) -> u32 {
    let mut best = 0;
    for item in items {
        best = best.max(match item {
            Item::Field(field) => {
                let matchers = distinct(&field.matchers);
                if matchers.is_empty() { 0 } else { of_field(&matchers, enough) }
            }
            Item::Or(branches) => branches.iter().map(|b| largest(b, enough)).max().unwrap_or(0),
        });
        if best > enough {
            break;
        }
    }
    best
}

/// The wildcards of each matcher that has some; equal matchers are one, whatever the order of their lists.
fn distinct(matchers: &[Matcher]) -> Vec<&[Wildcard]> {
    let mut seen = HashSet::new();
    let with_wildcards = matchers.iter().filter_map(|m| match m {
        Matcher::Wildcard(w) => Some((true, std::slice::from_ref(w))),
        Matcher::AnythingBut(AnythingBut::Wildcard(list)) => Some((false, &**list)),
        _ => None,
    });
    let mut out = Vec::new();
    for (plain, wildcards) in with_wildcards {
        let set: BTreeSet<&[Text]> = wildcards.iter().map(|w| &*w.pieces).collect();
        if seen.insert((plain, set)) {
            out.push(wildcards);
        }
    }
    out
}

/// One node of the wildcards' common tree: "these bytes and stars are read".
#[derive(Default)]
struct Node {
    /// The next byte, whether a star stands before it, and where it leads.
    next: Vec<(u8, bool, u32)>,
    star: bool,
}

/// The places of a field: place `2 * n` is node n, `2 * n + 1` the star after node n.
/// Wildcards of one matcher share the nodes of their common beginning and their end; those of different matchers share none.
struct Places {
    nodes: Vec<Node>,
    starts: Vec<u32>,
}

impl Places {
    fn new(matchers: &[&[Wildcard]]) -> Self {
        let mut places = Places { nodes: Vec::new(), starts: Vec::new() };
        for matcher in matchers {
            let root = places.nodes.len() as u32;
            places.nodes.push(Node::default()); // the beginning
            places.nodes.push(Node::default()); // the end, one for all wildcards of the matcher
            places.starts.push(2 * root);
            for w in *matcher {
                places.add(root, w);
            }
        }
        places
    }

    fn add(&mut self, root: u32, w: &Wildcard) {
        let mut at = self.child(root, b'"', false, root + 1);
        for (i, piece) in w.pieces.iter().enumerate() {
            // The star stands before the first byte that follows it, at the end before the closing quote.
            let mut star = i > 0;
            for b in piece.iter() {
                at = self.child(at, *b, star, root + 1);
                star = false;
            }
            if i + 1 == w.pieces.len() {
                let node = &mut self.nodes[at as usize];
                node.star |= star;
                let edge = (b'"', star, root + 1);
                if !node.next.contains(&edge) {
                    node.next.push(edge);
                }
            }
        }
    }

    /// The node after a byte that is not the last one.
    fn child(&mut self, from: u32, byte: u8, star: bool, end: u32) -> u32 {
        let fresh = self.nodes.len() as u32;
        let node = &mut self.nodes[from as usize];
        node.star |= star;
        if let Some((_, _, to)) = node.next.iter().find(|(b, s, to)| *b == byte && *s == star && *to != end) {
            return *to;
        }
        node.next.push((byte, star, fresh));
        self.nodes.push(Node::default());
        fresh
    }

    /// Where a set of places leads on a byte; `None` is any byte that no place waits for.
    fn step(&self, from: &[u32], byte: Option<u8>) -> Vec<u32> {
        let mut to = Vec::with_capacity(from.len() + 4);
        for place in from {
            let node = &self.nodes[(place / 2) as usize];
            let inside = place % 2 == 1;
            to.extend(node.next.iter().filter(|(b, star, _)| Some(*b) == byte && (*star || !inside)).map(|(.., n)| 2 * n));
            if node.star {
                to.push(place | 1);
            }
        }
        to.sort_unstable();
        to.dedup();
        to
    }

    /// The bytes that some place of the set waits for, and one that none does.
    fn bytes(&self, set: &[u32]) -> Vec<Option<u8>> {
        let mut bytes: Vec<Option<u8>> =
            set.iter().flat_map(|p| self.nodes[(p / 2) as usize].next.iter().map(|(b, ..)| Some(*b))).collect();
        bytes.push(None);
        bytes.sort_unstable();
        bytes.dedup();
        bytes
    }

    fn size(&self, set: &[u32]) -> u32 {
        let doubled =
            |(k, place): (usize, &u32)| place % 2 == 0 && self.nodes[(place / 2) as usize].star && set.get(k + 1) != Some(&(place + 1));
        (set.len() + set.iter().enumerate().filter(|p| doubled(*p)).count()) as u32
    }
}

fn of_field(matchers: &[&[Wildcard]], enough: u32) -> u32 {
    let places = Places::new(matchers);
    let mut seen: HashSet<Vec<u32>> = HashSet::new();
    let mut todo = vec![places.starts.clone()];
    let (mut best, mut spent) = (0, 0);
    while let Some(set) = todo.pop() {
        for byte in places.bytes(&set) {
            spent += set.len() + 1;
            if spent > BUDGET {
                return u32::MAX;
            }
            let to = places.step(&set, byte);
            if to.is_empty() || seen.contains(&to) {
                continue;
            }
            best = best.max(places.size(&to));
            if best > enough {
                return best;
            }
            seen.insert(to.clone());
            todo.push(to);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits::PatternLimits, pattern::parse};

    fn of(wildcard: &str) -> u32 {
        let text = format!("{{\"a\":[{{\"wildcard\":\"{wildcard}\"}}]}}");
        complexity(&parse(text.as_bytes(), &PatternLimits::default()).unwrap())
    }

    #[test]
    fn known_values() {
        assert_eq!(of("/Users/*/dir/dir/dir/dir/dir/doc.txt"), 7);
        assert_eq!(of("*:*:*:*:*:event-bus/*"), 11);
        assert_eq!(complexity(&parse(br#"{"a":["*"]}"#, &PatternLimits::default()).unwrap()), 0);
    }

    #[test]
    fn the_search_is_bounded() {
        assert_eq!(of(&"*a".repeat(10)), 20);
        let hard: String = (0..40).map(|i| format!("*{}a", ["ab", "ba", "aab", "b"][i % 4])).collect();
        assert!(of(&hard) >= 20);
        let limits = PatternLimits { max_wildcard_complexity: Some(10), ..Default::default() };
        let error = parse(br#"{"a":[{"wildcard":"*:*:*:*:*:event-bus/*"}]}"#, &limits).unwrap_err();
        assert_eq!(error.code, "wildcard-complexity");
        assert!(error.aws_message.starts_with("Rule is too complex - try using fewer wildcard characters or fewer"));
    }
}
