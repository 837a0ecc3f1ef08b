//! `wildcard`: the text cut at its stars, escapes resolved.
//! Positions in AWS's messages count UTF-8 bytes of the quoted text from 0, so the first character is 1.

use super::{
    catalogue as code,
    cursor::{Cursor, Str},
    fault::{Fault, Parsed, fault, shown},
    tree::Wildcard,
};

/// The wildcard that a string of the pattern spells.
pub(super) fn parse(c: &Cursor<'_>, s: Str) -> Parsed<Wildcard> {
    let text = c.borrowed(s);
    cut(&text).map_err(|flaw| refusal(s, &text, flaw))
}

enum Flaw {
    Consecutive(usize),
    Escape(usize),
}

fn cut(text: &[u8]) -> Result<Wildcard, Flaw> {
    let mut pieces = Vec::with_capacity(1 + memchr::memchr_iter(b'*', text).count());
    let (mut piece, mut i) = (Vec::new(), 0);
    while i < text.len() {
        match text[i] {
            b'*' if text.get(i + 1) == Some(&b'*') => return Err(Flaw::Consecutive(i)),
            b'*' => {
                pieces.push(piece.as_slice().into());
                piece.clear();
            }
            b'\\' => match text.get(i + 1) {
                Some(b @ (b'*' | b'\\')) => {
                    piece.push(*b);
                    i += 1;
                }
                _ => return Err(Flaw::Escape(i)),
            },
            b => piece.push(b),
        }
        i += 1;
    }
    pieces.push(piece.into());
    Ok(Wildcard { pieces })
}

#[cold]
fn refusal(s: Str, text: &[u8], flaw: Flaw) -> Box<Fault> {
    let (code, i, length, what, aws) = match flaw {
        Flaw::Consecutive(i) => (code::WILDCARD_CONSECUTIVE, i, 2, "two stars in a row", "Consecutive wildcard characters"),
        Flaw::Escape(i) => (code::WILDCARD_ESCAPE, i, 1, "a backslash before neither * nor \\", "Invalid escape character"),
    };
    // A lone surrogate is three bytes here and one ("?") to AWS.
    let surrogates = text[..i].windows(2).filter(|w| w[0] == 0xed && w[1] >= 0xa0).count();
    // With JSON escapes the place inside the string is not one of bytes; then the whole string is marked.
    let (at, end) = if s.escaped { (s.start - 1, s.end + 1) } else { (s.start + i, s.start + i + length) };
    fault(code, at, end, format!("{what} in the wildcard {}", shown(text)), format!("{aws} at pos {}", i + 1 - 2 * surrogates))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Option<Vec<String>> {
        let w = cut(text.as_bytes()).ok()?;
        Some(w.pieces.iter().map(|p| String::from_utf8_lossy(p).into_owned()).collect())
    }

    #[test]
    fn stars_cut_and_escapes_do_not() {
        for (text, want) in [
            ("a*b", vec!["a", "b"]),
            ("*b", vec!["", "b"]),
            ("a*", vec!["a", ""]),
            ("*", vec!["", ""]),
            ("", vec![""]),
            (r"a\*\\b", vec![r"a*\b"]),
            (r"*\**", vec!["", "*", ""]),
        ] {
            assert_eq!(pieces(text).unwrap(), want, "{text}");
        }
        assert!(pieces("a**").is_none() && pieces(r"a\b").is_none() && pieces("\\").is_none());
    }
}
