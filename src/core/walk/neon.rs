//! Stage 1 with the vector instructions of 64-bit ARM: NEON, and PMULL where the processor has it. No instruction there
//! takes one bit of every byte. So 64 bytes are first made into one byte of classes each, of which two look-ups tell all,
//! and the bits of all classes then change places with those of the position at once; 32 bytes are gathered by sums.
//! Relies on lanes in the order of memory, so on a little-endian target (see `mod`).
//!
//! SOURCE: as `blocks`; classes by two look-ups as in its section 3.1.2, sums as in simdjson's code for ARM.

use super::blocks::{self, Blocks, Glance, Isa, Masks, Portable};
use std::arch::aarch64::*;

/// Four registers of 16 bytes. Parity by one multiplication (`PMULL`) or by six shifts.
pub struct Neon<const PMULL: bool>;

const QUOTE: u8 = 1;
const BACKSLASH: u8 = 1 << 1;
const OPEN: u8 = 1 << 2;
const CLOSE: u8 = 1 << 3;
const CONTROL: u8 = 1 << 4;
const DOT: u8 = 1 << 5;
const HIGH: u8 = 1 << 6;
const NEWLINE: u8 = 1 << 7;

/// The classes that a byte's upper half allows; it is of those that its lower half allows, too.
static UPPER: [u8; 16] = {
    let mut classes = [0; 16];
    (classes[0], classes[1]) = (CONTROL | NEWLINE, CONTROL);
    classes[2] = QUOTE | DOT;
    classes[5] = BACKSLASH | OPEN | CLOSE;
    classes[7] = OPEN | CLOSE;
    let mut upper = 8;
    while upper < 16 {
        classes[upper] = HIGH;
        upper += 1;
    }
    classes
};

/// The same for the lower half.
static LOWER: [u8; 16] = {
    let mut classes = [CONTROL | HIGH; 16];
    classes[0x2] |= QUOTE;
    classes[0xa] |= NEWLINE;
    classes[0xb] |= OPEN;
    classes[0xc] |= BACKSLASH;
    classes[0xd] |= CLOSE;
    classes[0xe] |= DOT;
    classes
};

impl<const PMULL: bool> Isa for Neon<PMULL> {
    #[inline(always)]
    unsafe fn masks(bytes: &[u8; 64]) -> Masks {
        // SAFETY: the caller vouches for NEON; all loads lie within the 64 bytes and the tables.
        unsafe {
            let (upper, lower) = (vld1q_u8(UPPER.as_ptr()), vld1q_u8(LOWER.as_ptr()));
            let load = |at: usize| vreinterpretq_u16_u8(vld1q_u8(bytes.as_ptr().add(at)));
            let classes = |pairs: uint16x8_t| {
                let all = vreinterpretq_u8_u16(pairs);
                vandq_u8(vqtbl1q_u8(upper, vshrq_n_u8(all, 4)), vqtbl1q_u8(lower, vandq_u8(all, vdupq_n_u8(0x0f))))
            };
            // Of every eight bytes the first two into a, the next two into b, and so on.
            let (v0, v1, v2, v3) = (load(0), load(16), load(32), load(48));
            let (ac0, bd0, ac1, bd1) = (vuzp1q_u16(v0, v1), vuzp2q_u16(v0, v1), vuzp1q_u16(v2, v3), vuzp2q_u16(v2, v3));
            let (a, c) = (classes(vuzp1q_u16(ac0, ac1)), classes(vuzp2q_u16(ac0, ac1)));
            let (b, d) = (classes(vuzp1q_u16(bd0, bd1)), classes(vuzp2q_u16(bd0, bd1)));
            // Four classes of two: the lower halves of a and c, the upper halves of both, and so for b and d.
            let (low_ac, high_ac) = (vsliq_n_u8(a, c, 4), vsriq_n_u8(c, a, 4));
            let (low_bd, high_bd) = (vsliq_n_u8(b, d, 4), vsriq_n_u8(d, b, 4));
            // Two classes of a, b, c, d.
            let twos = vdupq_n_u8(0x33);
            let first = |x, y| vbslq_u8(twos, x, vshlq_n_u8(y, 2));
            let second = |x, y| vbslq_u8(twos, vshrq_n_u8(x, 2), y);
            let (k01, k23) = (first(low_ac, low_bd), second(low_ac, low_bd));
            let (k45, k67) = (first(high_ac, high_bd), second(high_ac, high_bd));
            // One class of eight bytes in a row: even lanes hold the first of every two, odd lanes the second. Eight
            // lanes of the one pair of classes stand before eight of the other.
            let ones = vdupq_n_u8(0x55);
            let whole = |x, y| {
                let (even, odd) = (vuzp1q_u8(x, y), vuzp2q_u8(x, y));
                let lesser = vbslq_u8(ones, even, vshlq_n_u8(odd, 1));
                let greater = vbslq_u8(ones, vshrq_n_u8(even, 1), odd);
                (vreinterpretq_u64_u8(lesser), vreinterpretq_u64_u8(greater))
            };
            let ((k02, k13), (k46, k57)) = (whole(k01, k23), whole(k45, k67));
            Masks {
                quote: vgetq_lane_u64(k02, 0),
                backslash: vgetq_lane_u64(k13, 0),
                open: vgetq_lane_u64(k02, 1),
                close: vgetq_lane_u64(k13, 1),
                control: vgetq_lane_u64(k46, 0),
                dot: vgetq_lane_u64(k57, 0),
                newline: vgetq_lane_u64(k57, 1),
                high: vgetq_lane_u64(k46, 1),
            }
        }
    }

