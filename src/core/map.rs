//! Hash maps whose seed differs from process to process, so that nobody can prepare keys that collide.

use foldhash::fast::RandomState;

/// A map.
pub type Map<K, V> = std::collections::HashMap<K, V, RandomState>;
/// A set.
pub type Set<T> = std::collections::HashSet<T, RandomState>;

/// Two numbers that differ from process to process.
pub fn seeds() -> [u64; 2] {
    use std::hash::BuildHasher;
    let state = foldhash::quality::SeedableRandomState::random();
    [state.hash_one(1u8), state.hash_one(2u8)]
}
