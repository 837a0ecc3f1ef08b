//! Texts spliced together from literals, values of an event, and strings that the caller gives. A value's bytes are
//! copied as they stand in the event: no number is respelled, no member moved, no string escaped anew.

use super::paths::Paths;
use super::scan::{Broken, Found, Span};

/// How a value stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a JSON value; without a value `""`.
    Value,
    /// As the name of a member: a string, or `""`.
    Name,
    /// Inside quotes: a string without its quotes, a number or word as it stands, without a value nothing.
    Inside,
    /// In a text that is no JSON: as inside quotes, but objects and arrays too, without their quotes and blanks.
    Bare,
    /// As a part of such an object or array: every kind without its quotes, those of strings' contents included.
    Part,
    /// As a JSON value that must be there.
    Needed,
}

/// Number of a string that the caller gives.
pub type Given = usize;

/// A part of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Literal(Vec<u8>),
    /// The value of a path, by its number.
    Value(usize, Form),
    /// One of the strings that come with the event.
    Given(Given),
}

/// Why no text was made: the piece and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The event is no JSON.
    Broken(Broken),
    /// An object or array stands inside quotes, or is to be a member's name.
    Misplaced(usize),
    /// A value that must be there is not.
    Missing(usize),
    /// The text would be longer than allowed.
    TooLong,
}

impl From<Broken> for Refusal {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// A text with places for values.
#[derive(Clone, Debug)]
pub struct Splice {
    paths: Paths,
    pieces: Vec<Piece>,
    longest: usize,
}

impl Splice {
    /// A text of these pieces; `longest` bounds what is made of them, in bytes.
    pub fn new(paths: Paths, pieces: Vec<Piece>, longest: usize) -> Self {
        Self { paths, pieces, longest }
    }

    /// Appends the text for an event to `out`.
    pub fn write(&self, event: &[u8], given: &[&[u8]], found: &mut Found, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if !self.paths.is_empty() {
            self.paths.scan(event, found)?;
        }
        let most = out.len().saturating_add(self.longest);
        for (i, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text),
                Piece::Given(number) => out.extend_from_slice(given.get(*number).copied().unwrap_or_default()),
                Piece::Value(path, form) => self.value(i, *path, *form, event, found, out)?,
            }
            if out.len() > most {
                return Err(Refusal::TooLong);
            }
        }
        Ok(())
    }

    fn value(&self, piece: usize, path: usize, form: Form, event: &[u8], found: &Found, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let Some(mut values) = found.values(path) else {
            match form {
                Form::Value | Form::Name => out.extend_from_slice(b"\"\""),
                Form::Inside | Form::Bare | Form::Part => {}
                Form::Needed => return Err(Refusal::Missing(piece)),
            }
            return Ok(());
        };
        if self.paths.is_list(path) {
            return list(values, form, event, out).ok_or(Refusal::Misplaced(piece));
        }
        let text = values.next().map(|span| span.of(event)).unwrap_or_default();
        let first = text.first().copied().unwrap_or_default();
        match (form, first) {
            (Form::Value | Form::Needed, _) | (Form::Name, b'"') => out.extend_from_slice(text),
            (Form::Inside | Form::Bare, b'"') => out.extend_from_slice(text.get(1..text.len() - 1).unwrap_or_default()),
            (Form::Inside, b'{' | b'[') | (Form::Name, _) => return Err(Refusal::Misplaced(piece)),
            (Form::Part, _) | (Form::Bare, b'{' | b'[') => without_quotes(text, out),
            (Form::Inside | Form::Bare, _) => out.extend_from_slice(text),
        }
        Ok(())
    }
}

/// The values of a list as a JSON array; `None` where no array may stand.
fn list(values: impl Iterator<Item = Span>, form: Form, event: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if matches!(form, Form::Name | Form::Inside) {
        return None;
    }
    out.push(b'[');
    for (i, span) in values.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        if matches!(form, Form::Bare | Form::Part) {
            without_quotes(span.of(event), out);
        } else {
            out.extend_from_slice(span.of(event));
        }
    }
    out.push(b']');
    Some(())
}

/// A JSON text without its quotes, those of its strings' contents included, and without the blanks between its tokens.
/// All other escapes stay, so that what was made can stand between quotes.
fn without_quotes(text: &[u8], out: &mut Vec<u8>) {
    let mut inside = false;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => inside = !inside,
            b'\\' => {
                match text.get(at + 1) {
                    Some(b'"') | None => {}
                    Some(escaped) => out.extend_from_slice(&[b'\\', *escaped]),
                }
                at += 1;
            }
            b' ' | b'\n' | b'\r' | b'\t' if !inside => {}
            _ => out.push(*byte),
        }
        at += 1;
    }
}
