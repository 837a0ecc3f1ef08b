//! Hints: what is nearest to a match where a field failed. A hint names the value found and the value that would have
//! done, and the usual mistakes: another type, other case, blanks at the ends, a key spelled otherwise.

use super::Case;
use crate::{
    index::{operands::NONE, record::FieldRec},
    pattern::tree::{AnythingBut, Matcher, Range},
    value::{fold, number},
    walk::Kind,
};

/// Texts longer than this are not compared letter by letter.
const LONGEST: usize = 200;

fn show(text: &[u8]) -> String {
    let mut out = String::new();
    crate::json::string::escape_into(if text.len() > LONGEST { &text[..LONGEST] } else { text }, &mut out);
    out
}

/// Letters to change, add or drop to get from one text to the other (Levenshtein).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = corner + (x != y) as usize;
            corner = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

impl Case<'_> {
    /// The hint for a field that failed.
    pub(super) fn hint(&self, field: &FieldRec, matchers: &[Matcher]) -> Option<String> {
        let first = self.event.values.first_of_all(field.path());
        if first == NONE {
            return Some(self.missing(field));
        }
        if let [Matcher::Exists(false)] = matchers {
            return Some("the path has a value; the pattern wants none".to_owned());
        }
        let mut best: Option<(usize, String)> = None;
        for at in self.values_of(field.path()).take(50) {
            let value = &self.event.values.values[at as usize];
            let bytes = value.bytes(self.event.text, self.event.unescaped);
            for matcher in matchers.iter().take(1000) {
                if let Some((far, hint)) = near(value.kind, bytes, value.comparable_key(self.event.text, self.event.unescaped), matcher)
                    && best.as_ref().is_none_or(|(f, _)| far < *f)
                {
                    best = Some((far, hint));
                }
            }
        }
        best.map(|(_, hint)| hint)
    }

    /// How far the path exists, and what stands there instead.
    fn missing(&self, field: &FieldRec) -> String {
        let name = self.trie.name(field.path());
        let keys: Vec<&[u8]> = name.split(|b| *b == b'.').collect();
        let (depth, there) = crate::json::keys::keys_at(self.text, &keys);
        let Some(wanted) = keys.get(depth) else {
            return "the path holds no value: it ends in an object or an empty array; conditions look at values only".to_owned();
        };
        let at = if depth == 0 { "the event".to_owned() } else { show(&keys[..depth].join(&b'.')) };
        let near = there.iter().min_by_key(|k| distance(&k[..k.len().min(LONGEST)], &wanted[..wanted.len().min(LONGEST)]));
        match near {
            _ if self.text.is_empty() => "the event has no value at this path".to_owned(),
            Some(key) if distance(key, wanted) <= 1 + wanted.len() / 3 => {
                format!("{at} has no key {}; it has {}", show(wanted), show(key))
            }
            Some(_) => format!("{at} has no key {}", show(wanted)),
            None => format!("{at} has no keys, so nothing at {}", show(wanted)),
        }
    }
}

