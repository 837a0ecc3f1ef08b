//! IP addresses as the language reads them, and CIDR blocks. Nothing is ever looked up.
//!
//! SOURCE: specification, section 5. IPv4: four decimal parts 0..=255, leading zeros allowed and decimal, at most
//! 15 characters. IPv6: hexadecimal groups with at most one `::`, extra leading zeros allowed, no zone, no dotted
//! tail. DIFFERS: an IPv4-mapped address in hex stays IPv6.

/// An address: the family and its bits in the low end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ip {
    /// True for IPv6.
    pub v6: bool,
    /// The 32 or 128 bits.
    pub bits: u128,
}

impl Ip {
    /// Parses an address, or says that it is none.
    #[inline]
    pub fn parse(text: &[u8]) -> Option<Ip> {
        match text.first()? {
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':' => {}
            _ => return None,
        }
        if let Some(ip) = Self::parse_v4(text) {
            return Some(ip);
        }
        if text.contains(&b':') { Self::parse_v6(text) } else { None }
    }

    #[inline]
    fn parse_v4(text: &[u8]) -> Option<Ip> {
        if text.len() > 15 {
            return None;
        }
        let (mut bits, mut part, mut digits, mut parts) = (0, 0, 0, 1);
        for b in text {
            let d = b.wrapping_sub(b'0');
            if d <= 9 {
                part = part * 10 + u32::from(d);
                digits += 1;
                if part > 255 {
                    return None;
                }
            } else if *b == b'.' && digits > 0 && parts < 4 {
                (bits, part, digits, parts) = (bits << 8 | part, 0, 0, parts + 1);
            } else {
                return None;
            }
        }
        (parts == 4 && digits > 0).then_some(Ip { v6: false, bits: u128::from(bits << 8 | part) })
    }

    fn parse_v6(text: &[u8]) -> Option<Ip> {
        let groups = |t: &[u8]| -> Option<(u128, u32)> {
            if t.is_empty() {
                return Some((0, 0));
            }
            let (mut bits, mut n) = (0u128, 0u32);
            for g in t.split(|b| *b == b':') {
                if g.is_empty() || n == 8 {
                    return None;
                }
                let mut v = 0u32;
                for b in g {
                    v = v << 4 | (*b as char).to_digit(16)?;
                    if v > 0xffff {
                        return None;
                    }
                }
                bits = bits << 16 | v as u128;
                n += 1;
            }
            Some((bits, n))
        };
        if !text.iter().all(|b| b.is_ascii_hexdigit() || *b == b':') {
            return None;
        }
        match text.windows(2).position(|w| w == b"::") {
            Some(i) => {
                let ((head, n), (tail, m)) = (groups(&text[..i])?, groups(&text[i + 2..])?);
                // "::" stands for at least one group.
                (n + m <= 7).then(|| Ip { v6: true, bits: if n == 0 { tail } else { head << (128 - 16 * n) | tail } })
            }
            None => groups(text).filter(|(_, n)| *n == 8).map(|(bits, _)| Ip { v6: true, bits }),
        }
    }

    /// The address as 17 bytes: family, then the bits, big end first, aligned to the left.
    #[inline]
    pub fn bytes(&self) -> [u8; 17] {
        let mut out = [self.v6 as u8; 17];
        out[1..].copy_from_slice(&self.left().to_be_bytes());
        out
    }

    /// The bits aligned to the left of 128.
    #[inline]
    pub fn left(&self) -> u128 {
        if self.v6 { self.bits } else { self.bits << 96 }
    }
}

/// A block of addresses: those whose first `len` bits equal `base`'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    /// True for IPv6.
    pub v6: bool,
    /// First address, left-aligned, host bits zero.
    pub base: u128,
    /// Length of the prefix in bits.
    pub len: u8,
}

impl Cidr {
    /// The block of `len` bits around an address; host bits are ignored.
    pub fn new(ip: Ip, len: u8) -> Cidr {
        Cidr { v6: ip.v6, base: ip.left() & Self::mask(len), len }
    }

    /// A mask of `len` one bits from the left.
    #[inline]
    pub fn mask(len: u8) -> u128 {
        if len == 0 { 0 } else { !0 << (128 - len as u32) }
    }

    /// Whether the address lies in the block.
    #[inline]
    pub fn contains(&self, ip: Ip) -> bool {
        self.v6 == ip.v6 && ip.left() & Self::mask(self.len) == self.base
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(t: &str) -> Option<Ip> {
        Ip::parse(t.as_bytes())
    }

    #[test]
    fn forms_of_an_address() {
        assert_eq!(ip("10.0.0.1"), ip("010.000.0.1"));
        assert_eq!(ip("2001:DB8::1"), ip("2001:0db8:0:0:0:0:0:1"));
        assert_eq!(ip("2001:db8::1"), ip("02001:db8::1"));
        assert!(ip("::").is_some() && ip("1::").is_some() && ip("::1").is_some());
        assert_ne!(ip("::ffff:a00:1"), ip("10.0.0.1"));
        for bad in [
            "256.1.1.1",
            "0000000010.0.0.1",
            "1.2.3",
            "1.2.3.4.5",
            "1..2.3",
            "::ffff:10.0.0.1",
            "1:2:3:4:5:6:7::8:9",
            "1::2::3",
            "12345::",
            "fe80::1%eth0",
            "",
            "x",
            "1:2:3:4:5:6:7",
            ":1",
            "1:2:3:4:5:6:7:8:9",
            "10.0.0.1 ",
        ] {
            assert_eq!(ip(bad), None, "{bad}");
        }
        assert!(ip("1:2:3:4:5:6:7::").is_some() && ip("1:2:3:4:5:6:7:8").is_some() && ip("1:2:3:4:5:6:7::8").is_none());
    }

    #[test]
    fn blocks() {
        let c = Cidr::new(ip("10.0.0.77").unwrap(), 24);
        assert!(c.contains(ip("10.0.0.1").unwrap()) && !c.contains(ip("10.0.1.1").unwrap()) && !c.contains(ip("::a00:1").unwrap()));
        assert!(Cidr::new(ip("0.0.0.0").unwrap(), 0).contains(ip("9.9.9.9").unwrap()));
        assert!(!Cidr::new(ip("0.0.0.0").unwrap(), 0).contains(ip("2001:db8::1").unwrap()));
    }
}
