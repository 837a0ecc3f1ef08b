//! Canonical forms that patterns and events share: numbers, case folding, IP addresses.

pub mod fold;
pub mod ip;
pub mod number;
