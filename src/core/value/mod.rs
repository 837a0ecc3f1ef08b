//! Canonical forms that patterns and events share: numbers and their neighbourhoods, case folding, IP addresses.

pub mod fold;
pub mod ip;
pub mod number;
pub mod sieve;
pub mod text;
