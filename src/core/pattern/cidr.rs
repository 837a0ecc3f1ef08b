//! `cidr`: an address, a slash and the number of leading bits that count.
//! SOURCE: specification, section 5; the slash and the number are read as Java's `split` and `parseInt` read them.

use super::{
    catalogue as code,
    cursor::{Cursor, Kind, Value},
    fault::{Fault, Parsed, fault, lossy, shown},
    matcher::wrong,
};
use crate::value::ip::{Cidr, Ip};

/// Reads the argument of cidr.
pub(super) fn parse(c: &mut Cursor<'_>, v: Value) -> Parsed<Cidr> {
    if v.kind != Kind::String {
        // "prefix" is AWS's own slip.
        return Err(wrong(c, v, code::CIDR_NOT_A_STRING, "the argument of cidr", "prefix match pattern must be a string"));
    }
    let s = c.string()?;
    let text = c.borrowed(s);
    let refuse = |code, what: String, aws: String| -> Box<Fault> { fault(code, s.start - 1, s.end + 1, what, aws) };

    // Trailing empty parts do not count: "10.0.0.0/8/" is one slash.
    let mut end = text.len();
    while end > 0 && text[end - 1] == b'/' && text.contains(&b'/') {
        end -= 1;
    }
    let mut parts = text[..end].split(|b| *b == b'/');
    let (address, bits) = match (parts.next(), parts.next(), parts.next()) {
        (Some(address), Some(bits), None) => (address, bits),
        _ => {
            let out =
                refuse(code::CIDR_FORM, format!("{} is not address/bits", shown(&text)), "Malformed CIDR, one '/' required".to_owned());
            return Err(match Ip::parse(&text) {
                Some(_) => out.expecting(format!("a plain string for one address: [{}]", shown(&text))),
                None => out,
            });
        }
    };
    let Some(bits) = integer(bits) else {
        let what = format!("{} is not a number of bits", shown(bits));
        return Err(refuse(code::CIDR_BITS, what, "Malformed CIDR, mask bits must be an integer".to_owned()));
    };
    if bits < 0 {
        return Err(refuse(code::CIDR_BITS, format!("{bits} bits"), "Malformed CIDR, mask bits must not be negative".to_owned()));
    }
    let Some(ip) = Ip::parse(address) else {
        let aws = if has_the_form(address) { "Invalid" } else { "Nonstandard" };
        let what = format!("{} is not an IP address", shown(address));
        return Err(refuse(code::CIDR_ADDRESS, what, format!("{aws} IP address: {}", lossy(address))));
    };
    let (family, width) = if ip.v6 { ("IPv6", 128) } else { ("IPv4", 32) };
    if bits >= width {
        let out = refuse(code::CIDR_RANGE, format!("{bits} bits of an {family} address"), format!("{family} mask bits must be < {width}"));
        return Err(out.expecting(format!("0 to {} bits; for one address write it as a plain string: [{}]", width - 1, shown(address))));
    }
    Ok(Cidr::new(ip, bits as u8))
}

/// Java's `Integer.parseInt` for ASCII digits.
fn integer(text: &[u8]) -> Option<i32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether a text that is no address at least looks like one: AWS words the two differently.
fn has_the_form(text: &[u8]) -> bool {
    let parts: Vec<&[u8]> = text.split(|b| *b == b'.').collect();
    let v4 = parts.len() == 4 && parts.iter().all(|p| !p.is_empty() && p.iter().all(u8::is_ascii_digit));
    let v6 = text.contains(&b':') && text.iter().all(|b| *b == b':' || b.is_ascii_hexdigit());
    v4 || v6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_read_as_java_reads_them() {
        assert_eq!(integer(b"+8"), Some(8));
        assert_eq!(integer(b"08"), Some(8));
        assert_eq!(integer(b"-0"), Some(0));
        for bad in ["", "+", "8 ", "64filter", "2147483648", "0x8"] {
            assert_eq!(integer(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn what_looks_like_an_address() {
        assert!(has_the_form(b"256.0.0.0") && has_the_form(b"1:::2") && has_the_form(b":"));
        assert!(!has_the_form(b"10.0.0") && !has_the_form(b"::g") && !has_the_form(b"") && !has_the_form(b"a.b.c.d"));
    }
}
