//! Pattern texts become trees, or errors that say what, where and how to mend.

pub mod tree;
