//! Pattern texts become trees, or errors that say what, where and how to mend.

pub mod tree;
pub fn parse(text: &[u8], limits: &crate::limits::PatternLimits) -> Result<tree::Pattern, crate::error::PatternError> { todo!() }
pub fn too_many_branches(text: &[u8], limits: &crate::limits::PatternLimits) -> crate::error::PatternError { todo!() }
pub fn print_matcher(m: &tree::Matcher) -> String { todo!() }
