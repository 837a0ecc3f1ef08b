//! Pattern texts become trees, or errors that say what, where and how to mend.
//!
//! [`parse`] reads a text in one pass straight to the [`tree`]; [`print()`] writes a tree back; [`complexity`] is AWS's
//! measure of wildcards; [`catalogue`] lists every reason for which a pattern can be refused.

mod anything_but;
pub mod catalogue;
mod cidr;
mod complexity;
mod cursor;
mod fault;
mod jackson;
mod matcher;
mod numeric;
mod parse;
mod paths;
mod print;
pub mod tree;
mod wildcard;

pub use complexity::complexity;
pub use parse::{parse, too_many_branches};
pub use print::{print, print_matcher};

/// The operators, in the order of the documentation.
pub const OPERATORS: &[&str] =
    &["exactly", "prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "cidr", "exists"];

/// Field names that are refused inside `$or`, besides the operators: those that the language keeps for itself.
pub const RESERVED_INSIDE_OR: &[&str] = &[
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

fn is_operator(name: &[u8]) -> bool {
    OPERATORS.iter().any(|o| o.as_bytes() == name)
}

fn is_reserved(name: &[u8]) -> bool {
    is_operator(name) || RESERVED_INSIDE_OR.iter().any(|o| o.as_bytes() == name)
}
