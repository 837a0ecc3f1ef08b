//! A refusal on its way out: what the parser knows at the place, before line, column, pointer and excerpt are worked
//! out from the text. Made only when a pattern is refused; never on the path of a valid one.

use super::catalogue;
use crate::{
    error::PatternError,
    json::{position, string::escape_into},
};

/// What is wrong and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub code: &'static str,
    pub at: usize,
    pub end: usize,
    pub message: String,
    pub expected: Option<String>,
    pub aws: String,
}

/// A result of parsing; boxed so that the good case stays small.
pub(super) type Parsed<T> = Result<T, Box<Fault>>;

/// A refusal at `at..end`. What was expected is the catalogue's remedy unless [`Fault::expecting`] says better.
#[cold]
pub(super) fn fault(code: &'static str, at: usize, end: usize, message: impl Into<String>, aws: impl Into<String>) -> Box<Fault> {
    Box::new(Fault { code, at, end, message: message.into(), expected: None, aws: aws.into() })
}

impl Fault {
    /// Says what would have been right here.
    pub fn expecting(mut self: Box<Self>, expected: impl Into<String>) -> Box<Self> {
        self.expected = Some(expected.into());
        self
    }

    /// The complete error.
    pub fn into_error(self, text: &[u8]) -> PatternError {
        let (line, column) = position::line_column(text, self.at);
        let length = self.end.saturating_sub(self.at).max(1);
        PatternError {
            code: self.code,
            message: self.message,
            pointer: position::pointer(text, self.at),
            offset: self.at,
            length,
            line,
            column,
            expected: self.expected.unwrap_or_else(|| catalogue::entry(self.code).map_or_else(String::new, |e| e.remedy.to_owned())),
            // Names and texts inside the message may hold line ends; the field is promised to be one line.
            aws_message: self.aws.lines().next().unwrap_or_default().to_owned(),
            excerpt: position::excerpt(text, self.at, length),
        }
    }
}

/// A text as it stands in a message: quoted, escaped, and cut when it is long.
pub(super) fn shown(text: &[u8]) -> String {
    const LONGEST: usize = 60;
    let mut out = String::new();
    if text.len() <= LONGEST {
        escape_into(text, &mut out);
        return out;
    }
    // Cut between characters.
    let cut = (0..=LONGEST).rev().find(|i| text[*i] & 0xc0 != 0x80).unwrap_or(0);
    escape_into(&text[..cut], &mut out);
    out.pop();
    out + "…\""
}

/// WTF-8 as text; a lone surrogate becomes "?", as Java prints it.
pub(super) fn lossy(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (c, n) = crate::value::fold::next_char(rest);
        out.push(c.unwrap_or('?'));
        rest = &rest[n..];
    }
    out
}
