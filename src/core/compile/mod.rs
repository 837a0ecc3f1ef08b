//! From a pattern's tree to conjunctions: what has to hold at once for a rule to match.

pub mod resolve;

pub use resolve::{Conjunction, accept, resolve};
