//! A value that belongs to one process. After a fork the child has a copy of its parent's memory but none of its other
//! threads: a lock that one of them held stays locked for ever, and work that one of them did is never finished. Such
//! state is therefore not used again in a child, but made anew from what is whole at any moment.

use arc_swap::ArcSwap;
use std::{ops::Deref, sync::Arc};

/// A value with the process that it belongs to.
pub struct Owned<T> {
    process: u32,
    value: T,
}

impl<T> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A value of this process.
pub struct PerProcess<T> {
    slot: ArcSwap<Owned<T>>,
}

impl<T> PerProcess<T> {
    /// A value of the process that calls.
    pub fn new(value: T) -> Self {
        Self { slot: ArcSwap::from_pointee(Owned { process: std::process::id(), value }) }
    }

    /// The value; in a child that has none yet it is made by `heir`, which must not use the parent's.
    pub fn get(&self, heir: impl FnOnce() -> T) -> Arc<Owned<T>> {
        let process = std::process::id();
        let found = self.slot.load_full();
        if found.process == process {
            return found;
        }
        let new = Arc::new(Owned { process, value: heir() });
        let before = self.slot.compare_and_swap(&found, new.clone());
        // Another thread of the child may have been faster. The parent's value is never dropped: a lock in it may be held.
        if Arc::ptr_eq(&before, &found) {
            std::mem::forget(found);
            new
        } else {
            arc_swap::Guard::into_inner(before)
        }
    }
}
