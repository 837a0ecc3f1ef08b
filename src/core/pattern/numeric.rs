//! `numeric`: one comparison, or a lower and an upper bound in this order, as a range of keys.
//! Open ends are the largest finite doubles; an open bound is the next key, stepping over the key of -0 that no
//! number has, so that equal ranges are equal keys.

use super::{
    catalogue as code,
    cursor::{Cursor, Kind, Value},
    fault::{Fault, Parsed, fault, lossy, shown},
    matcher::{described, end_of, wrong},
    tree::Range,
};
use crate::value::number::{self, key_of};

pub(super) const TOO_MANY: &str = "Too many elements in numeric expression";

/// Key that -0 would have if it did not share that of 0.
const NEGATIVE_ZERO: u64 = !(1 << 63);

/// The smallest key of a finite number.
pub(super) fn lowest() -> u64 {
    key_of(f64::MIN)
}

/// The largest key of a finite number.
pub(super) fn highest() -> u64 {
    key_of(f64::MAX)
}

pub(super) fn above(key: u64) -> u64 {
    if key + 1 == NEGATIVE_ZERO { key + 2 } else { key + 1 }
}

pub(super) fn below(key: u64) -> u64 {
    if key - 1 == NEGATIVE_ZERO { key - 2 } else { key - 1 }
}

/// Reads the argument of numeric.
pub(super) fn parse(c: &mut Cursor<'_>, v: Value) -> Parsed<Range> {
    if v.kind != Kind::Array {
        return Err(wrong(c, v, code::NUMERIC_NOT_A_LIST, "the argument of numeric", "Value of numeric must be an array."));
    }
    c.pos += 1;
    let first = c.element(true)?;
    if first.is_none_or(|f| f.kind != Kind::String) {
        return Err(not_an_operator(c, v, first, code::NUMERIC_MEMBER, "Invalid member in numeric match: "));
    }
    let s = c.string()?;
    let operator = c.borrowed(s);
    let operand = c.element(false)?;
    let (lower, name) = match operator.as_ref() {
        b"=" => (false, "equals"),
        b"<" => (false, "<"),
        b"<=" => (false, "<="),
        b">" => (true, ">"),
        b">=" => (true, ">="),
        other => {
            let what = format!("unknown numeric operator {}", shown(other));
            let aws = format!("Unrecognized numeric range operator: {}", lossy(other));
            let out = fault(code::NUMERIC_OPERATOR, s.start - 1, s.end + 1, what, aws);
            return Err(match other {
                b"=>" => out.expecting("one of = < <= > >=; for \"at least\" write \">=\""),
                b"=<" => out.expecting("one of = < <= > >=; for \"at most\" write \"<=\""),
                b"==" => out.expecting("one of = < <= > >=; for equality write \"=\""),
                b"!=" | b"<>" => out.expecting("one of = < <= > >=; for \"not equal\" write {\"anything-but\": 5}"),
                _ => out,
            });
        }
    };
    let operand = number_operand(c, v, operand, name)?;
    let next = c.element(false)?;
    if !lower {
        if let Some(extra) = next {
            let out = fault(
                code::NUMERIC_TOO_MANY,
                extra.at,
                end_of(c, extra),
                format!("{} after the comparison", described(c, extra)),
                TOO_MANY,
            );
            return Err(out.expecting("nothing after it; a range is written with the lower bound first: [\">=\", 1, \"<\", 9]"));
        }
        let key = comparable(c, operand)?;
        return Ok(match operator.as_ref() {
            b"=" => Range { lo: key, hi: key },
            b"<" => Range { lo: lowest(), hi: below(key) },
            _ => Range { lo: lowest(), hi: key },
        });
    }
    let strict = operator.as_ref() == b">";
    let Some(second) = next else {
        let key = comparable(c, operand)?;
        return Ok(Range { lo: if strict { above(key) } else { key }, hi: highest() });
    };
    upper(c, v, operand, strict, second)
}

