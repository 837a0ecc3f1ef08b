//! The values array of a field: literals and matchers, each operator's argument checked where it is read.
//! Relies on the cursor; builds the tree's [`Matcher`]s; knows nothing of paths, `$or` or limits but depth.

use super::{
    anything_but, catalogue as code, cidr,
    cursor::{Cursor, Kind, Str, Value},
    fault::{Fault, Parsed, fault, lossy, shown},
    numeric,
    tree::{Matcher, Number},
    wildcard,
};
use crate::value::number;

pub(super) const ONLY_ONE: &str = "Only one key allowed in match expression";

/// Reads a values array; the cursor stands at its bracket.
pub(super) fn values(c: &mut Cursor<'_>) -> Parsed<Vec<Matcher>> {
    let open = c.pos;
    c.pos += 1;
    let Some(first) = c.element(true)? else {
        return Err(fault(code::EMPTY_ARRAY, open, c.pos, "an empty list of values", "Empty arrays are not allowed"));
    };
    let mut out = Vec::with_capacity(1);
    out.push(value(c, first)?);
    while let Some(next) = c.element(false)? {
        out.push(value(c, next)?);
    }
    Ok(out)
}

fn value(c: &mut Cursor<'_>, v: Value) -> Parsed<Matcher> {
    Ok(match v.kind {
        Kind::String => {
            let s = c.string()?;
            Matcher::String(c.owned(s))
        }
        Kind::Object => matcher(c)?,
        Kind::Number => {
            let text = &c.text[v.at..v.end];
            Matcher::Number(Number { text: text.into(), key: number::comparable(text) })
        }
        Kind::True => Matcher::True,
        Kind::False => Matcher::False,
        Kind::Null => Matcher::Null,
        Kind::Array => {
            return Err(fault(
                code::NESTED_ARRAY,
                v.at,
                v.end,
                "a list inside a list of values",
                "Match value must be String, number, true, false, or null",
            ));
        }
    })
}

/// Reads a matcher; the cursor stands at its brace.
fn matcher(c: &mut Cursor<'_>) -> Parsed<Matcher> {
    let open = c.pos;
    c.pos += 1;
    let Some((key, v)) = c.member(true)? else {
        return Err(fault(code::EMPTY_MATCHER, open, c.pos, "a matcher without an operator", "Match expression name not found"));
    };
    let name = c.borrowed(key);
    let out = match name.as_ref() {
        b"exactly" => Matcher::Exactly(text(c, v, code::EXACTLY_NOT_A_STRING, "exactly", "exact")?),
        b"prefix" if v.kind == Kind::Object => Matcher::PrefixIgnoreCase(affix(c, v, &PREFIX)?),
        b"prefix" => Matcher::Prefix(text(c, v, code::PREFIX_NOT_A_STRING, "prefix", "prefix")?),
        b"suffix" if v.kind == Kind::Object => Matcher::SuffixIgnoreCase(affix(c, v, &SUFFIX)?),
        b"suffix" => Matcher::Suffix(text(c, v, code::SUFFIX_NOT_A_STRING, "suffix", "suffix")?),
        b"equals-ignore-case" => {
            Matcher::EqualsIgnoreCase(text(c, v, code::IGNORE_CASE_NOT_A_STRING, "equals-ignore-case", "equals-ignore-case")?)
        }
        b"wildcard" => {
            let s = string(c, v, code::WILDCARD_NOT_A_STRING, "wildcard", "wildcard")?;
            Matcher::Wildcard(wildcard::parse(c, s)?)
        }
        // "prefix" is AWS's own slip.
        b"cidr" => Matcher::Cidr(cidr::parse(c, v)?),
        b"numeric" => {
            let range = numeric::parse(c, v)?;
            close(c, code::SEVERAL_OPERATORS, numeric::TOO_MANY)?;
            return Ok(Matcher::Numeric(range));
        }
        b"anything-but" => return anything_but::parse(c, v).map(Matcher::AnythingBut),
        b"exists" => match v.kind {
            Kind::True => Matcher::Exists(true),
            Kind::False => Matcher::Exists(false),
            _ => {
                let aws = "exists match pattern must be either true or false.";
                return Err(wrong(c, v, code::EXISTS_NOT_A_BOOLEAN, "the argument of exists", aws));
            }
        },
        other => return Err(unknown_operator(key, other)),
    };
    close(c, code::SEVERAL_OPERATORS, ONLY_ONE)?;
    Ok(out)
}

/// A string argument of an operator.
pub(super) fn string(c: &mut Cursor<'_>, v: Value, code: &'static str, op: &str, aws: &str) -> Parsed<Str> {
    if v.kind != Kind::String {
        return Err(wrong(c, v, code, &format!("the argument of {op}"), &format!("{aws} match pattern must be a string")));
    }
    c.string()
}

fn text(c: &mut Cursor<'_>, v: Value, code: &'static str, op: &str, aws: &str) -> Parsed<super::tree::Text> {
    let s = string(c, v, code, op, aws)?;
    Ok(c.owned(s))
}

