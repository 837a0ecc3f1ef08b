//! AWS's wildcard complexity: for the wildcards of one field run side by side as a byte automaton, the largest number of
//! places that can be alive at once; for a pattern, the largest of its fields.
//!
//! Each wildcard is its text between quotes. A place is "k bytes read", and where a star stands before byte k also
//! "somewhere in the star before byte k". A place before a star counts twice while the star itself is not yet entered.
//! The sets of places that are reachable are found by breadth; there can be exponentially many, so steps are counted and
//! the search gives up as "too complex" (`u32::MAX`) when [`BUDGET`] is spent.
//! SOURCE: specification, section 7. DIFFERS: the members of an anything-but list are counted one by one, where
//! event-ruler lets them share their common beginnings.

use super::tree::{AnythingBut, Item, Matcher, Pattern, Wildcard};
use std::collections::HashSet;

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
                let wildcards: Vec<&Wildcard> = field.matchers.iter().flat_map(wildcards).collect();
                if wildcards.is_empty() { 0 } else { of_field(&wildcards, enough) }
            }
            Item::Or(branches) => branches.iter().map(|b| largest(b, enough)).max().unwrap_or(0),
        });
        if best > enough {
            break;
        }
    }
    best
}

fn wildcards(matcher: &Matcher) -> &[Wildcard] {
    match matcher {
        Matcher::Wildcard(w) => std::slice::from_ref(w),
        Matcher::AnythingBut(AnythingBut::Wildcard(list)) => list,
        _ => &[],
    }
}

/// The places of all wildcards in one row: place `2 * i` is "before byte i", `2 * i + 1` "in the star before byte i".
struct Places {
    /// The byte after each place; beyond a wildcard's last byte `None`.
    next: Vec<Option<u8>>,
    star: Vec<bool>,
    starts: Vec<u32>,
}

impl Places {
    fn new(wildcards: &[&Wildcard]) -> Self {
        let mut places = Places { next: Vec::new(), star: Vec::new(), starts: Vec::new() };
        for w in wildcards {
            places.starts.push(2 * places.next.len() as u32);
            places.push(b'"', false);
            for (i, piece) in w.pieces.iter().enumerate() {
                // The star stands before the first byte that follows it, at the end before the closing quote.
                let mut star = i > 0;
                for b in piece.iter() {
                    places.push(*b, star);
                    star = false;
                }
                if i + 1 == w.pieces.len() {
                    places.push(b'"', star);
                }
            }
            places.next.push(None);
            places.star.push(false);
        }
        places
    }

    fn push(&mut self, byte: u8, star: bool) {
        self.next.push(Some(byte));
        self.star.push(star);
    }

    /// Where a set of places leads on a byte; `None` is any byte that no place waits for.
    fn step(&self, from: &[u32], byte: Option<u8>) -> Vec<u32> {
        let mut to = Vec::with_capacity(from.len() + 4);
        for place in from {
            let i = (place / 2) as usize;
            if byte.is_some() && self.next[i] == byte {
                to.push(2 * (i as u32 + 1));
            }
            if self.star[i] {
                to.push(2 * i as u32 + 1);
            }
        }
        to.sort_unstable();
        to.dedup();
        to
    }

    fn size(&self, set: &[u32]) -> u32 {
        let doubled = |(k, place): (usize, &u32)| place % 2 == 0 && self.star[(place / 2) as usize] && set.get(k + 1) != Some(&(place + 1));
        (set.len() + set.iter().enumerate().filter(|p| doubled(*p)).count()) as u32
    }
}

fn of_field(wildcards: &[&Wildcard], enough: u32) -> u32 {
    let places = Places::new(wildcards);
    let mut seen: HashSet<Vec<u32>> = HashSet::new();
    let mut todo = vec![places.starts.clone()];
    let (mut best, mut spent) = (0, 0);
    while let Some(set) = todo.pop() {
        let mut bytes: Vec<Option<u8>> = set.iter().map(|p| places.next[(p / 2) as usize]).collect();
        bytes.push(None);
        bytes.sort_unstable();
        bytes.dedup();
        for byte in bytes {
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
