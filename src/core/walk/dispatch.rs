//! Chooses, once in a process, the walk compiled for this processor. The whole walk is compiled for each instruction
//! set and level, so that bit counts in it are single instructions, and only the outermost call is indirect.

use super::blocks::Portable;
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
}

impl Instructions {
    /// Those that this processor has, the best last.
    pub fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
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
        found
    }

    fn best() -> Self {
        static BEST: OnceLock<Instructions> = OnceLock::new();
        *BEST.get_or_init(|| *Self::available().last().unwrap_or(&Self::Portable))
    }
}

/// Walks with the best instruction set there is.
#[inline]
pub(super) fn run(
    text: &[u8],
    wanted: (&PathTrie, &Sieves),
    level: Validation,
    limits: &EventLimits,
    state: &mut WalkState,
    out: &mut Leaves,
) -> Result<(), Stop> {
    // SAFETY: `best` is available.
    unsafe { run_with(Instructions::best(), text, wanted, level, limits, state, out) }
}

/// Walks with a given instruction set.
///
/// # Safety
/// It must be among `Instructions::available()`.
#[inline]
pub(super) unsafe fn run_with(
    instructions: Instructions,
    text: &[u8],
    wanted: (&PathTrie, &Sieves),
    level: Validation,
    limits: &EventLimits,
    state: &mut WalkState,
    out: &mut Leaves,
) -> Result<(), Stop> {
    // SAFETY: the caller vouches for the instruction set; the portable walk runs anywhere.
    unsafe {
        match (instructions, level) {
            (Instructions::Portable, Validation::Strict) => portable::strict(text, wanted, limits, state, out),
            (Instructions::Portable, Validation::Checked) => portable::checked(text, wanted, limits, state, out),
            (Instructions::Portable, Validation::Trusted) => portable::trusted(text, wanted, limits, state, out),
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx2, Validation::Strict) => avx2::strict(text, wanted, limits, state, out),
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx2, Validation::Checked) => avx2::checked(text, wanted, limits, state, out),
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx2, Validation::Trusted) => avx2::trusted(text, wanted, limits, state, out),
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx512, Validation::Strict) => avx512::strict(text, wanted, limits, state, out),
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx512, Validation::Checked) => avx512::checked(text, wanted, limits, state, out),
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx512, Validation::Trusted) => avx512::trusted(text, wanted, limits, state, out),
            #[cfg(not(target_arch = "x86_64"))]
            (_, level) => run_with(Instructions::Portable, text, wanted, level, limits, state, out),
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
        /// The processor must have the instruction set.
        $(#[target_feature(enable = $features)])?
        #[inline(never)]
        pub unsafe fn $level(
            text: &[u8],
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
