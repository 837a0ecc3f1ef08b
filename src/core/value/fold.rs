//! Case without regard to case: event character `e` meets pattern character `p` exactly when `e` is `p`, the
//! one-character lower case of `p`, or the one-character upper case of `p`. The relation is not symmetric, so an
//! index needs a *fold* under which both sides agree whenever they meet; the exact test follows on candidates.
//!
//! SOURCE: specification, section 6 (clean rule). Texts are WTF-8 (UTF-8 that may hold lone surrogates).

use super::text;

/// The one-character lower case of a character, or itself.
#[inline]
pub fn lower(c: char) -> char {
    let mut it = c.to_lowercase();
    match (it.next(), it.next()) {
        (Some(l), None) => l,
        _ => c,
    }
}

/// The one-character upper case of a character, or itself.
#[inline]
pub fn upper(c: char) -> char {
    let mut it = c.to_uppercase();
    match (it.next(), it.next()) {
        (Some(u), None) => u,
        _ => c,
    }
}

/// The fold of a character: `meets(e, p)` implies `fold(e) == fold(p)` (tested over all characters).
#[inline]
pub fn fold_char(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { lower(upper(c)) }
}

/// Whether event character `e` meets pattern character `p`.
#[inline]
pub fn meets(e: char, p: char) -> bool {
    e == p || e == lower(p) || e == upper(p)
}

/// One step through WTF-8: the character (None for a lone surrogate) and its length in bytes.
#[inline]
pub fn next_char(text: &[u8]) -> (Option<char>, usize) {
    let b = text[0];
    if b < 0x80 {
        return (Some(b as char), 1);
    }
    let (len, init) = if b >= 0xf0 {
        (4, b & 0x07)
    } else if b >= 0xe0 {
        (3, b & 0x0f)
    } else {
        (2, b & 0x1f)
    };
    let len = len.min(text.len());
    let code = text[1..len].iter().fold(init as u32, |c, x| c << 6 | (x & 0x3f) as u32);
    (char::from_u32(code), len)
}

/// Appends the fold of `text` to `out`, character by character (so character counts are kept, byte counts are not).
pub fn fold_into(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text);
    if text::lower_ascii(&mut out[start..]) {
        return;
    }
    out.truncate(start);
    let mut rest = text;
    while !rest.is_empty() {
        let (c, n) = next_char(rest);
        match c {
            Some(c) => out.extend_from_slice(fold_char(c).encode_utf8(&mut [0; 4]).as_bytes()),
            None => out.extend_from_slice(&rest[..n]),
        }
        rest = &rest[n..];
    }
}

/// How many bytes at the start of `event` meet all of `pattern`, or `None`.
pub fn meets_prefix(event: &[u8], pattern: &[u8]) -> Option<usize> {
    let (mut e, mut p) = (event, pattern);
    while !p.is_empty() {
        if e.is_empty() {
            return None;
        }
        let ((ec, en), (pc, pn)) = (next_char(e), next_char(p));
        let ok = match (ec, pc) {
            (Some(ec), Some(pc)) => meets(ec, pc),
            (None, None) => e[..en] == p[..pn],
            _ => false,
        };
        if !ok {
            return None;
        }
        (e, p) = (&e[en..], &p[pn..]);
    }
    Some(event.len() - e.len())
}

/// Whether all of `event` meets all of `pattern`.
pub fn meets_all(event: &[u8], pattern: &[u8]) -> bool {
    // What meets an ASCII character is one, and any character meets itself.
    match (event.first(), pattern.first()) {
        (Some(e), Some(p)) if p.is_ascii() && !e.eq_ignore_ascii_case(p) => false,
        _ => text::same_in_any_case(event, pattern) || !pattern.is_ascii() && meets_prefix(event, pattern) == Some(event.len()),
    }
}

/// Whether the end of `event` meets all of `pattern`.
pub fn meets_suffix(event: &[u8], pattern: &[u8]) -> bool {
    let starts = |b: &u8| *b & 0xc0 != 0x80;
    let count = |t: &[u8]| t.iter().filter(|b| starts(b)).count();
    let (ne, np) = (count(event), count(pattern));
    if ne < np {
        return false;
    }
    // Counted as above and not by lengths: what nobody checked may announce more bytes than a character has.
    let begin = (0..event.len()).filter(|at| starts(&event[*at])).nth(ne - np);
    let rest = &event[begin.unwrap_or(event.len())..];
    meets_prefix(rest, pattern) == Some(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_meets_shares_a_fold() {
        for p in (0..=0x10ffff).filter_map(char::from_u32) {
            for e in [p, lower(p), upper(p)] {
                assert_eq!(fold_char(e), fold_char(p), "{p:?} {e:?}");
            }
        }
    }

    #[test]
    fn the_relation_is_not_symmetric() {
        let m = |e: &str, p: &str| meets_all(e.as_bytes(), p.as_bytes());
        assert!(m("k", "\u{212a}") && !m("K", "\u{212a}") && !m("\u{212a}", "k"));
        assert!(m("Σ", "ς") && !m("ς", "Σ") && !m("SS", "ß") && m("ß", "ẞ") && m("ǅ", "ǅ") && m("ǆ", "ǅ"));
        assert!(m("\u{10428}", "\u{10400}") && m("ȺX", "ⱥx") && m("", "") && !m("a", ""));
        assert!(meets_suffix("xȺ".as_bytes(), "ⱥ".as_bytes()) && !meets_suffix(b"", b"a"));
    }

    #[test]
    fn bytes_that_nobody_checked_do_no_harm() {
        // Trusted events need not be UTF-8.
        let bytes = [b'a', b'd', 0x80, 0xc3, 0xe0, 0xf0, 0xff];
        for n in 0..bytes.len().pow(4) {
            let text: Vec<u8> = (0..4).map(|at| bytes[n / bytes.len().pow(at) % bytes.len()]).collect();
            for pattern in ["", "d", "ad", "é", "ßd"] {
                let pattern = pattern.as_bytes();
                assert!(text.is_ascii() || !meets_all(&text, pattern));
                assert!(meets_suffix(&text, pattern) || !text.ends_with(pattern) || !text[..4 - pattern.len()].is_ascii());
                meets_prefix(&text, pattern);
                fold_into(&text, &mut Vec::new());
            }
        }
    }
}
