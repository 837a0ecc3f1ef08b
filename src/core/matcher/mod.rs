//! From leaves to matches: the index names candidates for the values, each candidate's other conditions are verified, where
//! values are resolved to operands, and array consistency is checked where a conjunction and an event can disagree about it.

pub mod arrays;
mod ask;
pub mod hits;
mod places;
pub mod value;
pub mod values;
pub mod verify;
pub mod visit;
