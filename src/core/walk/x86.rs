//! Stage 1 with the vector instructions of x86-64: AVX2 or AVX-512, and PCLMULQDQ.

use super::blocks::{self, Blocks, Glance, Isa, Masks};
use super::dotted;
use super::elements::{self, Member, Run};
use super::scan;
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
            // '[' and '{', ']' and '}' differ only in 0x20.
            let case = _mm256_set1_epi8(0x20);
            let (low_folded, high_folded) = (_mm256_or_si256(low, case), _mm256_or_si256(high, case));
            Masks {
                quote: mask(equal(low, b'"'), equal(high, b'"')),
                backslash: mask(equal(low, b'\\'), equal(high, b'\\')),
                open: mask(equal(low_folded, b'{'), equal(high_folded, b'{')),
                close: mask(equal(low_folded, b'}'), equal(high_folded, b'}')),
                control: mask(control(low), control(high)),
                dot: mask(equal(low, b'.'), equal(high, b'.')),
                newline: mask(equal(low, b'\n'), equal(high, b'\n')),
                high: _mm256_movemask_epi8(_mm256_or_si256(low, high)) as u32 as u64,
            }
        }
    }

    #[inline(always)]
    unsafe fn glance(bytes: &[u8; 64]) -> Glance {
        // SAFETY: the caller vouches for AVX2; both loads lie within the 64 bytes.
        unsafe {
            let low = _mm256_loadu_si256(bytes.as_ptr().cast());
            let high = _mm256_loadu_si256(bytes.as_ptr().add(32).cast());
            // With a sign, bytes above 0x7f are below 0x20 as control characters are.
            let below = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), _mm256_min_epi8(low, high));
            let odd = _mm256_or_si256(below, _mm256_or_si256(equal(low, b'\\'), equal(high, b'\\')));
            Glance { quote: mask(equal(low, b'"'), equal(high, b'"')), odd: _mm256_movemask_epi8(odd) as u32 as u64 }
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

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn fill(text: &[u8], blocks: &mut Blocks, until: usize) {
        // SAFETY: passed on to the caller.
        unsafe { blocks::fill::<Self>(text, blocks, until) }
    }

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn fill_line(rest: &[u8], blocks: &mut Blocks) -> Option<usize> {
        // SAFETY: passed on to the caller.
        unsafe { blocks::fill_line::<Self>(rest, blocks) }
    }

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn closing(chunks: &[[u8; 64]], inside: &[u64], start: usize, depth: u32) -> Result<usize, u32> {
        // SAFETY: passed on to the caller.
        unsafe { scan::closing::<Self>(chunks, inside, start, depth) }
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
    unsafe fn dotted(text: &[u8], blocks: &Blocks, from: usize, before: &ByteSet) -> Option<usize> {
        // SAFETY: passed on to the caller.
        unsafe { dotted::dotted::<Self>(text, blocks, from, before) }
    }
}

/// One bit of every byte.
///
/// # Safety
/// The processor must have AVX2.
#[inline(always)]
unsafe fn mask(low: __m256i, high: __m256i) -> u64 {
    // SAFETY: the caller vouches for AVX2.
    unsafe { _mm256_movemask_epi8(low) as u32 as u64 | (_mm256_movemask_epi8(high) as u32 as u64) << 32 }
}

/// All ones in bytes that are this one; functions and no closures, which would not be compiled for the instruction set.
///
/// # Safety
/// The processor must have AVX2.
#[inline(always)]
unsafe fn equal(value: __m256i, byte: u8) -> __m256i {
    // SAFETY: the caller vouches for AVX2.
    unsafe { _mm256_cmpeq_epi8(value, _mm256_set1_epi8(byte as i8)) }
}

/// All ones in bytes below 0x20.
///
/// # Safety
/// The processor must have AVX2.
#[inline(always)]
unsafe fn control(value: __m256i) -> __m256i {
    // SAFETY: the caller vouches for AVX2.
    unsafe { _mm256_cmpeq_epi8(_mm256_min_epu8(value, _mm256_set1_epi8(0x1f)), value) }
}

/// One register of 64 bytes; comparisons answer with a mask at once.
pub struct Avx512;

impl Isa for Avx512 {
    #[inline(always)]
    unsafe fn masks(bytes: &[u8; 64]) -> Masks {
        // SAFETY: the caller vouches for AVX-512F and BW; the load takes 64 bytes.
        unsafe {
            let all = _mm512_loadu_si512(bytes.as_ptr().cast());
            // '[' and '{', ']' and '}' differ only in 0x20.
            let folded = _mm512_or_si512(all, _mm512_set1_epi8(0x20));
            Masks {
                quote: wide_equal(all, b'"'),
                backslash: wide_equal(all, b'\\'),
                open: wide_equal(folded, b'{'),
                close: wide_equal(folded, b'}'),
                control: _mm512_cmplt_epu8_mask(all, _mm512_set1_epi8(0x20)),
                dot: wide_equal(all, b'.'),
                newline: wide_equal(all, b'\n'),
                high: _mm512_movepi8_mask(all),
            }
        }
    }

    #[inline(always)]
    unsafe fn glance(bytes: &[u8; 64]) -> Glance {
        // SAFETY: the caller vouches for AVX-512F and BW; the load takes 64 bytes.
        unsafe {
            let all = _mm512_loadu_si512(bytes.as_ptr().cast());
            // With a sign, bytes above 0x7f are below 0x20 as control characters are.
            Glance { quote: wide_equal(all, b'"'), odd: wide_equal(all, b'\\') | _mm512_cmplt_epi8_mask(all, _mm512_set1_epi8(0x20)) }
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

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn fill(text: &[u8], blocks: &mut Blocks, until: usize) {
        // SAFETY: passed on to the caller.
        unsafe { blocks::fill::<Self>(text, blocks, until) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn fill_line(rest: &[u8], blocks: &mut Blocks) -> Option<usize> {
        // SAFETY: passed on to the caller.
        unsafe { blocks::fill_line::<Self>(rest, blocks) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn closing(chunks: &[[u8; 64]], inside: &[u64], start: usize, depth: u32) -> Result<usize, u32> {
        // SAFETY: passed on to the caller.
        unsafe { scan::closing::<Self>(chunks, inside, start, depth) }
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
    unsafe fn dotted(text: &[u8], blocks: &Blocks, from: usize, before: &ByteSet) -> Option<usize> {
        // SAFETY: passed on to the caller.
        unsafe { dotted::dotted::<Self>(text, blocks, from, before) }
    }
}

/// Which bytes are this one.
///
/// # Safety
/// The processor must have AVX-512F and BW.
#[inline(always)]
unsafe fn wide_equal(value: __m512i, byte: u8) -> u64 {
    // SAFETY: the caller vouches for AVX-512F and BW.
    unsafe { _mm512_cmpeq_epi8_mask(value, _mm512_set1_epi8(byte as i8)) }
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
