//! Fuzzing of rulebus-core without a nightly compiler: seeded mutation of a kept corpus, targets that panic when
//! the core errs, and independent judges (serde_json, a naive matcher). A target says what kind of input it saw, and an
//! input of a new kind joins the pool: a poor man's coverage, the same on every machine.

pub mod choices;
pub mod driver;
pub mod generate;
pub mod mutate;
pub mod naive;
pub mod naive_value;
pub mod stack;
pub mod targets;
