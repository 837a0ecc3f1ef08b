//! Stage 1 with the vector instructions of 64-bit ARM: NEON, and PMULL where the processor has it. No instruction there
//! takes one bit of every byte, so the bits are moved together: of 64 bytes, which come apart by fours when they are
//! read, by shifts that insert; of 32 bytes by sums of neighbours.
//! Relies on lanes in the order of memory, so on a little-endian target (see `mod`).
//!
//! SOURCE: for 32 bytes as `blocks` (section 3.1.2, and simdjson's code for ARM).

use super::blocks::{Isa, Masks, Portable};
use std::arch::aarch64::*;

/// Four registers of 16 bytes. Parity by one multiplication (`PMULL`) or by six shifts.
pub struct Neon<const PMULL: bool>;

impl<const PMULL: bool> Isa for Neon<PMULL> {
    #[inline(always)]
    unsafe fn masks(bytes: &[u8; 64]) -> Masks {
        // SAFETY: the caller vouches for NEON; the load takes 64 bytes.
        unsafe {
            // Lane n of part k is byte 4n + k.
            let uint8x16x4_t(a, b, c, d) = vld4q_u8(bytes.as_ptr());
            let equal = |a, b, c, d, byte: u8| {
                let wanted = vdupq_n_u8(byte);
                gather64(vceqq_u8(a, wanted), vceqq_u8(b, wanted), vceqq_u8(c, wanted), vceqq_u8(d, wanted))
            };
            // '[' and '{', ']' and '}' differ only in 0x20.
            let case = vdupq_n_u8(0x20);
            let (fa, fb, fc, fd) = (vorrq_u8(a, case), vorrq_u8(b, case), vorrq_u8(c, case), vorrq_u8(d, case));
            let any = vorrq_u8(vorrq_u8(a, b), vorrq_u8(c, d));
            Masks {
                quote: equal(a, b, c, d, b'"'),
                backslash: equal(a, b, c, d, b'\\'),
                open: equal(fa, fb, fc, fd, b'{'),
                close: equal(fa, fb, fc, fd, b'}'),
                control: gather64(vcltq_u8(a, case), vcltq_u8(b, case), vcltq_u8(c, case), vcltq_u8(d, case)),
                dot: equal(a, b, c, d, b'.'),
                high: halves(vcltzq_s8(vreinterpretq_s8_u8(any))),
            }
        }
    }

    #[inline(always)]
    unsafe fn prefix_parity(bits: u64) -> u64 {
        if PMULL {
            // SAFETY: the caller vouches for PMULL. The product with all ones, without carries, as in `x86`.
            unsafe { vmull_p64(bits, !0) as u64 }
        } else {
            // SAFETY: runs anywhere.
            unsafe { Portable::prefix_parity(bits) }
        }
    }

    #[inline(always)]
    unsafe fn same(bytes: &[u8; 32], token: &[u8; 32], mask: u32) -> bool {
        // SAFETY: the caller vouches for NEON; all loads lie within the 32 bytes.
        unsafe {
            let equal = |at: usize| vceqq_u8(vld1q_u8(bytes.as_ptr().add(at)), vld1q_u8(token.as_ptr().add(at)));
            !gather32(equal(0), equal(16)) & mask == 0
        }
    }

    #[inline(always)]
    unsafe fn digits(bytes: &[u8; 32]) -> u32 {
        // SAFETY: the caller vouches for NEON; both loads lie within the 32 bytes.
        unsafe {
            let digit = |at: usize| vcltq_u8(vsubq_u8(vld1q_u8(bytes.as_ptr().add(at)), vdupq_n_u8(b'0')), vdupq_n_u8(10));
            gather32(digit(0), digit(16))
        }
    }
}

/// One bit of every byte that is all ones or all zeros; lane n of the k-th part becomes bit 4n + k.
///
/// # Safety
/// The processor must have NEON.
#[inline(always)]
unsafe fn gather64(a: uint8x16_t, b: uint8x16_t, c: uint8x16_t, d: uint8x16_t) -> u64 {
    // SAFETY: the caller vouches for NEON.
    unsafe {
        // Each keeps as many of the upper bits as it names and takes the rest from the other: first two parts in the two
        // upper bits, then four in four, then the same four in both halves of the byte.
        let (ab, cd) = (vsriq_n_u8(b, a, 1), vsriq_n_u8(d, c, 1));
        let abcd = vsriq_n_u8(cd, ab, 2);
        halves(vsriq_n_u8(abcd, abcd, 4))
    }
}

/// The upper half of every even byte and the lower half of every odd one, the lowest first.
///
/// # Safety
/// The processor must have NEON.
#[inline(always)]
unsafe fn halves(bytes: uint8x16_t) -> u64 {
    // SAFETY: the caller vouches for NEON.
    unsafe { vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(bytes), 4)), 0) }
}

/// One bit of every byte that is all ones or all zeros, in order.
///
/// # Safety
/// The processor must have NEON.
#[inline(always)]
unsafe fn gather32(low: uint8x16_t, high: uint8x16_t) -> u32 {
    // SAFETY: the caller vouches for NEON.
    unsafe {
        // Every byte gets a bit of its own among its eight; sums of neighbours, three times, join the eight in one byte.
        let own = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
        let pairs = vpaddq_u8(vandq_u8(low, own), vandq_u8(high, own));
        let fours = vpaddq_u8(pairs, pairs);
        vgetq_lane_u32(vreinterpretq_u32_u8(vpaddq_u8(fours, fours)), 0)
    }
}
