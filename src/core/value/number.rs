//! JSON numbers as the language sees them: a text is *comparable* when it is finite and its decimal value equals
//! the shortest decimal that reads back as the same double. Comparable numbers have an order-preserving key;
//! all others are equal only to the identical text.
//!
//! SOURCE: specification, section 4 (event-ruler's ComparableNumber with a shortest printer).
//! COST: up to 15 significant digits one pass, about 10 ns; 16 and 17 digits a few operations more; only what lies
//! beyond 0.02 … 1e16 or on the border between two doubles is parsed and printed, 60 ns more.

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

const POWERS_U64: [u64; 19] = {
    let mut powers = [1; 19];
    let mut i = 1;
    while i < 19 {
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
    if not_digits(word) != 0 {
        return None;
    }
    Some(eight_of(word))
}

/// `[-]WHOLE.PART` with up to 8 digits before the point and 8 to 16 after it, 19 in all, which is how most long numbers
/// are written: three looks at eight bytes. The mantissa and how many of its digits stand after the point.
#[inline]
fn plain_decimal(text: &[u8]) -> Option<(u64, usize)> {
    let sign = (text.first() == Some(&b'-')) as usize;
    let eight = |at: usize| text.get(at..).and_then(|t| t.first_chunk()).map(|bytes| u64::from_le_bytes(*bytes));
    let first = eight(sign)?;
    let whole = not_digits(first).trailing_zeros() as usize / 8;
    let point = sign + whole;
    let part = text.len().checked_sub(point + 1)?;
    if whole == 0 || text[point] != b'.' || !(8..=16).contains(&part) || whole + part > 19 {
        return None;
    }
    let (middle, rest) = (eight(point + 1)?, part - 8);
    // The last bytes of the text, of which those before `rest` were counted already.
    let end = if rest == 0 { 0x3030_3030_3030_3030 } else { eight(text.len() - 8)? };
    if not_digits(middle) | not_digits(end) != 0 {
        return None;
    }
    let end = if rest == 0 { 0 } else { end & !0 << (64 - 8 * rest) };
    let mantissa = eight_of(first << (64 - 8 * whole)) * POWERS_U64[part] + eight_of(middle) * POWERS_U64[rest] + eight_of(end);
    Some((mantissa, part))
}

/// Not zero in every byte that is no ASCII digit, zero in all others.
#[inline(always)]
fn not_digits(word: u64) -> u64 {
    let x = word ^ 0x3030_3030_3030_3030;
    // A byte above 9 reaches the upper half when 6 is added; the sum of bytes below 0x80 stays within its byte.
    (((x & 0x7f7f_7f7f_7f7f_7f7f) + 0x0606_0606_0606_0606) | x) & 0xf0f0_f0f0_f0f0_f0f0
}

/// The number that eight digits spell, the first the most significant; a zero byte counts as the digit 0.
#[inline(always)]
pub(super) fn eight_of(word: u64) -> u64 {
    let digits = word & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let rest = (pairs >> 16 & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    low.wrapping_add(rest) >> 32
}

/// The value of a valid JSON number without its sign, or `None` when it has more than `MOST_DIGITS` significant digits.
#[inline]
fn decimal(text: &[u8]) -> Option<Decimal> {
    match plain_decimal(text) {
        Some((mantissa, part)) => stripped(mantissa, -(part as i64)),
        None => any_decimal(text),
    }
}

/// Without the zeros at the end.
#[inline]
fn stripped(mut mantissa: u64, mut exponent: i64) -> Option<Decimal> {
    if mantissa == 0 {
        return Some(Decimal { mantissa: 0, exponent: 0 });
    }
    while mantissa.is_multiple_of(10) {
        mantissa /= 10;
        exponent += 1;
    }
    (mantissa < POWERS_U64[MOST_DIGITS as usize]).then_some(Decimal { mantissa, exponent })
}

fn any_decimal(text: &[u8]) -> Option<Decimal> {
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
    stripped(mantissa, exponent)
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
    /// Not comparable.
    Not,
}

/// Reads a valid JSON number (see [`valid_len`]); the costly part of the question is left open.
#[inline]
pub fn scan(text: &[u8]) -> Scanned {
    let negative = text.first() == Some(&b'-');
    let key = |value: f64| key_of(if negative { -value } else { value });
    if let Some(number) = decimal(text) {
        // Up to 15 digits survive the way through a double and back, and one exact operation makes the double.
        if number.mantissa < 1_000_000_000_000_000 && (-22..=7).contains(&number.exponent) {
            let m = number.mantissa as f64;
            return Scanned::Comparable(key(if number.exponent < 0 {
                m / POWERS[-number.exponent as usize]
            } else {
                m * POWERS[number.exponent as usize]
            }));
        }
        if (-18..0).contains(&number.exponent)
            && let Some((value, shortest)) = many_digits(number.mantissa, -number.exponent as usize)
        {
            return if shortest { Scanned::Comparable(key(value)) } else { Scanned::Not };
        }
    }
    match std::str::from_utf8(text).ok().and_then(|t| t.parse::<f64>().ok()) {
        Some(value) if value.is_finite() => Scanned::Near(key_of(value)),
        _ => Scanned::Not,
    }
}

/// The double nearest to `mantissa / 10^places` and whether that decimal is the shortest one of the double; `None` when
/// another way has to find out. The mantissa has 16 or 17 digits, the last of which is not zero.
///
/// Everything is measured from the double `m * 2^-shift` in multiples of `10^-places / 2^(shift + 1)`: the decimal, the
/// borders halfway to the double's neighbours, the decimal's own neighbours. The large terms cancel, so 64 bits that wrap
/// hold the differences, which are below 2^63. The decimal is the shortest when no decimal of fewer digits (a multiple of
/// ten in the last place) lies within the borders and neither neighbour in the last place is nearer.
fn many_digits(mantissa: u64, places: usize) -> Option<(f64, bool)> {
    const HIDDEN: u64 = 1 << 52;
    // Within two units in the last place: two roundings, the power is exact.
    let bits = (mantissa as f64 / POWERS[places]).to_bits();
    let shift = 1075 - (bits >> 52) as i64;
    if !(0..=58).contains(&shift) {
        return None;
    }
    let power = *POWERS_U64.get(places)?;
    let mut m = bits & (HIDDEN - 1) | HIDDEN;
    let mut away = (mantissa << (shift + 1)).wrapping_sub((2 * m).wrapping_mul(power)) as i64;
    let (border, unit) = (power as i64, 1i64 << (shift + 1));
    while away.abs() > border {
        if away < 0 {
            m -= 1
        } else {
            m += 1
        }
        away -= 2 * border * away.signum();
    }
    // At a power of two the doubles below are denser; on a border the even neighbour counts.
    if m <= HIDDEN || m >= 2 * HIDDEN || away.abs() == border {
        return None;
    }
    let value = f64::from_bits(((1075 - shift) as u64) << 52 | m & (HIDDEN - 1));
    let last = (mantissa % 10) as i64;
    let (below, above) = (away - last * unit, away + (10 - last) * unit);
    let nearer = (away.abs() - unit).abs();
    if below == -border || above == border || nearer == away.abs() {
        return None;
    }
    Some((value, below < -border && above > border && away.abs() < nearer))
}

/// The key of a number's text if it is comparable. The text must be a valid JSON number (see [`valid_len`]).
pub fn comparable(text: &[u8]) -> Option<u64> {
    match scan(text) {
        Scanned::Comparable(key) => Some(key),
        Scanned::Near(key) => is_shortest(text, key).then_some(key),
        Scanned::Not => None,
    }
}

/// Whether a number's text, read as `Near(key)`, is the shortest decimal of that double.
#[cold]
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
        for round in 0..600_000 {
            let text = match round % 6 {
                0 => format!("{}{}", next(1000), if next(2) == 0 { "0".repeat(next(25) as usize) } else { String::new() }),
                1 => {
                    let (most, w) = (10u64.pow(1 + next(17) as u32), 1 + next(19) as usize);
                    format!("-{}.{:0w$}", next(200), next(most))
                }
                2 => format!("{}e{}", next(u64::MAX), next(660) as i64 - 340),
                // 16 and 17 digits around the shortest text of a double, and around powers of two.
                3 | 4 => {
                    let power = 2f64.powi(next(70) as i32 - 14);
                    let value = if round % 4 == 3 { power * (1.0 + next(1 << 53) as f64 / (1u64 << 53) as f64) } else { power };
                    let value = f64::from_bits(value.to_bits() + next(7) - 3);
                    let places = 14 + next(3) as usize;
                    let text = format!("{value:.places$e}");
                    let (digits, exponent) = text.split_once('e').unwrap();
                    let digits: u64 = digits.replace('.', "").parse().unwrap();
                    format!("{}e{}", digits + next(5) - 2, exponent.parse::<i64>().unwrap() - places as i64)
                }
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
