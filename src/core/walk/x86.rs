//! Stage 1 with the vector instructions of x86-64: AVX2 or AVX-512, and PCLMULQDQ.

use super::blocks::{self, Blocks, Isa, Masks};
use super::dotted;
use super::elements::{self, Member, Run};
use super::skim::{self, Skimmed};
use crate::path::ByteSet;
use std::arch::x86_64::*;

/// Two registers of 32 bytes.
pub struct Avx2;

impl Isa for Avx2 {
    #[inline(always)]
    unsafe fn masks(bytes: &[u8; 64]) -> Masks {
        // SAFETY: the caller vouches for AVX2; both loads lie within the 64 bytes.
        unsafe {
            let low = _mm256_loadu_si256(bytes.as_ptr().cast());
            let high = _mm256_loadu_si256(bytes.as_ptr().add(32).cast());
            let mask = |a: __m256i, b: __m256i| _mm256_movemask_epi8(a) as u32 as u64 | (_mm256_movemask_epi8(b) as u32 as u64) << 32;
            let equal = |a: __m256i, b: __m256i, byte: u8| {
                let wanted = _mm256_set1_epi8(byte as i8);
                mask(_mm256_cmpeq_epi8(a, wanted), _mm256_cmpeq_epi8(b, wanted))
            };
            // '[' and '{', ']' and '}' differ only in 0x20.
            let case = _mm256_set1_epi8(0x20);
            let (low_folded, high_folded) = (_mm256_or_si256(low, case), _mm256_or_si256(high, case));
            let limit = _mm256_set1_epi8(0x1f);
            let below = |a: __m256i| _mm256_cmpeq_epi8(_mm256_min_epu8(a, limit), a);
            Masks {
                quote: equal(low, high, b'"'),
                backslash: equal(low, high, b'\\'),
                open: equal(low_folded, high_folded, b'{'),
                close: equal(low_folded, high_folded, b'}'),
                control: mask(below(low), below(high)),
                dot: equal(low, high, b'.'),
                high: _mm256_movemask_epi8(_mm256_or_si256(low, high)) as u32 as u64,
            }
        }
    }

    #[inline(always)]
    unsafe fn prefix_parity(bits: u64) -> u64 {
        // SAFETY: the caller vouches for PCLMULQDQ.
        unsafe { carryless(bits) }
    }

    #[inline(always)]
    unsafe fn same(bytes: &[u8; 32], token: &[u8; 32], mask: u32) -> bool {
        // SAFETY: the caller vouches for AVX2; both loads take 32 bytes.
        unsafe {
            let equal = _mm256_cmpeq_epi8(_mm256_loadu_si256(bytes.as_ptr().cast()), _mm256_loadu_si256(token.as_ptr().cast()));
            !(_mm256_movemask_epi8(equal) as u32) & mask == 0
        }
    }

    #[inline(always)]
    unsafe fn digits(bytes: &[u8; 32]) -> u32 {
        // SAFETY: the caller vouches for AVX2; the load takes 32 bytes.
        unsafe {
            let value = _mm256_sub_epi8(_mm256_loadu_si256(bytes.as_ptr().cast()), _mm256_set1_epi8(b'0' as i8));
            _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(value, _mm256_set1_epi8(9)), value)) as u32
        }
    }

    #[inline(always)]
    unsafe fn dots(bytes: &[u8; 64], before: &[u8; 64], any: bool) -> u64 {
        let (([low, high], []), ([low_before, high_before], [])) = (bytes.as_chunks::<32>(), before.as_chunks::<32>()) else {
            unreachable!("twice thirty-two bytes")
        };
        // SAFETY: passed on to the caller.
        unsafe { dots(low, low_before, any) as u64 | (dots(high, high_before, any) as u64) << 32 }
    }

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn fill(text: &[u8], blocks: &mut Blocks, until: usize) {
        // SAFETY: passed on to the caller.
        unsafe { blocks::fill::<Self>(text, blocks, until) }
    }

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn replay(text: &[u8], at: usize, members: &[Member], most: usize) -> Option<Run> {
        // SAFETY: passed on to the caller.
        unsafe { elements::replay::<Self>(text, at, members, most) }
    }

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn skim(text: &[u8], quotes: *const u64, start: usize, room: usize) -> Skimmed {
        // SAFETY: passed on to the caller.
        unsafe { skim::skim::<Self>(text, quotes, start, room) }
    }

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn dotted(text: &[u8], from: usize, before: &ByteSet) -> Option<usize> {
        // SAFETY: passed on to the caller.
        unsafe { dotted::dotted::<Self>(text, from, before) }
    }
}

/// Half of `Isa::dots`; no closure, which would not be compiled for the instruction set.
///
/// # Safety
/// The processor must have AVX2.
#[inline(always)]
unsafe fn dots(bytes: &[u8; 32], before: &[u8; 32], any: bool) -> u32 {
    // SAFETY: the caller vouches for AVX2; both loads take 32 bytes.
    unsafe {
        let (value, before) = (_mm256_loadu_si256(bytes.as_ptr().cast()), _mm256_loadu_si256(before.as_ptr().cast()));
        let digit = _mm256_sub_epi8(before, _mm256_set1_epi8(b'0' as i8));
        let behind = _mm256_cmpeq_epi8(_mm256_min_epu8(digit, _mm256_set1_epi8(9)), digit);
        let dot = _mm256_cmpeq_epi8(value, _mm256_set1_epi8(b'.' as i8));
        let dot = if any { dot } else { _mm256_andnot_si256(behind, dot) };
        _mm256_movemask_epi8(_mm256_or_si256(dot, _mm256_cmpeq_epi8(value, _mm256_set1_epi8(b'\\' as i8)))) as u32
    }
}