    #[inline(always)]
    unsafe fn glance(bytes: &[u8; 64]) -> Glance {
        // SAFETY: the caller vouches for NEON; all loads lie within the 64 bytes.
        unsafe {
            let load = |at: usize| vld1q_u8(bytes.as_ptr().add(at));
            let (v0, v1, v2, v3) = (load(0), load(16), load(32), load(48));
            let quote = |v| vceqq_u8(v, vdupq_n_u8(b'"'));
            // With a sign, bytes above 0x7f are below 0x20 as control characters are.
            let odd = |v| vorrq_u8(vceqq_u8(v, vdupq_n_u8(b'\\')), vcltq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8(0x20)));
            let odd = vorrq_u8(vorrq_u8(odd(v0), odd(v1)), vorrq_u8(odd(v2), odd(v3)));
            Glance { quote: gather(quote(v0), quote(v1)) as u64 | (gather(quote(v2), quote(v3)) as u64) << 32, odd: vmaxvq_u8(odd) as u64 }
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
            !gather(equal(0), equal(16)) & mask == 0
        }
    }

    #[inline(always)]
    unsafe fn digits(bytes: &[u8; 32]) -> u32 {
        // SAFETY: the caller vouches for NEON; both loads lie within the 32 bytes.
        unsafe {
            let digit = |at: usize| vcltq_u8(vsubq_u8(vld1q_u8(bytes.as_ptr().add(at)), vdupq_n_u8(b'0')), vdupq_n_u8(10));
            gather(digit(0), digit(16))
        }
    }

    #[inline(never)]
    unsafe fn fill(text: &[u8], blocks: &mut Blocks, until: usize) {
        // SAFETY: passed on to the caller.
        unsafe { if PMULL { fill_with_pmull(text, blocks, until) } else { blocks::fill::<Self>(text, blocks, until) } }
    }

    #[inline(never)]
    unsafe fn fill_line(rest: &[u8], blocks: &mut Blocks) -> Option<usize> {
        // SAFETY: passed on to the caller.
        unsafe { if PMULL { fill_line_with_pmull(rest, blocks) } else { blocks::fill_line::<Self>(rest, blocks) } }
    }
}

/// `Isa::fill`, compiled for the one instruction that not every 64-bit ARM has.
///
/// # Safety
/// The processor must have NEON and PMULL.
#[target_feature(enable = "neon,aes")]
unsafe fn fill_with_pmull(text: &[u8], blocks: &mut Blocks, until: usize) {
    // SAFETY: passed on to the caller.
    unsafe { blocks::fill::<Neon<true>>(text, blocks, until) }
}

/// The same for `Isa::fill_line`.
///
/// # Safety
/// The processor must have NEON and PMULL.
#[target_feature(enable = "neon,aes")]
unsafe fn fill_line_with_pmull(rest: &[u8], blocks: &mut Blocks) -> Option<usize> {
    // SAFETY: passed on to the caller.
    unsafe { blocks::fill_line::<Neon<true>>(rest, blocks) }
}

/// One bit of every byte that is all ones or all zeros.
///
/// # Safety
/// The processor must have NEON.
#[inline(always)]
unsafe fn gather(low: uint8x16_t, high: uint8x16_t) -> u32 {
    // SAFETY: the caller vouches for NEON.
    unsafe {
        // Every byte keeps a bit of its own among its eight; sums of neighbours, three times, join the eight in one byte.
        let own = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
        let pairs = vpaddq_u8(vandq_u8(low, own), vandq_u8(high, own));
        let fours = vpaddq_u8(pairs, pairs);
        vgetq_lane_u32(vreinterpretq_u32_u8(vpaddq_u8(fours, fours)), 0)
    }
}
