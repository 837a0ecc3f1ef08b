//! Instructions that Rust has no word for: memory to be read ahead, several numbers compared at once.

/// Has an entry of a table read ahead, so that it is there when it is looked at a little later. A hint: nothing depends on
/// it, and the table may be shorter.
#[inline(always)]
pub fn expect<T>(table: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction reads nothing that the program could see and faults at no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(table.as_ptr().wrapping_add(at).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (table, at);
}

/// A bit for each of the numbers that is the wanted one.
#[inline(always)]
pub fn places_of(wanted: u32, numbers: &[u32; 8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_castsi128_ps, _mm_cmpeq_epi32, _mm_movemask_ps, _mm_set_epi32, _mm_set1_epi32};
        let [a, b, c, d, e, f, g, h] = numbers.map(|number| number as i32);
        // SAFETY: every x86-64 has SSE2, and no address is involved.
        unsafe {
            let wanted = _mm_set1_epi32(wanted as i32);
            let first = _mm_castsi128_ps(_mm_cmpeq_epi32(_mm_set_epi32(d, c, b, a), wanted));
            let last = _mm_castsi128_ps(_mm_cmpeq_epi32(_mm_set_epi32(h, g, f, e), wanted));
            (_mm_movemask_ps(first) | _mm_movemask_ps(last) << 4) as u32
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    numbers.iter().enumerate().fold(0, |bits, (n, number)| bits | u32::from(*number == wanted) << n)
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_place_has_its_bit() {
        for bits in 0..256u32 {
            let numbers = std::array::from_fn(|n| if bits >> n & 1 != 0 { u32::MAX } else { n as u32 });
            assert_eq!(super::places_of(u32::MAX, &numbers), bits);
        }
    }
}