/// How far a value is from a matcher, and what to say about it.
fn near(kind: Kind, bytes: &[u8], key: Option<u64>, matcher: &Matcher) -> Option<(usize, String)> {
    let text = (kind == Kind::String).then_some(bytes);
    match matcher {
        Matcher::String(want) | Matcher::Exactly(want) => Some(match text {
            Some(text) if text.trim_ascii() == want.trim_ascii() => {
                (1, format!("{} differs from {} only in blanks at its ends", show(text), show(want)))
            }
            Some(text) if fold::meets_all(text, want) => {
                (1, format!("{} differs from {} only in case; \"equals-ignore-case\" would match", show(text), show(want)))
            }
            Some(text) if text.len() <= LONGEST && want.len() <= LONGEST => {
                (2 + distance(text, want), format!("found {}, the nearest that would have matched is {}", show(text), show(want)))
            }
            Some(text) => (500, format!("found {}", show(text))),
            None if **want == *bytes => (
                1,
                format!(
                    "the event has {} where the pattern has the string {}; strings never equal other types",
                    shown(kind, bytes),
                    show(want)
                ),
            ),
            None => (300, format!("the event has {}, the pattern the string {}", shown(kind, bytes), show(want))),
        }),
        Matcher::Number(want) => Some(match text {
            Some(text) if *text == *want.text => (1, format!("the event has the string {} where the pattern has a number", show(text))),
            _ if kind == Kind::Number && want.key.is_none() => {
                (10, format!("{} is longer than a double holds: it equals only the same digits", String::from_utf8_lossy(&want.text)))
            }
            _ => (
                100,
                format!("found {}, the number that would have matched is {}", shown(kind, bytes), String::from_utf8_lossy(&want.text)),
            ),
        }),
        Matcher::True | Matcher::False | Matcher::Null => {
            Some((150, format!("found {}, wanted {}", shown(kind, bytes), crate::pattern::print_matcher(matcher))))
        }
        Matcher::Numeric(range) => Some(range_hint(kind, bytes, key, range)),
        Matcher::Prefix(want) | Matcher::PrefixIgnoreCase(want) => {
            affix_hint(text, want, "start with", |t| t.iter().zip(want).take_while(|(a, b)| a == b).count())
        }
        Matcher::Suffix(want) | Matcher::SuffixIgnoreCase(want) => {
            affix_hint(text, want, "end with", |t| t.iter().rev().zip(want.iter().rev()).take_while(|(a, b)| a == b).count())
        }
        Matcher::EqualsIgnoreCase(want) => Some(match text {
            Some(text) if text.len() <= LONGEST && want.len() <= LONGEST => {
                (2 + distance(text, want), format!("found {}, the nearest that would have matched is {}", show(text), show(want)))
            }
            _ => (300, format!("found {}, wanted the string {}", shown(kind, bytes), show(want))),
        }),
        Matcher::Wildcard(_) => {
            Some((200, format!("found {}, which {} does not accept", shown(kind, bytes), crate::pattern::print_matcher(matcher))))
        }
        Matcher::Cidr(_) => Some((200, format!("found {}, which is no address in the block", shown(kind, bytes)))),
        Matcher::Exists(_) => None,
        Matcher::AnythingBut(but) => {
            let what = match but {
                AnythingBut::Strings(_) | AnythingBut::Numbers(_) => "is one of the excluded values",
                AnythingBut::Prefix(_) => "starts with an excluded prefix",
                AnythingBut::Suffix(_) => "ends with an excluded suffix",
                AnythingBut::IgnoreCase(_) => "is, but for case, one of the excluded values",
                AnythingBut::Wildcard(_) => "is accepted by an excluded wildcard",
            };
            Some((50, format!("{} {what}; any other value would have matched", shown(kind, bytes))))
        }
    }
}

fn shown(kind: Kind, bytes: &[u8]) -> String {
    match kind {
        Kind::String => show(bytes),
        Kind::Number => format!("the number {}", String::from_utf8_lossy(bytes)),
        Kind::True => "true".to_owned(),
        Kind::False => "false".to_owned(),
        Kind::Null => "null".to_owned(),
    }
}

fn affix_hint(text: Option<&[u8]>, want: &[u8], verb: &str, common: impl Fn(&[u8]) -> usize) -> Option<(usize, String)> {
    let text = text?;
    let same = common(text);
    Some((
        2 + want.len().saturating_sub(same),
        format!("{} does not {verb} {} ({same} of {} bytes agree)", show(text), show(want), want.len()),
    ))
}

fn range_hint(kind: Kind, bytes: &[u8], key: Option<u64>, range: &Range) -> (usize, String) {
    match (kind, key) {
        (Kind::Number, Some(key)) => {
            let bound = if key < range.lo { range.lo } else { range.hi };
            (50, format!("found {}, the nearest number that would have matched is {}", shown(kind, bytes), number::shortest(bound)))
        }
        (Kind::Number, None) => (50, format!("{} has more digits than a double holds; it lies in no range", shown(kind, bytes))),
        (Kind::String, _) if number::valid_len(bytes) == Some(bytes.len()) => {
            (1, format!("the event has the string {}; a range looks at numbers only", show(bytes)))
        }
        _ => (300, format!("found {}; a range looks at numbers only", shown(kind, bytes))),
    }
}
