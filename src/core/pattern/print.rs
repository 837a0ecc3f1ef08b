//! A tree back to text: compact JSON with joined paths, in the tree's order, duplicates kept.
//! `parse(print(p)) == p` for every tree that `parse` made. Ranges are printed in the form that gives the same keys back.

use super::{
    numeric::{above, below, highest, lowest},
    tree::{AnythingBut, Item, Matcher, Pattern, Range, Text, Wildcard},
};
use crate::{json::string::escape_into, value::number::value_of};
use std::fmt::Write as _;

/// The canonical text of a pattern.
pub fn print(pattern: &Pattern) -> String {
    let mut out = String::with_capacity(128);
    conjunction(&pattern.items, &mut out);
    out
}

/// The canonical text of one matcher, as it stands in a list of values.
pub fn print_matcher(one: &Matcher) -> String {
    let mut out = String::with_capacity(32);
    matcher(one, &mut out);
    out
}

fn conjunction(items: &[Item], out: &mut String) {
    out.push('{');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        match item {
            Item::Field(field) => {
                escape_into(&field.path, out);
                out.push(':');
                list(&field.matchers, out, matcher);
            }
            Item::Or(branches) => {
                out.push_str("\"$or\":");
                list(branches, out, |b, out| conjunction(b, out));
            }
        }
    }
    out.push('}');
}

fn list<T>(values: &[T], out: &mut String, mut each: impl FnMut(&T, &mut String)) {
    out.push('[');
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        each(value, out);
    }
    out.push(']');
}

fn matcher(matcher: &Matcher, out: &mut String) {
    match matcher {
        Matcher::String(t) => escape_into(t, out),
        Matcher::Exactly(t) => operator("exactly", out, |out| escape_into(t, out)),
        Matcher::Number(n) => out.push_str(&String::from_utf8_lossy(&n.text)),
        Matcher::True => out.push_str("true"),
        Matcher::False => out.push_str("false"),
        Matcher::Null => out.push_str("null"),
        Matcher::Prefix(t) => operator("prefix", out, |out| escape_into(t, out)),
        Matcher::PrefixIgnoreCase(t) => operator("prefix", out, |out| ignore_case(t, out)),
        Matcher::Suffix(t) => operator("suffix", out, |out| escape_into(t, out)),
        Matcher::SuffixIgnoreCase(t) => operator("suffix", out, |out| ignore_case(t, out)),
        Matcher::EqualsIgnoreCase(t) => ignore_case(t, out),
        Matcher::Wildcard(w) => operator("wildcard", out, |out| wildcard(w, out)),
        Matcher::Numeric(range) => operator("numeric", out, |out| numeric(*range, out)),
        Matcher::Cidr(block) => operator("cidr", out, |out| {
            let address = if block.v6 {
                std::net::Ipv6Addr::from_bits(block.base).segments().map(|s| format!("{s:x}")).join(":")
            } else {
                std::net::Ipv4Addr::from_bits((block.base >> 96) as u32).to_string()
            };
            let _ = write!(out, "\"{address}/{}\"", block.len);
        }),
        Matcher::Exists(yes) => operator("exists", out, |out| out.push_str(if *yes { "true" } else { "false" })),
        Matcher::AnythingBut(but) => operator("anything-but", out, |out| anything_but(but, out)),
    }
}

fn operator(name: &str, out: &mut String, argument: impl FnOnce(&mut String)) {
    let _ = write!(out, "{{\"{name}\":");
    argument(out);
    out.push('}');
}

fn ignore_case(text: &[u8], out: &mut String) {
    operator("equals-ignore-case", out, |out| escape_into(text, out));
}

fn anything_but(but: &AnythingBut, out: &mut String) {
    let text = |t: &Text, out: &mut String| escape_into(t, out);
    match but {
        AnythingBut::Strings(texts) => one_or_more(texts, out, text),
        AnythingBut::Numbers(keys) => one_or_more(keys, out, |key, out| out.push_str(&shortest(value_of(*key)))),
        AnythingBut::Prefix(texts) => operator("prefix", out, |out| one_or_more(texts, out, text)),
        AnythingBut::Suffix(texts) => operator("suffix", out, |out| one_or_more(texts, out, text)),
        AnythingBut::IgnoreCase(texts) => operator("equals-ignore-case", out, |out| one_or_more(texts, out, text)),
        AnythingBut::Wildcard(wildcards) => operator("wildcard", out, |out| one_or_more(wildcards, out, wildcard)),
    }
}

fn one_or_more<T>(values: &[T], out: &mut String, mut each: impl FnMut(&T, &mut String)) {
    match values {
        [one] => each(one, out),
        more => list(more, out, each),
    }
}

fn wildcard(wildcard: &Wildcard, out: &mut String) {
    let mut text = Vec::new();
    for (i, piece) in wildcard.pieces.iter().enumerate() {
        if i > 0 {
            text.push(b'*');
        }
        for b in piece.iter() {
            if matches!(b, b'*' | b'\\') {
                text.push(b'\\');
            }
            text.push(*b);
        }
    }
    escape_into(&text, out);
}

fn numeric(range: Range, out: &mut String) {
    let Range { lo, hi } = range;
    let n = |key| shortest(value_of(key));
    let _ = if lo == hi {
        write!(out, "[\"=\",{}]", n(lo))
    } else if lo > hi && lo == lowest() {
        // Below the lowest number: nothing.
        write!(out, "[\"<\",{}]", n(lo))
    } else if lo > hi && hi == highest() {
        write!(out, "[\">\",{}]", n(hi))
    } else if lo > hi {
        // Between two neighbours: nothing.
        write!(out, "[\">\",{},\"<\",{}]", n(hi), n(lo))
    } else {
        let lower = (lo != lowest() || hi == highest()).then(|| bound(lo, false));
        let upper = (hi != highest()).then(|| bound(hi, true));
        let comma = if lower.is_some() && upper.is_some() { "," } else { "" };
        write!(out, "[{}{comma}{}]", lower.unwrap_or_default(), upper.unwrap_or_default())
    };
}

/// `>=` or `<=`, or the strict form where the number before or after is much shorter, as when it was written that way.
fn bound(key: u64, upper: bool) -> String {
    let (closed, open, neighbour) = if upper { ("<=", "<", above(key)) } else { (">=", ">", below(key)) };
    let (here, there) = (shortest(value_of(key)), shortest(value_of(neighbour)));
    // At the ends of the scale there is no neighbour.
    if there.len() + 6 < here.len() && (lowest()..=highest()).contains(&neighbour) {
        format!("\"{open}\",{there}")
    } else {
        format!("\"{closed}\",{here}")
    }
}

/// The shortest JSON number that reads back as the same double.
pub(super) fn shortest(value: f64) -> String {
    let size = value.abs();
    // -0 and 0 are one number.
    let value = value + 0.0;
    if size != 0.0 && !(1e-7..1e21).contains(&size) { format!("{value:e}") } else { format!("{value}") }
}
