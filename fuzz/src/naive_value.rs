//! Values as the naive matcher sees them: numbers, addresses, case and wildcards, straight from sections 4 to 7 of the
//! specification. Relies on std alone; must never use the core, which is compared with it.

/// A number that is finite and whose text has the value of the shortest decimal of its double.
pub fn comparable(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    (value.is_finite() && decimal(text) == decimal(&format!("{value:e}"))).then_some(value)
}

/// Two numbers are the same when both are comparable and equal, or when their texts are identical.
pub fn same_number(a: &str, b: &str) -> bool {
    a == b || comparable(a).is_some_and(|a| comparable(b) == Some(a))
}

/// The value of a number's text: sign, digits without zeros at the ends, power of ten of the last digit.
fn decimal(text: &str) -> (bool, String, i128) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let trimmed = digits.trim_end_matches('0');
    if trimmed.trim_start_matches('0').is_empty() {
        return (false, String::new(), 0);
    }
    // An exponent that no i128 holds belongs to no finite double but zero, which was answered above.
    let exponent: i128 = exponent.parse().unwrap_or(i128::MAX / 2);
    (negative, trimmed.trim_start_matches('0').into(), exponent - fraction.len() as i128 + (digits.len() - trimmed.len()) as i128)
}

/// An address: whether it is IPv6, and its bits.
pub fn ip(text: &str) -> Option<(bool, u128)> {
    if text.contains(':') {
        // std refuses extra leading zeros in a group, so they go first; a zone or a dotted tail is no address here.
        if !text.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') {
            return None;
        }
        let groups: Vec<String> = text
            .split(':')
            .map(|g| match g.trim_start_matches('0') {
                "" if !g.is_empty() => "0".into(),
                rest => rest.into(),
            })
            .collect();
        return groups.join(":").parse::<std::net::Ipv6Addr>().ok().map(|a| (true, a.to_bits()));
    }
    let parts: Option<Vec<u128>> =
        text.split('.').map(|p| if p.bytes().all(|b| b.is_ascii_digit()) { p.parse().ok().filter(|v| *v < 256) } else { None }).collect();
    let parts = parts.filter(|parts| parts.len() == 4 && text.len() <= 15)?;
    Some((false, parts.iter().fold(0, |bits, part| bits << 8 | part)))
}

/// Whether the text is an address of the block `address/bits`.
pub fn in_block(text: &str, block: &str) -> bool {
    let Some((base, bits)) = block.split_once('/').and_then(|(a, b)| Some((ip(a)?, b.parse::<u32>().ok()?))) else {
        return false;
    };
    let width = if base.0 { 128 } else { 32 };
    ip(text).is_some_and(|(v6, address)| v6 == base.0 && (bits == 0 || (address ^ base.1) >> (width - bits) == 0))
}

/// Event character `e` meets pattern character `p`: itself, its one-character lower case or upper case.
fn meets(e: char, p: char) -> bool {
    let one = |mut cased: Box<dyn Iterator<Item = char>>| cased.next().filter(|_| cased.next().is_none());
    e == p || one(Box::new(p.to_lowercase())) == Some(e) || one(Box::new(p.to_uppercase())) == Some(e)
}

/// Whether the event's text `t` equals `p` without regard to case.
pub fn equals_ignoring_case(t: &str, p: &str) -> bool {
    t.chars().count() == p.chars().count() && starts_ignoring_case(t, p)
}

/// Whether the event's text `t` starts with `p` without regard to case.
pub fn starts_ignoring_case(t: &str, p: &str) -> bool {
    let mut event = t.chars();
    p.chars().all(|p| event.next().is_some_and(|e| meets(e, p)))
}

/// Whether the event's text `t` ends with `p` without regard to case.
pub fn ends_ignoring_case(t: &str, p: &str) -> bool {
    let mut event = t.chars().rev();
    p.chars().rev().all(|p| event.next().is_some_and(|e| meets(e, p)))
}

/// Whether the wildcard `w` (stars, escapes `\*` and `\\`) accepts the whole text.
pub fn wildcard(text: &str, w: &str) -> bool {
    // None is a star. The row says after how many of the pattern's tokens the text read so far may stand.
    let mut tokens: Vec<Option<char>> = Vec::new();
    let mut chars = w.chars();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => None,
            '\\' => chars.next(),
            c => Some(c),
        });
    }
    let mut row = vec![false; tokens.len() + 1];
    row[0] = true;
    let skip_stars = |row: &mut Vec<bool>| {
        for (i, token) in tokens.iter().enumerate() {
            row[i + 1] |= row[i] && token.is_none();
        }
    };
    skip_stars(&mut row);
    for c in text.chars() {
        let mut next = vec![false; row.len()];
        for (i, token) in tokens.iter().enumerate() {
            match token {
                None => next[i + 1] |= row[i + 1] || row[i],
                Some(t) => next[i + 1] |= row[i] && *t == c,
            }
        }
        row = next;
        skip_stars(&mut row);
    }
    row[tokens.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert!(same_number("300", "3.0e2") && same_number("0", "-0.0") && same_number("2e23", "2.0e23"));
        assert!(!same_number("0.1", "0.10000000000000001") && same_number("1e400", "1e400") && !same_number("1e400", "1e401"));
        assert!(comparable("72057594037927936").is_none() && comparable("1e-400").is_none() && comparable("5e-324").is_some());
    }

    #[test]
    fn addresses() {
        assert_eq!(ip("010.0.0.1"), ip("10.0.0.1"));
        assert_eq!(ip("02001:DB8::1"), ip("2001:db8:0:0:0:0:0:1"));
        for none in ["256.1.1.1", "1.2.3", "::ffff:10.0.0.1", "1:2:3:4:5:6:7::8:9", "", "x", "0000000010.0.0.1", "+1.0.0.0"] {
            assert_eq!(ip(none), None, "{none}");
        }
        assert!(in_block("10.0.0.1", "10.0.0.77/24") && !in_block("2001:db8::1", "0.0.0.0/0"));
    }

    #[test]
    fn wildcards_and_case() {
        for (t, w, expected) in [
            ("", "*", true),
            ("aba", "ab*ba", false),
            ("a\nc", "a*c", true),
            ("a*b", r"a\*b", true),
            ("axb", r"a\*b", false),
            ("x*y", r"*\**", true),
            ("", "", true),
            ("x", "", false),
        ] {
            assert_eq!(wildcard(t, w), expected, "{w} on {t}");
        }
        assert!(equals_ignoring_case("k", "\u{212a}") && !equals_ignoring_case("\u{212a}", "k") && !equals_ignoring_case("SS", "ß"));
        assert!(ends_ignoring_case("xȺ", "ⱥ") && starts_ignoring_case("ABc", "ab"));
    }
}
