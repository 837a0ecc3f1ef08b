//! Short texts compared without a call: most of what rules ask for has at most 32 bytes, and a call of the general
//! comparison costs more than two looks at each text.

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
}
