//! The wording of Jackson 2.14's text parser, which AWS passes on when a pattern is not JSON.
//! SOURCE: recorded refusals (specification, section 2.1) and Jackson's documented messages. Works on UTF-16 units as
//! Jackson does: a character beyond the BMP is named by its first surrogate.

use crate::{json::position, value::fold::next_char};

pub(super) const VALID_VALUES: &str = "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// The character at an offset as Jackson describes it: `'x' (code 120)`.
pub(super) fn describe(text: &[u8], at: usize) -> String {
    let (c, _) = next_char(&text[at..]);
    let code = c.map_or(0xfffd, |c| c as u32);
    match code {
        0..=0x1f | 0x7f..=0x9f => format!("(CTRL-CHAR, code {code})"),
        0x20..=0xff => format!("'{}' (code {code})", c.unwrap_or('?')),
        0x100..=0xffff => format!("'{}' (code {code} / 0x{code:x})", c.unwrap_or('?')),
        _ => {
            let unit = 0xd800 + ((code - 0x10000) >> 10);
            format!("'?' (code {unit} / 0x{unit:x})")
        }
    }
}

pub(super) fn unexpected(text: &[u8], at: usize, comment: &str) -> String {
    format!("Unexpected character ({}): {comment}", describe(text, at))
}

pub(super) fn unexpected_in_number(text: &[u8], at: usize, comment: &str) -> String {
    format!("Unexpected character ({}) in numeric value: {comment}", describe(text, at))
}

pub(super) fn end_of_input(comment: &str) -> String {
    format!("Unexpected end-of-input{comment}")
}

/// The end came while an object or array was open and nothing was begun.
pub(super) fn unclosed(text: &[u8], open: usize) -> String {
    let kind = if text.get(open) == Some(&b'{') { "Object" } else { "Array" };
    end_of_input(&format!(": expected close marker for {kind} (start marker at {})", source(text, open)))
}

pub(super) fn mismatched(text: &[u8], at: usize, open: usize) -> String {
    let (want, kind) = if text.get(open) == Some(&b'{') { ('}', "Object") } else { (']', "Array") };
    format!("Unexpected close marker '{}': expected '{want}' (for {kind} starting at {})", text[at] as char, source(text, open))
}

/// Jackson's name for a place; the text is cut at 500 characters.
fn source(text: &[u8], at: usize) -> String {
    let all = String::from_utf8_lossy(text);
    let units = all.encode_utf16().count();
    let cut: String = all.chars().take(500).collect();
    let more = if units > 500 { format!("[truncated {} chars]", units - 500) } else { String::new() };
    let (line, column) = position::line_column(text, at);
    format!("[Source: (String)\"{cut}\"{more}; line: {line}, column: {column}]")
}

/// The word (Java identifier) at an offset.
pub(super) fn word(text: &[u8], at: usize) -> String {
    let mut out = String::new();
    let mut rest = &text[at..];
    while !rest.is_empty() {
        let (c, n) = next_char(rest);
        match c.filter(|c| identifier_part(*c)) {
            Some(c) => out.push(c),
            None => break,
        }
        if out.chars().count() == 256 {
            return out + "...";
        }
        rest = &rest[n..];
    }
    out
}

/// Whether a Java identifier may begin with the character.
pub(super) fn identifier_start(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '$' | '¢' | '£' | '¤' | '¥' | '₠'..='⃀')
}

/// Whether a Java identifier may go on with the character.
pub(super) fn identifier_part(c: char) -> bool {
    identifier_start(c) || c.is_alphanumeric() || matches!(c, '\u{0}'..='\u{8}' | '\u{e}'..='\u{1b}' | '\u{7f}'..='\u{9f}' | '\u{feff}')
}