/// The rest of a range whose lower bound is read.
fn upper(c: &mut Cursor<'_>, list: Value, bottom: Value, above_bottom: bool, second: Value) -> Parsed<Range> {
    if second.kind != Kind::String {
        return Err(not_an_operator(c, list, Some(second), code::NUMERIC_RANGE_MEMBER, "Bad value in numeric range: "));
    }
    let s = c.string()?;
    let operator = c.borrowed(s);
    let below_top = match operator.as_ref() {
        b"<" => true,
        b"<=" => false,
        other => {
            let what = format!("{} as the second operator of a range", shown(other));
            let aws = format!("Bad numeric range operator: {}", lossy(other));
            return Err(fault(code::NUMERIC_RANGE_OPERATOR, s.start - 1, s.end + 1, what, aws));
        }
    };
    let operand = c.element(false)?;
    let top = number_operand(c, list, operand, &lossy(&operator))?;
    if let Some(extra) = c.element(false)? {
        let what = format!("{} after the range", described(c, extra));
        return Err(fault(code::NUMERIC_TOO_MANY, extra.at, end_of(c, extra), what, "Too many terms in numeric range expression"));
    }
    let (lo, hi) = (comparable(c, bottom)?, comparable(c, top)?);
    if lo >= hi {
        let number = |v: Value| String::from_utf8_lossy(&c.text[v.at..v.end]).into_owned();
        let what = format!("the lower bound {} is not less than the upper bound {}", number(bottom), number(top));
        let out = fault(code::NUMERIC_BOUNDS, bottom.at, top.end, what, "Bottom must be less than top");
        return Err(if lo == hi { out.expecting(format!("[\"=\", {}] for one number", number(top))) } else { out });
    }
    Ok(Range { lo: if above_bottom { above(lo) } else { lo }, hi: if below_top { below(hi) } else { hi } })
}

fn number_operand(c: &Cursor<'_>, list: Value, operand: Option<Value>, name: &str) -> Parsed<Value> {
    let aws = || format!("Value of {name} must be numeric");
    match operand {
        Some(v) if v.kind == Kind::Number => Ok(v),
        Some(v) => {
            let out = wrong(c, v, code::NUMERIC_OPERAND, "the number of a numeric comparison", &aws());
            Err(if v.kind == Kind::String { out.expecting("a number without quotes") } else { out })
        }
        None => Err(fault(code::NUMERIC_OPERAND, c.pos - 1, c.pos, "the number of a numeric comparison is missing", aws()).within(list)),
    }
}

/// Something else where an operator of numeric should stand; AWS prints its token.
#[cold]
fn not_an_operator(c: &Cursor<'_>, list: Value, found: Option<Value>, code: &'static str, aws: &str) -> Box<Fault> {
    match found {
        None => fault(code, list.at, c.pos, "an empty list as the argument of numeric", format!("{aws}]")),
        Some(v) => {
            let token = String::from_utf8_lossy(&c.text[v.at..v.end]);
            fault(code, v.at, v.end, format!("{} where an operator should stand", described(c, v)), format!("{aws}{token}"))
        }
    }
}

/// The key of a number that is compared by value.
pub(super) fn comparable(c: &Cursor<'_>, v: Value) -> Parsed<u64> {
    let text = &c.text[v.at..v.end];
    number::comparable(text).ok_or_else(|| {
        let text = String::from_utf8_lossy(text);
        let short: String = text.chars().take(60).collect();
        let what = format!("the number {short} is not what a double holds");
        let out = fault(code::NUMBER_NOT_COMPARABLE, v.at, v.end, what, format!("Cannot compare number : {text}"));
        match text.parse::<f64>() {
            Ok(near) if near.is_finite() => out.expecting(format!(
                "a number that is its own shortest double, here {}; longer identifiers match only as plain values: [{short}]",
                super::print::shortest(near)
            )),
            _ => out,
        }
    })
}

impl Fault {
    /// Points at the list as a whole when something is missing from it.
    fn within(mut self: Box<Self>, list: Value) -> Box<Self> {
        (self.at, self.end) = (list.at, self.end);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::number::value_of;

    #[test]
    fn open_bounds_step_over_negative_zero() {
        let tiny = 5e-324;
        assert_eq!(above(key_of(-tiny)), key_of(0.0));
        assert_eq!(below(key_of(0.0)), key_of(-tiny));
        assert_eq!(value_of(above(key_of(0.0))), tiny);
        assert_eq!(value_of(below(key_of(1.0))), 1.0 - f64::EPSILON / 2.0);
    }
}