struct Affix {
    operator: &'static str,
    title: &'static str,
    unsupported: &'static str,
    empty: &'static str,
}

const PREFIX: Affix = Affix { operator: "prefix", title: "Prefix", unsupported: code::PREFIX_OPERATOR, empty: code::PREFIX_EMPTY };
const SUFFIX: Affix = Affix { operator: "suffix", title: "Suffix", unsupported: code::SUFFIX_OPERATOR, empty: code::SUFFIX_EMPTY };

/// `{"equals-ignore-case": "text"}` inside prefix or suffix.
fn affix(c: &mut Cursor<'_>, outer: Value, affix: &Affix) -> Parsed<super::tree::Text> {
    c.pos += 1;
    let Some((key, v)) = c.member(true)? else {
        let what = format!("an empty object as the argument of {}", affix.operator);
        return Err(fault(affix.empty, outer.at, c.pos, what, format!("{} expression name not found", affix.title)));
    };
    let name = c.borrowed(key);
    if name.as_ref() != b"equals-ignore-case" {
        let what = format!("{} takes a string or equals-ignore-case, not {}", affix.operator, shown(&name));
        let aws = format!("Unsupported {} pattern: {}", affix.operator, lossy(&name));
        return Err(fault(affix.unsupported, key.start - 1, key.end + 1, what, aws));
    }
    let out = text(c, v, code::IGNORE_CASE_NOT_A_STRING, "equals-ignore-case", "equals-ignore-case")?;
    close(c, code::SEVERAL_OPERATORS, ONLY_ONE)?;
    Ok(out)
}

/// The closing brace of an object that has exactly one member.
pub(super) fn close(c: &mut Cursor<'_>, code: &'static str, aws: &str) -> Parsed<()> {
    match c.member(false)? {
        None => Ok(()),
        Some((key, _)) => {
            let name = shown(&c.borrowed(key));
            Err(fault(code, key.start - 1, key.end + 1, format!("a second operator, {name}, in one matcher"), aws))
        }
    }
}

/// A value of a kind that is not taken here.
#[cold]
pub(super) fn wrong(c: &Cursor<'_>, v: Value, code: &'static str, what: &str, aws: &str) -> Box<Fault> {
    fault(code, v.at, end_of(c, v), format!("{what} is {}", described(c, v)), aws)
}

/// Where a value's offending text ends: strings and scalars whole, containers at their bracket.
pub(super) fn end_of(c: &Cursor<'_>, v: Value) -> usize {
    match v.kind {
        Kind::String => Cursor { text: c.text, pos: v.at }.string().map_or(v.end, |s| s.end + 1),
        _ => v.end,
    }
}

/// A value in the words of a message.
pub(super) fn described(c: &Cursor<'_>, v: Value) -> String {
    match v.kind {
        Kind::Object => "an object".to_owned(),
        Kind::Array => "a list".to_owned(),
        Kind::Number => format!("the number {}", String::from_utf8_lossy(&c.text[v.at..v.end.min(v.at + 60)])),
        Kind::True => "true".to_owned(),
        Kind::False => "false".to_owned(),
        Kind::Null => "null".to_owned(),
        Kind::String => match (Cursor { text: c.text, pos: v.at }).string() {
            Ok(s) => format!("the string {}", shown(&c.borrowed(s))),
            Err(_) => "a string".to_owned(),
        },
    }
}

#[cold]
fn unknown_operator(key: Str, name: &[u8]) -> Box<Fault> {
    let out = fault(
        code::UNKNOWN_OPERATOR,
        key.start - 1,
        key.end + 1,
        format!("unknown operator {}", shown(name)),
        format!("Unrecognized match type {}", lossy(name)),
    );
    let known: String = name.iter().map(|b| if *b == b'_' { '-' } else { b.to_ascii_lowercase() as char }).collect();
    let meant = match known.as_str() {
        "equals" | "equal" | "eq" | "exact" => Some("a plain string in the list"),
        "equalsignorecase" | "equals-ignorecase" | "ignore-case" | "ignorecase" => Some("equals-ignore-case"),
        "anythingbut" | "not" | "not-equals" | "anything-but-not" => Some("anything-but"),
        "contains" | "regex" | "regexp" | "shellstyle" | "like" | "match" | "glob" => Some("wildcard, as in {\"wildcard\": \"*text*\"}"),
        "exist" | "present" => Some("exists"),
        "starts-with" | "startswith" | "begins-with" => Some("prefix"),
        "ends-with" | "endswith" => Some("suffix"),
        "number" | "range" | "between" => Some("numeric, as in {\"numeric\": [\">=\", 1, \"<\", 9]}"),
        "ip" | "ip-address" | "subnet" => Some("cidr"),
        "$or" => Some("$or as the name of a field, not inside a list of values"),
        other => super::OPERATORS.iter().find(|o| **o == other).copied(),
    };
    match meant {
        Some(meant) => out.expecting(meant),
        None => out,
    }
}
