//! Byte-exact selection: where in an event's text the values on given paths lie, found in one scan that parses nothing
//! else, and the texts that are spliced together from them. Relies on `json` and `map`. No bytes, however broken, make
//! it panic: every access is checked, and what is no JSON is reported by its offset. Must never re-encode a value.
//!
//! [`Paths`] is the trie of the wanted paths, [`Paths::scan`] fills [`Found`], [`Splice`] makes a text of it.

mod paths;
mod scan;
mod splice;

pub use paths::{Paths, Step};
pub use scan::{Broken, Found, Span};
pub use splice::{Form, Given, Piece, Refusal, Splice};
