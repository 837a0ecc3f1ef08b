//! The index: conjunctions stored once, each placed under its most selective condition, recursively.
//!
//! A [`segment::Segment`] is frozen after its build. It holds the operands (every text and number of its rules, once),
//! the records (what each conjunction demands), and a tree of nodes. A node dispatches by exact value through one
//! hash table that all nodes share, and by one small index per other operator family; a target is a run of
//! conjunctions to verify, or a further node.

pub mod affix;
pub mod bits;
pub mod build;
pub mod choose;
pub mod cidr;
pub mod decode;
pub mod encode;
pub mod ends;
pub mod except;
pub mod gate;
pub mod import;
pub mod list;
pub mod once;
pub mod operands;
pub mod pieces;
pub mod range;
pub mod record;
pub mod segment;
pub mod skew;
pub mod table;
pub mod tags;
pub mod wildcard;
