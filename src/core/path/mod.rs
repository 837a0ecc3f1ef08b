//! The trie of needed paths. A path is the keys joined with "."; splitting at the dots and joining are inverse, so
//! `{"a.b": …}` and `{"a": {"b": …}}` meet at the same node. A node's number is the path's number everywhere.
//!
//! The trie only grows while a rule set lives; rules that are gone leave nodes that cost a little time, never truth.

mod trie;

pub(crate) use trie::{ByteSet, DEEP, INNER, SHARED, WANTED};
pub use trie::{KeyHit, PathTrie};

/// Number of a path: its node in the trie.
pub type PathId = u32;

/// The root: the event itself.
pub const ROOT: PathId = 0;
