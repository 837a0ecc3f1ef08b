//! From leaves to matches: values are resolved to operands once, the index names candidates, each candidate's other
//! conditions are verified, and array consistency is checked where a conjunction and an event can disagree about it.

pub mod arrays;
mod ask;
pub mod hits;
mod places;
pub mod values;
pub mod verify;
pub mod visit;
