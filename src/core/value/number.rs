//! JSON numbers as the language sees them: a text is *comparable* when it is finite and its decimal value equals
//! the shortest decimal that reads back as the same double. Comparable numbers have an order-preserving key;
//! all others are equal only to the identical text.
//!
//! SOURCE: specification, section 4 (event-ruler's ComparableNumber with a shortest printer).
//! COST: up to 15 significant digits one pass; 16 and 17 digits one shortest print more.

use std::fmt::Write as _;

/// Order-preserving code of a finite double: `a < b` as numbers exactly when `key(a) < key(b)`; -0 and 0 share a key.
#[inline]
pub fn key_of(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The double behind a key.
#[inline]
pub fn value_of(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

/// The shortest JSON text of the number behind a key.
pub fn shortest(key: u64) -> String {
    let value = value_of(key);
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { format!("{value:e}") }
}

const POWERS: [f64; 23] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22];

/// The key of a number's text if it is comparable. The text must be a valid JSON number (see [`valid_len`]).
#[inline]
pub fn comparable(text: &[u8]) -> Option<u64> {
    let mut mantissa: u64 = 0;
    let mut digits = 0u32; // significant digits, without leading zeros
    let mut exponent: i32 = 0;
    let mut i = 0;
    let negative = text.first() == Some(&b'-');
    i += negative as usize;
    let mut seen_point = false;
    while i < text.len() {
        let d = text[i].wrapping_sub(b'0');
        if d < 10 {
            if digits < 19 {
                mantissa = mantissa * 10 + d as u64;
                digits += (mantissa != 0) as u32;
                exponent -= seen_point as i32;
            } else {
                return comparable_slow(text);
            }
        } else if text[i] == b'.' {
            seen_point = true;
        } else {
            return comparable_slow(text); // an exponent
        }
        i += 1;
    }
    if digits <= 15 && (-22..=0).contains(&exponent) {
        let v = mantissa as f64 / POWERS[-exponent as usize];
        return Some(key_of(if negative { -v } else { v }));
    }
    comparable_slow(text)
}

#[cold]
fn comparable_slow(text: &[u8]) -> Option<u64> {
    let s = std::str::from_utf8(text).ok()?;
    let v: f64 = s.parse().ok()?;
    if !v.is_finite() {
        return None;
    }
    let mut shortest = ShortText::default();
    write!(shortest, "{:e}", v).ok()?;
    (decimal(text)? == decimal(shortest.bytes())?).then(|| key_of(v))
}

/// A number's value as (digits without zeros at either end, exponent of the last digit); zero is (empty, 0).
fn decimal(text: &[u8]) -> Option<(bool, Vec<u8>, i64)> {
    let (mut digits, mut exponent, mut point, mut i) = (Vec::with_capacity(20), 0i64, false, 0);
    let negative = text.first() == Some(&b'-');
    i += negative as usize;
    while i < text.len() {
        match text[i] {
            d @ b'0'..=b'9' => {
                digits.push(d);
                exponent -= point as i64;
            }
            b'.' => point = true,
            _ => {
                let e = std::str::from_utf8(&text[i + 1..]).ok()?;
                // An exponent beyond i64 cannot belong to a finite non-zero double; saturate.
                let e: i64 =
                    e.strip_prefix('+').unwrap_or(e).parse().unwrap_or(if e.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 });
                exponent = exponent.saturating_add(e);
                break;
            }
        }
        i += 1;
    }
    while digits.last() == Some(&b'0') {
        digits.pop();
        exponent = exponent.saturating_add(1);
    }
    let zeros = digits.iter().take_while(|d| **d == b'0').count();
    digits.drain(..zeros);
    if digits.is_empty() { Some((false, digits, 0)) } else { Some((negative, digits, exponent)) }
}

/// A fixed buffer for the shortest print of a double (at most 24 bytes).
#[derive(Default)]
struct ShortText {
    buffer: [u8; 32],
    len: usize,
}

impl ShortText {
    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl std::fmt::Write for ShortText {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        let end = self.len + s.len();
        self.buffer.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Length of the valid JSON number at the start of `text`, or `None` when there is none
/// (`01` is refused, `1.` is refused, `-` is refused; what follows the number is the caller's business).
#[inline]
pub fn valid_len(text: &[u8]) -> Option<usize> {
    let digit = |i: usize| text.get(i).is_some_and(|c| c.is_ascii_digit());
    let mut i = (text.first() == Some(&b'-')) as usize;
    if text.get(i) == Some(&b'0') {
        i += 1;
        if digit(i) {
            return None;
        }
    } else {
        let start = i;
        while digit(i) {
            i += 1;
        }
        if i == start {
            return None;
        }
    }
    if text.get(i) == Some(&b'.') {
        i += 1;
        let start = i;
        while digit(i) {
            i += 1;
        }
        if i == start {
            return None;
        }
    }
    if matches!(text.get(i), Some(b'e' | b'E')) {
        i += 1;
        i += matches!(text.get(i), Some(b'+' | b'-')) as usize;
        let start = i;
        while digit(i) {
            i += 1;
        }
        if i == start {
            return None;
        }
    }
    Some(i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        comparable(a.as_bytes()).is_some() && comparable(a.as_bytes()) == comparable(b.as_bytes())
    }

    #[test]
    fn spellings_of_one_number_share_a_key() {
        for (a, b) in [
            ("300", "300.0"),
            ("300", "3.0e2"),
            ("300", "3E+2"),
            ("0", "-0.0"),
            ("0", "0e10"),
            ("2e23", "2.0e23"),
            ("72057594037927936", "7.2057594037927936e16"),
            ("0.1", "1e-1"),
            ("100", "1e2"),
        ] {
            if a.len() > 16 {
                continue;
            }
            assert!(same(a, b), "{a} {b}");
        }
        assert!(comparable(b"72057594037927936").is_none());
    }

    #[test]
    fn texts_that_are_not_the_shortest_decimal_are_not_comparable() {
        for t in ["9007199254740993", "12345678901234567890", "0.10000000000000001", "1e400", "-1e400", "1e-400", "72057594037927936"] {
            assert_eq!(comparable(t.as_bytes()), None, "{t}");
        }
        for t in ["9007199254740994", "1e22", "0.1", "1.7976931348623157e308", "5e-324"] {
            assert!(comparable(t.as_bytes()).is_some(), "{t}");
        }
    }

    #[test]
    fn keys_keep_order() {
        let v = [f64::MIN, -1e10, -1.5, -5e-324, 0.0, 5e-324, 1.0, 1.0000000000000002, f64::MAX];
        for w in v.windows(2) {
            assert!(key_of(w[0]) < key_of(w[1]));
            assert_eq!(value_of(key_of(w[0])), w[0]);
        }
        assert_eq!(key_of(-0.0), key_of(0.0));
    }

    #[test]
    fn grammar() {
        for (t, n) in [
            ("0", Some(1)),
            ("-0", Some(2)),
            ("01", None),
            ("1.", None),
            (".5", None),
            ("-", None),
            ("1e", None),
            ("1e+5,", Some(4)),
            ("1E05", Some(4)),
            ("12]", Some(2)),
            ("+1", None),
        ] {
            assert_eq!(valid_len(t.as_bytes()), n, "{t}");
        }
    }
}
