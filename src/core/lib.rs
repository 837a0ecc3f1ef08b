//! rulebus-core: event patterns compiled into an indexed automaton.
//!
//! The pipeline, in the order of the modules: a pattern text is parsed ([`pattern`]), its conjunctions are
//! compiled and placed into an index ([`compile`], [`index`]); an event's bytes are walked once along the trie
//! of needed paths ([`path`], [`walk`]); the index names candidates and they are verified ([`matcher`]).
//! [`store`] keeps live rule sets as immutable snapshots.
//!
//! A module uses only modules listed above it in ARCHITECTURE.md.

pub mod compile;
pub mod error;
pub mod explain;
pub mod index;
pub mod json;
pub mod limits;
pub mod map;
pub mod matcher;
pub mod memory;
pub mod path;
pub mod pattern;
pub mod select;
pub mod store;
pub mod value;
pub mod walk;
