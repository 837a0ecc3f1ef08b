//! `anything-but`: strings, numbers, or an inner operator with one text or several.
//! The order of checks is AWS's, so that of two mistakes the same one is reported.

use super::{
    catalogue as code,
    cursor::{Cursor, Kind, Value},
    fault::{Parsed, fault, lossy, shown},
    matcher::{close, wrong},
    numeric::{TOO_MANY, comparable},
    tree::{AnythingBut, Text},
    wildcard,
};

const NO_VALUE: &str = "Value of anything-but must be an array or single string/number value.";
const MEMBER: &str = "Inside anything but list, start|null|boolean is not supported.";
const MIXED: &str = "Inside anything but list, either all values are number or string, mixed type is not supported";
const ARGUMENT: &str = "the argument of anything-but";

/// Reads the argument of anything-but and the brace that closes the matcher.
pub(super) fn parse(c: &mut Cursor<'_>, v: Value) -> Parsed<AnythingBut> {
    let out = match v.kind {
        Kind::Object => inner(c, v)?,
        Kind::Array => list(c, v)?,
        Kind::String => {
            let s = c.string()?;
            AnythingBut::Strings(vec![c.owned(s)])
        }
        Kind::Number => AnythingBut::Numbers(vec![comparable(c, v)?]),
        _ => return Err(wrong(c, v, code::ANYTHING_BUT_ARGUMENT, ARGUMENT, NO_VALUE)),
    };
    close(c, code::SEVERAL_OPERATORS, TOO_MANY)?;
    Ok(out)
}

fn list(c: &mut Cursor<'_>, v: Value) -> Parsed<AnythingBut> {
    c.pos += 1;
    let (mut strings, mut numbers) = (Vec::new(), Vec::new());
    // The first member whose kind differs from the one before.
    let mut odd: Option<Value> = None;
    while let Some(member) = c.element(strings.is_empty() && numbers.is_empty())? {
        match member.kind {
            Kind::String => {
                let s = c.string()?;
                strings.push(c.owned(s));
                odd = odd.or((!numbers.is_empty()).then_some(Value { end: s.end + 1, ..member }));
            }
            Kind::Number => {
                numbers.push(comparable(c, member)?);
                odd = odd.or((!strings.is_empty()).then_some(member));
            }
            _ => return Err(wrong(c, member, code::ANYTHING_BUT_MEMBER, "a member of the anything-but list", MEMBER)),
        }
    }
    match (odd, strings.is_empty(), numbers.is_empty()) {
        (Some(odd), ..) => Err(fault(code::ANYTHING_BUT_MIXED, odd.at, odd.end, "strings and numbers in one anything-but list", MIXED)),
        (None, true, true) => Err(fault(code::ANYTHING_BUT_EMPTY_LIST, v.at, c.pos, "an empty anything-but list", MIXED)),
        (None, false, _) => Ok(AnythingBut::Strings(strings)),
        (None, true, false) => Ok(AnythingBut::Numbers(numbers)),
    }
}

/// An operator inside anything-but.
#[derive(Clone, Copy, PartialEq)]
enum Inner {
    Prefix,
    Suffix,
    IgnoreCase,
    Wildcard,
}

fn inner(c: &mut Cursor<'_>, outer: Value) -> Parsed<AnythingBut> {
    c.pos += 1;
    let Some((key, v)) = c.member(true)? else {
        let aws = "Anything-But expression name not found";
        return Err(fault(code::ANYTHING_BUT_NO_OPERATOR, outer.at, c.pos, "an empty object as the argument of anything-but", aws));
    };
    let name = c.borrowed(key);
    let op = match name.as_ref() {
        b"prefix" => Inner::Prefix,
        b"suffix" => Inner::Suffix,
        b"equals-ignore-case" => Inner::IgnoreCase,
        b"wildcard" => Inner::Wildcard,
        other => {
            let what = format!("anything-but does not take {}", shown(other));
            let aws = format!("Unsupported anything-but pattern: {}", lossy(other));
            return Err(fault(code::ANYTHING_BUT_OPERATOR, key.start - 1, key.end + 1, what, aws));
        }
    };
    let mut texts = Texts { op, texts: Vec::new(), wildcards: Vec::new() };
    match v.kind {
        Kind::Array => {
            c.pos += 1;
            let mut first = true;
            while let Some(member) = c.element(first)? {
                texts.take(c, member)?;
                first = false;
            }
            if first {
                // DIFFERS: event-ruler dies of this or never matches it; its own words for an empty list are used.
                return Err(fault(code::ANYTHING_BUT_EMPTY_LIST, v.at, c.pos, "an empty list inside anything-but", MIXED));
            }
        }
        // An affix that is to ignore case, mostly.
        Kind::Object if matches!(op, Inner::Prefix | Inner::Suffix) => {
            return Err(wrong(c, v, code::ANYTHING_BUT_ARGUMENT, ARGUMENT, NO_VALUE));
        }
        _ => texts.take(c, v)?,
    }
    let out = texts.finish(c)?;
    close(c, code::SEVERAL_OPERATORS, TOO_MANY)?;
    Ok(out)
}

struct Texts {
    op: Inner,
    texts: Vec<Text>,
    /// Wildcards are cut after the list is read, since AWS finds their flaws last.
    wildcards: Vec<super::cursor::Str>,
}

impl Texts {
    fn take(&mut self, c: &mut Cursor<'_>, v: Value) -> Parsed<()> {
        if v.kind != Kind::String {
            let (what, aws) = match self.op {
                Inner::IgnoreCase => (
                    "the text of equals-ignore-case",
                    "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
                ),
                Inner::Wildcard => ("the text of wildcard", "wildcard match pattern must be a string"),
                Inner::Prefix => ("the text of prefix", "prefix/suffix match pattern must be a string"),
                Inner::Suffix => ("the text of suffix", "prefix/suffix match pattern must be a string"),
            };
            return Err(wrong(c, v, code::ANYTHING_BUT_NOT_A_STRING, what, aws));
        }
        let s = c.string()?;
        if self.op == Inner::Wildcard {
            self.wildcards.push(s);
            return Ok(());
        }
        if s.start == s.end && matches!(self.op, Inner::Prefix | Inner::Suffix) {
            let what = "an empty text, with which every string begins and ends";
            return Err(fault(code::ANYTHING_BUT_EMPTY_TEXT, v.at, s.end + 1, what, "Null prefix/suffix not allowed"));
        }
        self.texts.push(c.owned(s));
        Ok(())
    }

    fn finish(self, c: &Cursor<'_>) -> Parsed<AnythingBut> {
        Ok(match self.op {
            Inner::Prefix => AnythingBut::Prefix(self.texts),
            Inner::Suffix => AnythingBut::Suffix(self.texts),
            Inner::IgnoreCase => AnythingBut::IgnoreCase(self.texts),
            Inner::Wildcard => {
                AnythingBut::Wildcard(self.wildcards.into_iter().map(|s| wildcard::parse(c, s)).collect::<Parsed<Vec<_>>>()?)
            }
        })
    }
}
