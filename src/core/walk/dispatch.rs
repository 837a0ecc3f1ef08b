//! Chooses, once in a process, the walk compiled for this processor. The whole walk is compiled for each instruction
//! set and level, so that bit counts in it are single instructions, and only the outermost call is indirect.

use super::blocks::{Blocks, Isa, Portable};
use super::cursor::{self, Stop};
use super::{Leaves, Validation, WalkState};
use crate::limits::EventLimits;
use crate::path::PathTrie;
use crate::value::sieve::Sieves;
use std::sync::OnceLock;

/// An instruction set that the walk was compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instructions {
    /// None beyond the target's own.
    Portable,
    /// x86-64 with AVX2, PCLMULQDQ, BMI, LZCNT and POPCNT.
    Avx2,
    /// The same with AVX-512F, BW and VL.
    Avx512,
    /// 64-bit ARM, little-endian, with NEON.
    Neon,
    /// The same with AES, which PMULL is part of.
    NeonAes,
}

impl Instructions {
    /// Those that this processor has, the best last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut found = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            macro_rules! has {
                ($($feature:tt),*) => { $(std::arch::is_x86_feature_detected!($feature))&&* };
            }
            if has!("avx2", "pclmulqdq", "bmi1", "bmi2", "lzcnt", "popcnt") {
                found.push(Self::Avx2);
                if has!("avx512f", "avx512bw", "avx512vl") {
                    found.push(Self::Avx512);
                }
            }
        }
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        if std::arch::is_aarch64_feature_detected!("neon") {
            found.push(Self::Neon);
            if std::arch::is_aarch64_feature_detected!("aes") {
                found.push(Self::NeonAes);
            }
        }
        found
    }

    fn best() -> Self {
        static BEST: OnceLock<Instructions> = OnceLock::new();
        *BEST.get_or_init(|| *Self::available().last().unwrap_or(&Self::Portable))
    }
}

/// Walks a text, with whether it was seen, with the best instruction set there is.
///
/// # Safety
/// If the text's blocks were seen, they are in the state, see `cursor::run`.
#[inline]
pub(super) unsafe fn run(
    text: (&[u8], bool),
    wanted: (&PathTrie, &Sieves),
    level: Validation,
    limits: &EventLimits,
    state: &mut WalkState,
    out: &mut Leaves,
) -> Result<(), Stop> {
    // SAFETY: `best` is available; the rest is passed on to the caller.
    unsafe { run_with(Instructions::best(), text, wanted, level, limits, state, out) }
}

/// Walks with a given instruction set.
///
/// # Safety
/// It must be among `Instructions::available()`. If the text's blocks were seen, they are in the state.
#[inline]
pub(super) unsafe fn run_with(
    instructions: Instructions,
    text: (&[u8], bool),
    wanted: (&PathTrie, &Sieves),
    level: Validation,
    limits: &EventLimits,
    state: &mut WalkState,
    out: &mut Leaves,
) -> Result<(), Stop> {
    macro_rules! at_level {
        ($set:ident) => {
            match level {
                Validation::Strict => $set::strict(text, wanted, limits, state, out),
                Validation::Checked => $set::checked(text, wanted, limits, state, out),
                Validation::Trusted => $set::trusted(text, wanted, limits, state, out),
            }
        };
    }
    // SAFETY: the caller vouches for the instruction set; the portable walk runs anywhere.
    unsafe {
        match instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => at_level!(avx2),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => at_level!(avx512),
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Instructions::Neon => at_level!(neon),
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Instructions::NeonAes => at_level!(neon_aes),
            // Those of other processors are never available.
            _ => at_level!(portable),
        }
    }
}

/// See `Isa::fill_line`; with the best instruction set there is.
#[inline]
pub(super) fn fill_line(rest: &[u8], blocks: &mut Blocks) -> Option<usize> {
    // SAFETY: `best` is available; the portable look runs anywhere.
    unsafe {
        match Instructions::best() {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => super::x86::Avx2::fill_line(rest, blocks),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => super::x86::Avx512::fill_line(rest, blocks),
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Instructions::Neon => super::neon::Neon::<false>::fill_line(rest, blocks),
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Instructions::NeonAes => super::neon::Neon::<true>::fill_line(rest, blocks),
            _ => Portable::fill_line(rest, blocks),
        }
    }
}

/// One function a level, compiled for the features named.
macro_rules! compiled {
    ($name:ident, $isa:ty $(, $features:literal)?) => {
        mod $name {
            use super::*;

            compiled!(@level strict, STRICT, $isa $(, $features)?);
            compiled!(@level checked, CHECKED, $isa $(, $features)?);
            compiled!(@level trusted, TRUSTED, $isa $(, $features)?);
        }
    };
    (@level $level:ident, $number:ident, $isa:ty $(, $features:literal)?) => {
        /// # Safety
        /// The processor must have the instruction set. If the text's blocks were seen, they are in the state.
        $(#[target_feature(enable = $features)])?
        #[inline(never)]
        pub unsafe fn $level(
            text: (&[u8], bool),
            wanted: (&PathTrie, &Sieves),
            limits: &EventLimits,
            state: &mut WalkState,
            out: &mut Leaves,
        ) -> Result<(), Stop> {
            // SAFETY: passed on to the caller.
            unsafe { cursor::run::<$isa, { cursor::$number }>(text, wanted, limits, state, out) }
        }
    };
}

compiled!(portable, Portable);
#[cfg(target_arch = "x86_64")]
compiled!(avx2, crate::walk::x86::Avx2, "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt");
#[cfg(target_arch = "x86_64")]
compiled!(avx512, crate::walk::x86::Avx512, "avx512f,avx512bw,avx512vl,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt");
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
compiled!(neon, crate::walk::neon::Neon<false>, "neon");
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
compiled!(neon_aes, crate::walk::neon::Neon<true>, "neon,aes");
