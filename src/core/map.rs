//! Hash maps whose seed differs from process to process, so that nobody can prepare keys that collide.

use foldhash::fast::RandomState;

/// A map.
pub type Map<K, V> = std::collections::HashMap<K, V, RandomState>;
/// A set.
pub type Set<T> = std::collections::HashSet<T, RandomState>;