/// One register of 64 bytes; comparisons answer with a mask at once.
pub struct Avx512;

impl Isa for Avx512 {
    #[inline(always)]
    unsafe fn masks(bytes: &[u8; 64]) -> Masks {
        // SAFETY: the caller vouches for AVX-512F and BW; the load takes 64 bytes.
        unsafe {
            let all = _mm512_loadu_si512(bytes.as_ptr().cast());
            let equal = |value: __m512i, byte: u8| _mm512_cmpeq_epi8_mask(value, _mm512_set1_epi8(byte as i8));
            // '[' and '{', ']' and '}' differ only in 0x20.
            let folded = _mm512_or_si512(all, _mm512_set1_epi8(0x20));
            Masks {
                quote: equal(all, b'"'),
                backslash: equal(all, b'\\'),
                open: equal(folded, b'{'),
                close: equal(folded, b'}'),
                control: _mm512_cmplt_epu8_mask(all, _mm512_set1_epi8(0x20)),
                dot: equal(all, b'.'),
                high: _mm512_movepi8_mask(all),
            }
        }
    }

    #[inline(always)]
    unsafe fn prefix_parity(bits: u64) -> u64 {
        // SAFETY: the caller vouches for PCLMULQDQ.
        unsafe { carryless(bits) }
    }

    #[inline(always)]
    unsafe fn same(bytes: &[u8; 32], token: &[u8; 32], mask: u32) -> bool {
        // SAFETY: the caller vouches for AVX-512BW and VL; both loads take 32 bytes.
        unsafe {
            let (a, b) = (_mm256_loadu_si256(bytes.as_ptr().cast()), _mm256_loadu_si256(token.as_ptr().cast()));
            _mm256_mask_cmpneq_epi8_mask(mask, a, b) == 0
        }
    }

    #[inline(always)]
    unsafe fn digits(bytes: &[u8; 32]) -> u32 {
        // SAFETY: the caller vouches for AVX-512BW and VL; the load takes 32 bytes.
        unsafe {
            let value = _mm256_sub_epi8(_mm256_loadu_si256(bytes.as_ptr().cast()), _mm256_set1_epi8(b'0' as i8));
            _mm256_cmplt_epu8_mask(value, _mm256_set1_epi8(10))
        }
    }

    #[inline(always)]
    unsafe fn digits_of_64(bytes: &[u8; 64]) -> u64 {
        // SAFETY: the caller vouches for AVX-512F and BW; the load takes 64 bytes.
        unsafe {
            let value = _mm512_sub_epi8(_mm512_loadu_si512(bytes.as_ptr().cast()), _mm512_set1_epi8(b'0' as i8));
            _mm512_cmplt_epu8_mask(value, _mm512_set1_epi8(10))
        }
    }

    #[inline(always)]
    unsafe fn dots(bytes: &[u8; 64], before: &[u8; 64], any: bool) -> u64 {
        // SAFETY: the caller vouches for AVX-512F and BW; the loads take 64 bytes.
        unsafe {
            let (value, before) = (_mm512_loadu_si512(bytes.as_ptr().cast()), _mm512_loadu_si512(before.as_ptr().cast()));
            let dot = _mm512_cmpeq_epi8_mask(value, _mm512_set1_epi8(b'.' as i8));
            let digit = _mm512_sub_epi8(before, _mm512_set1_epi8(b'0' as i8));
            let dot = if any { dot } else { _mm512_mask_cmpge_epu8_mask(dot, digit, _mm512_set1_epi8(10)) };
            dot | _mm512_cmpeq_epi8_mask(value, _mm512_set1_epi8(b'\\' as i8))
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn fill(text: &[u8], blocks: &mut Blocks, until: usize) {
        // SAFETY: passed on to the caller.
        unsafe { blocks::fill::<Self>(text, blocks, until) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn replay(text: &[u8], at: usize, members: &[Member], most: usize) -> Option<Run> {
        // SAFETY: passed on to the caller.
        unsafe { elements::replay::<Self>(text, at, members, most) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn skim(text: &[u8], quotes: *const u64, start: usize, room: usize) -> Skimmed {
        // SAFETY: passed on to the caller.
        unsafe { skim::skim::<Self>(text, quotes, start, room) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn dotted(text: &[u8], from: usize, before: &ByteSet) -> Option<usize> {
        // SAFETY: passed on to the caller.
        unsafe { dotted::dotted::<Self>(text, from, before) }
    }
}

/// The product with all ones, without carries: every bit becomes the parity of those below it and itself.
///
/// # Safety
/// The processor must have PCLMULQDQ.
#[inline(always)]
unsafe fn carryless(bits: u64) -> u64 {
    // SAFETY: the caller vouches for PCLMULQDQ.
    unsafe { _mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1), 0)) as u64 }
}
