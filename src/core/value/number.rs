//! JSON numbers as the language sees them: a text is *comparable* when it is finite and its decimal value equals
//! the shortest decimal that reads back as the same double. Comparable numbers have an order-preserving key;
//! all others are equal only to the identical text.
//!
//! SOURCE: specification, section 4 (event-ruler's ComparableNumber with a shortest printer).
//! COST: up to 15 significant digits one pass, about 10 ns; 16 and 17 digits a parse and a shortest print more, 40 ns.

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

const POWERS_U64: [u64; 18] = {
    let mut powers = [1; 18];
    let mut i = 1;
    while i < 18 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// The shortest JSON text of the number behind a key.
pub fn shortest(key: u64) -> String {
    let value = value_of(key);
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { zmij::Buffer::new().format_finite(value).to_owned() }
}

const POWERS: [f64; 23] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22];

/// A decimal: digits without zeros at either end times a power of ten; zero is (0, 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    mantissa: u64,
    exponent: i64,
}

/// No shortest decimal of a double has more significant digits.
const MOST_DIGITS: u32 = 17;

/// Eight ASCII digits at once, if the next eight bytes are digits.
#[inline(always)]
fn eight_digits(text: &[u8], at: usize) -> Option<u64> {
    let word = u64::from_le_bytes(*text.get(at..)?.first_chunk()?);
    let high = word & 0xf0f0_f0f0_f0f0_f0f0;
    if high | (word.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0) >> 4 != 0x3333_3333_3333_3333 {
        return None;
    }
    let word = word - 0x3030_3030_3030_3030;
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8);
    let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let rest = (pairs >> 16 & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    Some(low.wrapping_add(rest) >> 32)
}

/// The value of a valid JSON number without its sign, or `None` when it has more than `MOST_DIGITS` significant digits.
#[inline]
fn decimal(text: &[u8]) -> Option<Decimal> {
    let (mut mantissa, mut exponent, mut point, mut i) = (0u64, 0i64, false, 0);
    while i < text.len() {
        // Nineteen digits fit; a text that is longer goes the slow way.
        if mantissa >= 100_000_000_000 {
            if mantissa >= 1_000_000_000_000_000_000 {
                return long_decimal(text);
            }
        } else if let Some(eight) = eight_digits(text, i) {
            mantissa = mantissa * 100_000_000 + eight;
            exponent -= 8 * point as i64;
            i += 8;
            continue;
        }
        let digit = text[i].wrapping_sub(b'0');
        if digit < 10 {
            mantissa = mantissa * 10 + digit as u64;
            exponent -= point as i64;
        } else if text[i] == b'.' {
            point = true;
        } else if text[i] | 0x20 == b'e' {
            exponent = exponent.saturating_add(written_exponent(&text[i + 1..]));
            break;
        }
        i += 1;
    }
    if mantissa == 0 {
        return Some(Decimal { mantissa: 0, exponent: 0 });
    }
    while mantissa % 10 == 0 {
        mantissa /= 10;
        exponent += 1;
    }
    (mantissa < POWERS_U64[MOST_DIGITS as usize]).then_some(Decimal { mantissa, exponent })
}

/// `decimal` for texts of many digits, most of which are zeros if there is an answer.
#[cold]
fn long_decimal(text: &[u8]) -> Option<Decimal> {
    let (mut mantissa, mut digits, mut exponent, mut zeros, mut point) = (0u64, 0u32, 0i64, 0u32, false);
    for (i, &byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            exponent -= point as i64;
            if digit == 0 {
                // Zeros count only if a digit follows; before the first digit they never do.
                zeros += (mantissa != 0) as u32;
                exponent += (mantissa != 0) as i64;
            } else {
                digits += zeros + 1;
                if digits > MOST_DIGITS {
                    return None;
                }
                mantissa = mantissa * POWERS_U64[zeros as usize + 1] + digit as u64;
                exponent -= zeros as i64;
                zeros = 0;
            }
        } else if byte == b'.' {
            point = true;
        } else if byte | 0x20 == b'e' {
            exponent = exponent.saturating_add(written_exponent(&text[i + 1..]));
            break;
        }
    }
    Some(if mantissa == 0 { Decimal { mantissa, exponent: 0 } } else { Decimal { mantissa, exponent } })
}

