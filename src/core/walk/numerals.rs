//! Numbers within the walk: where they end, told by a bitmap of digits, and whether they make a difference, told by the
//! sieve of their path (see `value::sieve`).
//!
//! INVARIANT: positions as in `cursor`. A number that is left out has one before it, on the same path and in the same
//! elements of arrays, that meets all it meets.

use super::blocks::Isa;
use super::cursor::{Stop, Walker};
use super::state::{ANY_LEN, NO_LEN, Numeral, Place};
use crate::value::{
    number::comparable,
    sieve::{Near, glance, truncated},
};

/// The form of a number.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub len: usize,
    /// Digits before the point, at most 7, and after it, if the number can be sieved; else 0.
    pub whole: usize,
    pub part: usize,
}

impl<I: Isa, const LEVEL: u8> Walker<'_, I, LEVEL> {
    /// Whether a number makes no difference, see `walk_sieved`.
    #[inline(always)]
    pub(super) fn sifts(&mut self, place: Place, trail: u32, start: usize, form: Form) -> bool {
        let Some(n) = self.sieves.of(place.node) else { return false };
        let passed = &mut self.passed[n];
        if passed.serial != self.started || passed.trail != trail {
            (passed.serial, passed.trail, passed.fresh) = (self.started, trail, true);
            // Field by field: a copy of the whole would wait for its parts.
            passed.first.start = start as u32;
            passed.first.len = form.len as u32;
            passed.first.whole = form.whole as u32;
            passed.first.part = form.part as u32;
            passed.len = NO_LEN;
            return false;
        }
        // So many values are refused whether or not they make a difference.
        if self.out.leaves.len() + self.sifted >= self.max_leaves {
            return false;
        }
        let Some(bytes) = window(self.text, start) else { return false };
        let alike = (head(bytes) ^ passed.head) & passed.mask == 0 && (passed.len == ANY_LEN || passed.len == form.len as u32);
        alike || self.passes(n, start as u32, form.len as u32, form.whole as u32, form.part as u32)
    }

    /// The same for a number of which the first digits do not tell.
    #[inline(never)]
    fn passes(&mut self, n: usize, start: u32, len: u32, whole: u32, part: u32) -> bool {
        let passed = &mut self.passed[n];
        if passed.fresh {
            (passed.fresh, passed.last, passed.classes, passed.open) = (false, Near::default(), 0, None);
            let first = passed.first;
            self.judges(n, first);
        }
        self.judges(n, Numeral { start, len, whole, part })
    }

    fn judges(&mut self, n: usize, number: Numeral) -> bool {
        let Some(bytes) = window(self.text, number.start as usize) else { return false };
        let (negative, whole, part) = (bytes[0] == b'-', number.whole as usize, number.part as usize);
        let near = glance(bytes, negative, whole, part);
        let passed = &mut self.passed[n];
        if passed.last.holds(near) {
            return true;
        }
        let Some(class) = self.sieves.get(n).class(near) else { return false };
        let bit = 1u64 << class.number;
        let mut needless = passed.classes & bit != 0;
        // A number that is not comparable is in no range; up to 8 digits after the point and 7 before it are comparable.
        let mut decided = needless || part <= 8 || !class.ranged;
        if !decided {
            needless = passed.open.is_some_and(|(open, other)| {
                open == class.number && comparable(&self.text[other.start as usize..][..other.len as usize]).is_some()
            });
            decided = needless;
            passed.open = Some((class.number, number));
        }
        if decided {
            passed.classes |= bit;
            passed.head = head(bytes);
            if class.is_point() {
                // The same text once more.
                (passed.len, passed.mask) = if number.len <= 8 { (number.len, !0 >> (64 - 8 * number.len)) } else { (NO_LEN, 0) };
                return needless;
            }
            passed.last = class.bounds;
            // Few digits that tell the class, or as many as there is room for: what begins with them is of the class, too.
            let point = negative as usize + whole;
            let most = part.min(7usize.saturating_sub(point));
            let mask = |part: usize| !0u64 >> (64 - 8 * (point + 1 + part));
            let tells = |part: &usize| class.bounds.holds(truncated(near, negative, *part));
            let found = [most.min(2), most].into_iter().filter(|part| *part > 0).find(tells).map(mask);
            (passed.len, passed.mask) = found.map_or((NO_LEN, 0), |mask| (ANY_LEN, mask));
        }
        needless
    }

    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    pub(super) unsafe fn number(&self, start: usize) -> Result<Form, Stop> {
        let slow = || {
            // SAFETY: passed on to the caller.
            let end = unsafe { self.number_end(start) }?;
            Ok(Form { len: end - start, whole: 0, part: 0 })
        };
        let Some(bytes) = window(self.text, start) else { return slow() };
        // SAFETY: the caller vouches for `I`.
        let digits = unsafe { I::digits(bytes) } as u64;
        let sign = (bytes[0] == b'-') as usize;
        let whole = (digits >> sign).trailing_ones() as usize;
        let mut len = sign + whole;
        if whole == 0 || whole > 1 && bytes[sign] == b'0' {
            return Err(Stop::Refused);
        }
        let mut part = 0;
        if len < 31 && bytes[len] == b'.' {
            part = (digits >> (len + 1)).trailing_ones() as usize;
            if part == 0 {
                return Err(Stop::Refused);
            }
            len += 1 + part;
        }
        // An exponent, or longer than the eye reaches.
        if len >= 31 || bytes[len] | 0x20 == b'e' {
            return slow();
        }
        Ok(Form { len, whole: if whole <= 7 { whole } else { 0 }, part })
    }

    /// # Safety
    /// `p <= last`.
    #[cold]
    unsafe fn number_end(&self, mut p: usize) -> Result<usize, Stop> {
        // SAFETY: only digits, signs, points and the letter e are passed, none of which is the last byte.
        unsafe {
            p += (self.at(p) == b'-') as usize;
            if self.at(p) == b'0' {
                p += 1;
            } else {
                p = self.digits(p)?;
            }
            if self.at(p) == b'.' {
                p = self.digits(p + 1)?;
            }
            if self.at(p) | 0x20 == b'e' {
                p += 1;
                p += matches!(self.at(p), b'+' | b'-') as usize;
                p = self.digits(p)?;
            }
            Ok(p)
        }
    }

    /// At least one digit.
    ///
    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    unsafe fn digits(&self, start: usize) -> Result<usize, Stop> {
        let mut p = start;
        // SAFETY: a digit is not the last byte.
        while unsafe { self.at(p) }.is_ascii_digit() {
            p += 1;
        }
        if p > start { Ok(p) } else { Err(Stop::Refused) }
    }
}

/// The 32 bytes from a position on, if there are so many.
#[inline(always)]
fn window(text: &[u8], at: usize) -> Option<&[u8; 32]> {
    text.get(at..at + 32)?.first_chunk()
}

/// The first eight of them.
#[inline(always)]
fn head(bytes: &[u8; 32]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("thirty-two bytes"))
}
