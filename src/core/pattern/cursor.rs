//! A pull reader over a pattern's JSON text: members, elements, strings, in order, nothing looked at twice.
//! Strict RFC 8259. Numbers and words are read whole when they are met, strings only when asked for, as Jackson does,
//! so that of two mistakes the same one is reported first as by AWS. The text must be UTF-8 (checked by the caller).

use super::{
    catalogue as code,
    fault::{Fault, Parsed, fault, shown},
    jackson,
    tree::Text,
};
use crate::{
    json::{position, string::unescape_into},
    value::number,
};
use std::borrow::Cow;

/// What a value is, by its first character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Object,
    Array,
    Number,
    True,
    False,
    Null,
}

/// A value met: numbers and words are read (`at..end`), for the others the cursor stands at the first character.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub kind: Kind,
    pub at: usize,
    pub end: usize,
}

/// The text between two quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Str {
    pub start: usize,
    pub end: usize,
    pub escaped: bool,
}

pub(super) struct Cursor<'a> {
    pub text: &'a [u8],
    pub pos: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    pub fn skip_blanks(&mut self) {
        while matches!(self.text.get(self.pos), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.pos += 1;
        }
    }

    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    /// The next member of the object under way and the start of its value; `None` at the closing brace.
    #[inline]
    pub fn member(&mut self, first: bool) -> Parsed<Option<(Str, Value)>> {
        self.skip_blanks();
        match self.peek() {
            Some(b'"') if first => {}
            Some(b',') if !first => {
                self.pos += 1;
                self.skip_blanks();
                if self.peek() != Some(b'"') {
                    return Err(self.bad_name("Object"));
                }
            }
            Some(b'}') => {
                self.pos += 1;
                return Ok(None);
            }
            _ => return Err(self.bad_separator(first, true)),
        }
        let key = self.name()?;
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(self.bad_colon());
        }
        self.pos += 1;
        Ok(Some((key, self.value("Object")?)))
    }

    /// The start of the array's next element; `None` at the closing bracket.
    #[inline]
    pub fn element(&mut self, first: bool) -> Parsed<Option<Value>> {
        self.skip_blanks();
        match self.peek() {
            Some(b']') => {
                self.pos += 1;
                return Ok(None);
            }
            Some(b',') if !first => self.pos += 1,
            Some(c) if first && c != b'}' => {}
            _ => return Err(self.bad_separator(first, false)),
        }
        self.value("Array").map(Some)
    }

    /// Reads a number or word, or stops before the first character of anything else.
    #[inline]
    pub fn value(&mut self, around: &str) -> Parsed<Value> {
        self.skip_blanks();
        let at = self.pos;
        let kind = match self.peek() {
            Some(b'"') => Kind::String,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'-' | b'0'..=b'9') => match number::valid_len(&self.text[at..]) {
                Some(n) => {
                    self.pos += n;
                    Kind::Number
                }
                None => return Err(self.bad_number()),
            },
            Some(b't') if self.word(b"true") => Kind::True,
            Some(b'f') if self.word(b"false") => Kind::False,
            Some(b'n') if self.word(b"null") => Kind::Null,
            _ => return Err(self.bad_value(around)),
        };
        Ok(Value { kind, at, end: self.pos.max(at + 1) })
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let rest = &self.text[self.pos..];
        let whole = rest.starts_with(word)
            && rest
                .get(word.len())
                .is_none_or(|_| !crate::value::fold::next_char(&rest[word.len()..]).0.is_some_and(jackson::identifier_part));
        self.pos += if whole { word.len() } else { 0 };
        whole
    }

    /// Reads the string value that begins at the cursor.
    #[inline]
    pub fn string(&mut self) -> Parsed<Str> {
        self.quoted(false)
    }

    fn name(&mut self) -> Parsed<Str> {
        self.quoted(true)
    }

    #[inline]
    fn quoted(&mut self, name: bool) -> Parsed<Str> {
        let start = self.pos + 1;
        let (mut i, mut escaped) = (start, false);
        loop {
            match self.text.get(i) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    i = self.escape(i)?;
                }
                Some(0..0x20) | None => return Err(self.bad_string(i, name)),
                Some(_) => i += 1,
            }
        }
        self.pos = i + 1;
        Ok(Str { start, end: i, escaped })
    }

    /// Checks the escape at `i` and returns the offset after it.
    fn escape(&self, i: usize) -> Parsed<usize> {
        match self.text.get(i + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(i + 2),
            Some(b'u') => {
                for k in i + 2..i + 6 {
                    match self.text.get(k) {
                        Some(c) if c.is_ascii_hexdigit() => {}
                        Some(_) => {
                            let aws = jackson::unexpected(self.text, k, "expected a hex-digit for character escape sequence");
                            return Err(fault(code::INVALID_ESCAPE, i, k + 1, "\\u is not followed by four hexadecimal digits", aws)
                                .expecting("four hexadecimal digits after \\u, as in \"\\u00e9\""));
                        }
                        None => return Err(self.cut_escape()),
                    }
                }
                Ok(i + 6)
            }
            Some(c) => {
                let aws = format!("Unrecognized character escape {}", jackson::describe(self.text, i + 1));
                let end = i + 1 + crate::value::fold::next_char(&self.text[i + 1..]).1;
                let what = format!("unknown escape \\{}", if c.is_ascii_graphic() { *c as char } else { '?' });
                Err(fault(code::INVALID_ESCAPE, i, end, what, aws))
            }
            None => Err(self.cut_escape()),
        }
    }

    /// The text of a string, unescaped.
    #[inline]
    pub fn owned(&self, s: Str) -> Text {
        match self.borrowed(s) {
            Cow::Borrowed(raw) => raw.into(),
            Cow::Owned(text) => text.into(),
        }
    }

    /// The text of a string, unescaped; copied only if it holds an escape.
    #[inline]
    pub fn borrowed(&self, s: Str) -> Cow<'a, [u8]> {
        let raw = &self.text[s.start..s.end];
        if !s.escaped {
            return Cow::Borrowed(raw);
        }
        let mut out = Vec::with_capacity(raw.len());
        // The escapes were checked when the string was read.
        let _ = unescape_into(raw, &mut out);
        Cow::Owned(out)
    }

    // What follows only runs when the text is not JSON.

    #[cold]
    fn truncated(&self, aws: String) -> Box<Fault> {
        let what = match position::innermost_open(self.text, self.text.len()) {
            Some(open) => {
                let (line, column) = position::line_column(self.text, open);
                format!("the text ends while the {:?} of line {line}, column {column} is open", self.text[open] as char)
            }
            None => "the text ends in the middle of a value".to_owned(),
        };
        fault(code::TRUNCATED, self.text.len(), self.text.len(), what, aws)
    }

    #[cold]
    fn cut_escape(&self) -> Box<Fault> {
        self.truncated(jackson::end_of_input(" in character escape sequence"))
    }

    /// A character that may stand nowhere between tokens, with a message of its own.
    #[cold]
    fn stray(&self) -> Option<Box<Fault>> {
        let (at, b) = (self.pos, self.peek()?);
        match b {
            0..0x20 => {
                let aws = format!(
                    "Illegal character ({}): only regular white space (\\r, \\n, \\t) is allowed between tokens",
                    jackson::describe(self.text, at)
                );
                Some(
                    fault(code::UNEXPECTED_CHARACTER, at, at + 1, format!("control character U+{b:04X} between values"), aws)
                        .expecting("only blanks, tabs and line ends between values"),
                )
            }
            b'/' => {
                let aws = jackson::unexpected(
                    self.text,
                    at,
                    "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)",
                );
                let end = (at + 2).min(self.text.len());
                Some(fault(code::COMMENT, at, end, "a comment, which JSON does not have", aws))
            }
            _ => None,
        }
    }

    #[cold]
    fn unexpected(&self, comment: &str, expected: &str) -> Box<Fault> {
        if let Some(stray) = self.stray() {
            return stray;
        }
        let n = crate::value::fold::next_char(&self.text[self.pos..]).1;
        let what = format!("unexpected {}", shown(&self.text[self.pos..self.pos + n]));
        fault(code::UNEXPECTED_CHARACTER, self.pos, self.pos + n, what, jackson::unexpected(self.text, self.pos, comment))
            .expecting(expected)
    }

    #[cold]
    fn bad_separator(&self, first: bool, object: bool) -> Box<Fault> {
        let Some(b) = self.peek() else {
            let open = position::innermost_open(self.text, self.text.len()).unwrap_or(0);
            return self.truncated(jackson::unclosed(self.text, open));
        };
        if matches!(b, b']' | b'}') {
            let open = position::innermost_open(self.text, self.pos).unwrap_or(0);
            let want = if object { '}' } else { ']' };
            let what = format!("{:?} closes what {:?} opened", b as char, self.text[open] as char);
            return fault(code::MISMATCHED_BRACKET, self.pos, self.pos + 1, what, jackson::mismatched(self.text, self.pos, open))
                .expecting(format!("{:?} here; is a bracket missing before it?", want));
        }
        match (object, first) {
            (true, true) => self.bad_name("Object"),
            (true, false) => self.unexpected("was expecting comma to separate Object entries", "a comma before the next member, or \"}\""),
            (false, _) => self.unexpected("was expecting comma to separate Array entries", "a comma before the next value, or \"]\""),
        }
    }

    #[cold]
    fn bad_name(&self, around: &str) -> Box<Fault> {
        if self.peek().is_none() {
            return self.truncated(jackson::end_of_input(&format!(" within/between {around} entries")));
        }
        let expected = match self.peek() {
            Some(b'}') => "no comma before \"}\"",
            Some(b'\'') => "double quotes around the name",
            _ => "a name in double quotes",
        };
        self.unexpected("was expecting double-quote to start field name", expected)
    }

    #[cold]
    fn bad_colon(&self) -> Box<Fault> {
        if self.peek().is_none() {
            return self.truncated(jackson::end_of_input(" within/between Object entries"));
        }
        self.unexpected("was expecting a colon to separate field name and value", "a colon after the name")
    }

    #[cold]
    fn bad_value(&self, around: &str) -> Box<Fault> {
        let at = self.pos;
        let Some(b) = self.peek() else {
            return self.truncated(jackson::end_of_input(&format!(" within/between {around} entries")));
        };
        if let Some(stray) = self.stray() {
            return stray;
        }
        let word = jackson::word(self.text, at);
        if word == "NaN" || word == "Infinity" {
            let aws = format!("Non-standard token '{word}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow");
            return fault(code::INVALID_NUMBER, at, at + word.len(), format!("{word}, which JSON does not have"), aws);
        }
        if b == b'+' {
            if at + 1 == self.text.len() {
                return self.truncated(jackson::end_of_input(" in a Number value"));
            }
            let aws = jackson::unexpected_in_number(
                self.text,
                at,
                "JSON spec does not allow numbers to have plus signs: enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow",
            );
            return fault(code::INVALID_NUMBER, at, at + 1, "a number with a plus sign", aws).expecting("the number without the plus sign");
        }
        let first = crate::value::fold::next_char(&self.text[at..]).0;
        if first.is_some_and(jackson::identifier_start) {
            let aws = format!(
                "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
            );
            let expected = match word.to_ascii_lowercase().as_str() {
                lower @ ("true" | "false" | "null") => format!("{lower}, in lower case"),
                "none" | "nil" | "undefined" => "null".to_owned(),
                _ => "a JSON value; put text between double quotes".to_owned(),
            };
            let what = format!("{}, which is no JSON value", shown(word.as_bytes()));
            return fault(code::INVALID_LITERAL, at, at + word.len(), what, aws).expecting(expected);
        }
        let expected = match b {
            b']' | b'}' => "a value after the comma or colon, or no comma",
            b'\'' => "double quotes around text",
            b'.' => "a digit before the point, as in 0.5",
            _ => "a JSON value",
        };
        self.unexpected(jackson::VALID_VALUES, expected)
    }

    #[cold]
    fn bad_number(&self) -> Box<Fault> {
        let (text, at) = (self.text, self.pos);
        let digits = |from: usize| text[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut i = at + (text[at] == b'-') as usize;
        let whole = digits(i);
        if whole == 0 {
            if i == text.len() {
                return self.truncated(jackson::end_of_input(" in a Number value"));
            }
            let aws = jackson::unexpected_in_number(text, i, "expected digit (0-9) to follow minus sign, for valid numeric value");
            return fault(code::INVALID_NUMBER, at, i, "a minus sign without a number", aws).expecting("a digit after the minus sign");
        }
        if text[i] == b'0' && whole > 1 {
            return fault(
                code::INVALID_NUMBER,
                at,
                i + whole,
                "a number with a leading zero",
                "Invalid numeric value: Leading zeroes not allowed",
            )
            .expecting("the number without leading zeros; if it is an identifier, put it between quotes");
        }
        i += whole;
        if text.get(i) == Some(&b'.') {
            i += 1;
            let fraction = digits(i);
            if fraction == 0 {
                let place = if i < text.len() { i } else { i - 1 };
                let aws = jackson::unexpected_in_number(text, place, "Decimal point not followed by a digit");
                return fault(code::INVALID_NUMBER, at, i, "a decimal point without digits after it", aws)
                    .expecting("a digit after the decimal point, as in 1.0");
            }
            i += fraction;
        }
        // Only an exponent is left to be wrong.
        i += 1;
        i += matches!(text.get(i), Some(b'+' | b'-')) as usize;
        if i >= text.len() {
            return self.truncated(jackson::end_of_input("expected a digit for number exponent"));
        }
        let aws = jackson::unexpected_in_number(text, i, "Exponent indicator not followed by a digit");
        fault(code::INVALID_NUMBER, at, i, "an exponent without digits", aws).expecting("a digit after the exponent sign, as in 1e6")
    }

    #[cold]
    fn bad_string(&self, i: usize, name: bool) -> Box<Fault> {
        match self.text.get(i) {
            None if name => self.truncated(jackson::end_of_input(" in field name")),
            None => self.truncated(jackson::end_of_input(": was expecting closing quote for a string value")),
            Some(b) => {
                let what = if name { "name" } else { "string value" };
                let aws = format!(
                    "Illegal unquoted character ({}): has to be escaped using backslash to be included in {what}",
                    jackson::describe(self.text, i)
                );
                let escape = match b {
                    b'\n' => "\\n".to_owned(),
                    b'\r' => "\\r".to_owned(),
                    b'\t' => "\\t".to_owned(),
                    _ => format!("\\u{b:04x}"),
                };
                fault(code::CONTROL_CHARACTER, i, i + 1, format!("raw control character U+{b:04X} inside a string"), aws)
                    .expecting(format!("it escaped, as {escape}; or a closing quote before it"))
            }
        }
    }
}
