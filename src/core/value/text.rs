//! Short texts compared, or their letters made small, without a call: most of what rules ask for has at most 32 bytes, and a
//! call of the general comparison costs more than two looks at each text.

/// Whether two texts are equal.
#[inline(always)]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let n = a.len();
    match n {
        8..=16 => a.first_chunk::<8>() == b.first_chunk() && a.last_chunk::<8>() == b.last_chunk(),
        4..8 => a.first_chunk::<4>() == b.first_chunk() && a.last_chunk::<4>() == b.last_chunk(),
        17..=32 => a.first_chunk::<16>() == b.first_chunk() && a.last_chunk::<16>() == b.last_chunk(),
        1..4 => a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1],
        _ => a == b,
    }
}

/// Eight bytes of a text, or all of a shorter one, some of them perhaps more than once.
#[inline(always)]
fn word(text: &[u8]) -> u64 {
    if let Some(bytes) = text.first_chunk() {
        u64::from_le_bytes(*bytes)
    } else if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
    } else {
        text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
    }
}

/// The first eight bytes of a text, the first one lowest; of a shorter one all, and zeros.
#[inline(always)]
pub fn first_word(text: &[u8]) -> u64 {
    let n = text.len();
    if let Some(bytes) = text.first_chunk() {
        u64::from_le_bytes(*bytes)
    } else if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (8 * (n - 4))
    } else if n > 0 {
        u64::from(text[0]) | u64::from(text[n / 2]) << (8 * (n / 2)) | u64::from(text[n - 1]) << (8 * (n - 1))
    } else {
        0
    }
}

/// The last eight bytes of a text, the last one highest; of a shorter one zeros, and all.
#[inline(always)]
pub fn last_word(text: &[u8]) -> u64 {
    match text.last_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None if text.is_empty() => 0,
        None => first_word(text) << (64 - 8 * text.len()),
    }
}

/// A byte eight times.
const fn each(byte: u8) -> u64 {
    0x0101_0101_0101_0101 * byte as u64
}

/// Makes ASCII letters small, as far as all is ASCII; says whether it is.
#[inline]
pub fn lower_ascii(text: &mut [u8]) -> bool {
    let (words, rest) = text.as_chunks_mut::<8>();
    let mut all = 0;
    for bytes in words {
        let word = u64::from_le_bytes(*bytes);
        all |= word;
        // Of bytes below 0x80 these sums stay within their bytes.
        let large = word.wrapping_add(each(0x80 - b'A')) & !word.wrapping_add(each(0x7f - b'Z')) & each(0x80);
        *bytes = (word | large >> 2).to_le_bytes();
        if all & each(0x80) != 0 {
            return false;
        }
    }
    for byte in rest {
        all |= u64::from(*byte);
        byte.make_ascii_lowercase();
    }
    all & each(0x80) == 0
}

/// Whether two texts are equal but for the case of ASCII letters.
#[inline]
pub fn same_in_any_case(a: &[u8], b: &[u8]) -> bool {
    const CASE: u64 = each(0x20);
    const SEVEN: u64 = each(0x7f);
    const HIGH: u64 = each(0x80);
    const BELOW_A: u64 = each(0x80 - b'a');
    const ABOVE_Z: u64 = each(0x7f - b'z');
    let same = |a: u64, b: u64| {
        let different = a ^ b;
        // The bytes may differ in the bit that makes the case, where they are letters.
        let lower = (a | CASE) & SEVEN;
        let letters = (lower + BELOW_A) & !(lower + ABOVE_Z) & !a & HIGH;
        different & !CASE == 0 && (different << 2) & !letters == 0
    };
    if a.len() != b.len() {
        return false;
    }
    let whole = a.len() & !7;
    let (steps_of_a, steps_of_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    steps_of_a.iter().zip(steps_of_b).all(|(a, b)| same(u64::from_le_bytes(*a), u64::from_le_bytes(*b)))
        && same(word(&a[whole..]), word(&b[whole..]))
}

/// Whether a text begins with another.
#[inline(always)]
pub fn begins(text: &[u8], with: &[u8]) -> bool {
    text.get(..with.len()).is_some_and(|start| same(start, with))
}

/// Whether a text ends with another.
#[inline(always)]
pub fn ends(text: &[u8], with: &[u8]) -> bool {
    text.len().checked_sub(with.len()).is_some_and(|at| same(&text[at..], with))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_letters_are_those_of_ascii() {
        let all: Vec<u8> = (0..=255).collect();
        for len in 0..40 {
            for part in all.windows(len.max(1)).map(|part| &part[..len]) {
                let mut small = part.to_vec();
                assert_eq!(lower_ascii(&mut small), part.is_ascii());
                assert!(!part.is_ascii() || small == part.to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn case_is_that_of_ascii_letters() {
        // Every pair of bytes, at every place of a word and beyond it.
        for a in 0..=255u8 {
            for b in 0..=255u8 {
                for len in [1, 2, 3, 4, 6, 7, 8, 9, 11, 13, 17] {
                    let at = (a as usize * 7 + b as usize) % len;
                    let (mut left, mut right) = (vec![b'q'; len], vec![b'Q'; len]);
                    (left[at], right[at]) = (a, b);
                    assert_eq!(same_in_any_case(&left, &right), a.eq_ignore_ascii_case(&b), "{a} {b} {at} of {len}");
                }
            }
        }
        assert!(same_in_any_case(b"", b"") && !same_in_any_case(b"a", b"") && !same_in_any_case(b"abcdefgh", b"abcdefghi"));
    }

    #[test]
    fn equals_the_general_comparison() {
        let text: Vec<u8> = (0..80).collect();
        for len in 0..70 {
            let part = &text[3..3 + len];
            assert!(same(part, part) && begins(&text[3..], part) && ends(&text[..3 + len], part));
            assert!(!begins(&part[..len.saturating_sub(1)], part) || len == 0);
            assert!(!ends(&part[..len.saturating_sub(1)], part) || len == 0);
            for at in 0..len {
                let mut other = part.to_vec();
                other[at] ^= 0x40;
                assert!(!same(part, &other) && !begins(&text[3..], &other) && !ends(&text[..3 + len], &other), "{len} {at}");
            }
        }
        assert!(!same(b"a", b"") && begins(b"abc", b"") && ends(b"abc", b""));
    }

    #[test]
    fn words_hold_the_ends_of_a_text() {
        let text: Vec<u8> = (1..=20).collect();
        for len in 0..=20 {
            let text = &text[..len];
            let (mut first, mut last) = ([0; 8], [0; 8]);
            let n = len.min(8);
            first[..n].copy_from_slice(&text[..n]);
            last[8 - n..].copy_from_slice(&text[len - n..]);
            assert_eq!((first_word(text), last_word(text)), (u64::from_le_bytes(first), u64::from_le_bytes(last)), "{len}");
        }
    }
}