/// The number after an "e". An exponent beyond 64 bits cannot belong to a finite non-zero double; it saturates.
#[cold]
fn written_exponent(text: &[u8]) -> i64 {
    let negative = text.first() == Some(&b'-');
    let digits = text.iter().filter(|b| b.is_ascii_digit());
    let value = digits.fold(0i64, |v, b| v.saturating_mul(10).saturating_add((b - b'0') as i64)).min(i64::MAX / 4);
    if negative { -value } else { value }
}

/// A number read once: whether it is comparable may still have to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanned {
    /// Comparable, with this key.
    Comparable(u64),
    /// The key of the nearest double; comparable only if [`comparable`] says so.
    Near(u64),
    /// Beyond the doubles: not comparable.
    Beyond,
}

/// Reads a valid JSON number (see [`valid_len`]); the costly part of the question is left open.
#[inline]
pub fn scan(text: &[u8]) -> Scanned {
    let negative = text.first() == Some(&b'-');
    // Up to 15 digits survive the way through a double and back, and one exact operation makes the double.
    if let Some(number) = decimal(text)
        && number.mantissa < 1_000_000_000_000_000
        && (-22..=7).contains(&number.exponent)
    {
        let m = number.mantissa as f64;
        let value = if number.exponent < 0 { m / POWERS[-number.exponent as usize] } else { m * POWERS[number.exponent as usize] };
        return Scanned::Comparable(key_of(if negative { -value } else { value }));
    }
    match std::str::from_utf8(text).ok().and_then(|t| t.parse::<f64>().ok()) {
        Some(value) if value.is_finite() => Scanned::Near(key_of(value)),
        _ => Scanned::Beyond,
    }
}

/// The key of a number's text if it is comparable. The text must be a valid JSON number (see [`valid_len`]).
pub fn comparable(text: &[u8]) -> Option<u64> {
    match scan(text) {
        Scanned::Comparable(key) => Some(key),
        Scanned::Near(key) => is_shortest(text, key).then_some(key),
        Scanned::Beyond => None,
    }
}

/// Whether a number's text, read as `Near(key)`, is the shortest decimal of that double.
pub fn is_shortest(text: &[u8], key: u64) -> bool {
    let mut buffer = zmij::Buffer::new();
    decimal(text).is_some_and(|number| decimal(buffer.format_finite(value_of(key)).as_bytes()) == Some(number))
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
            ("0.1", "1e-1"),
            ("100", "1e2"),
        ] {
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
    fn equals_the_definition() {
        // The definition, with arbitrary digits: strip zeros of both decimals and compare.
        fn strip(text: &str) -> (String, i64) {
            let (m, e) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
            let (whole, fraction) = m.trim_start_matches('-').split_once('.').unwrap_or((m.trim_start_matches('-'), ""));
            let digits = format!("{whole}{fraction}");
            let stripped = digits.trim_end_matches('0');
            let exponent = e.parse::<i64>().unwrap() - fraction.len() as i64 + (digits.len() - stripped.len()) as i64;
            let stripped = stripped.trim_start_matches('0');
            if stripped.is_empty() { (String::new(), 0) } else { (stripped.to_owned(), exponent) }
        }
        let mut x = 88172645463325252u64;
        let mut next = move |n: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 8) % n
        };
        for round in 0..300_000 {
            let text = match round % 4 {
                0 => format!("{}{}", next(1000), if next(2) == 0 { "0".repeat(next(25) as usize) } else { String::new() }),
                1 => {
                    let (most, w) = (10u64.pow(1 + next(17) as u32), 1 + next(19) as usize);
                    format!("-{}.{:0w$}", next(200), next(most))
                }
                2 => format!("{}e{}", next(u64::MAX), next(660) as i64 - 340),
                _ => format!("{:e}", f64::from_bits(next(u64::MAX)).abs()).replace("NaN", "0").replace("inf", "1"),
            };
            let value: f64 = text.parse().unwrap();
            // Where two shortest decimals are equally near, the even one counts, as in Java and Python; std prints the other.
            let want = value.is_finite() && strip(zmij::Buffer::new().format_finite(value)) == strip(&text);
            assert_eq!(comparable(text.as_bytes()), want.then(|| key_of(value)), "{text}");
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
