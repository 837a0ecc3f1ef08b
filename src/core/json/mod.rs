//! JSON text below the grammar: string escapes and positions. Grammar of patterns lies in `pattern`, of events in `walk`.

pub mod keys;
pub mod position;
pub mod string;
