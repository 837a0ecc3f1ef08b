//! String escapes. A JSON string may name any UTF-16 unit, also a lone surrogate, so unescaped text is WTF-8:
//! UTF-8 in which a lone surrogate takes three bytes. Two texts are equal as strings exactly when their bytes are.

/// Appends the unescaped form of the text between two quotes to `out`; `Err(offset)` names a bad escape.
/// Raw bytes are copied as they stand; that they are UTF-8 without control characters is the caller's business.
pub fn unescape_into(raw: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
    let mut i = 0;
    while i < raw.len() {
        let run = memchr::memchr(b'\\', &raw[i..]).unwrap_or(raw.len() - i);
        out.extend_from_slice(&raw[i..i + run]);
        i += run;
        if i == raw.len() {
            break;
        }
        let plain = match raw.get(i + 1) {
            Some(b'"') => b'"',
            Some(b'\\') => b'\\',
            Some(b'/') => b'/',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let mut unit = hex4(raw, i + 2).ok_or(i)? as u32;
                let start = i;
                i += 6;
                if (0xd800..0xdc00).contains(&unit) && raw.get(i) == Some(&b'\\') && raw.get(i + 1) == Some(&b'u') {
                    let low = hex4(raw, i + 2).ok_or(i)? as u32;
                    if (0xdc00..0xe000).contains(&low) {
                        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        i += 6;
                    }
                }
                debug_assert!(i > start);
                push_code(unit, out);
                continue;
            }
            _ => return Err(i),
        };
        out.push(plain);
        i += 2;
    }
    Ok(())
}

fn hex4(raw: &[u8], at: usize) -> Option<u16> {
    raw.get(at..at + 4)?.iter().try_fold(0u16, |v, b| Some(v << 4 | (*b as char).to_digit(16)? as u16))
}

fn push_code(code: u32, out: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend_from_slice(&[0xe0 | (code >> 12) as u8, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8]),
    }
}

/// Appends `text` (WTF-8) as a JSON string with quotes; lone surrogates and control characters are escaped.
pub fn escape_into(text: &[u8], out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    let mut rest = text;
    while !rest.is_empty() {
        let (c, n) = crate::value::fold::next_char(rest);
        match c {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(c) if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            Some(c) => out.push(c),
            None => {
                let code = rest[..n].iter().skip(1).fold((rest[0] & 0x0f) as u32, |c, x| c << 6 | (x & 0x3f) as u32);
                let _ = write!(out, "\\u{code:04x}");
            }
        }
        rest = &rest[n..];
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let un = |s: &str| {
            let mut o = vec![];
            unescape_into(s.as_bytes(), &mut o).map(|_| o)
        };
        assert_eq!(un(r"A\/\u0042\n\t\\\u00e9").unwrap(), "A/B\n\t\\é".as_bytes());
        assert_eq!(un(r"\ud83d\ude00").unwrap(), "😀".as_bytes());
        assert_eq!(un(r"\ud83dx").unwrap(), b"\xed\xa0\xbdx");
        assert_eq!(un(r"\udc00\ud800\ud83d\ude00").unwrap(), b"\xed\xb0\x80\xed\xa0\x80\xf0\x9f\x98\x80");
        for bad in [r"\x", r"\u12", r"\u12g4", "\\", r"\ud800\u00"] {
            assert!(un(bad).is_err(), "{bad}");
        }
        let mut s = String::new();
        escape_into(b"a\"\\\n\x01\xed\xa0\x80\xc3\xa9", &mut s);
        assert_eq!(s, "\"a\\\"\\\\\\n\\u0001\\ud800é\"");
    }
}
