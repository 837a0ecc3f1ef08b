//! The names of rules: any hashable Python objects, found by number while matching and by equality while changing.
//! `unsafe` is confined here, to `buffer` and to `heap`.
//!
//! Idea: a table of slots that only grows holds the object of each rule number; readers take no lock. The way back,
//! from a name to its number, is a hash table of numbers behind a mutex that is only held for moments.
//!
//! INVARIANT: the mutexes are never held while Python code may run. A name's `__hash__` and `__eq__` are called before
//! a change takes its turn; in its turn the change checks that nothing it saw has changed, else it starts over. So a
//! name may even change the matcher from within its `__eq__`. Nobody who holds the GIL waits for a turn without letting
//! it go.
//! INVARIANT: a slot is emptied only for a number that the core released, that is when no snapshot names it and the
//! index has forgotten it. Whoever reads a slot holds a snapshot that names the number, or the index that lists it.

use hashbrown::HashTable;
use pyo3::{PyTraverseError, PyVisit, exceptions::PyRuntimeError, ffi, prelude::*, sync::MutexExt, types::PyList};
use rulebus_core::{
    pattern::tree::Pattern,
    store::{Applied, CapacityError, Change, PerProcess, RuleId, RuleSet, Snapshot},
};
use std::{
    ptr::{self, NonNull},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicPtr, Ordering},
    },
};

/// Slots in the first chunk; every further chunk has twice as many as the one before.
const FIRST: u64 = 64;
const CHUNKS: usize = 27;

type Slot = AtomicPtr<ffi::PyObject>;

/// A name that a caller gave, with its hash.
pub struct Name {
    object: Py<PyAny>,
    hash: isize,
}

impl Name {
    /// Calls `__hash__`; `TypeError` for what cannot be hashed.
    pub fn of(object: Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self { hash: object.hash()?, object: object.unbind() })
    }
}

/// An object taken out of its slot; it must come back to the interpreter to be dropped.
struct Taken(NonNull<ffi::PyObject>);

// SAFETY: an owned reference, carried from one place to another without being touched.
unsafe impl Send for Taken {}

impl Taken {
    fn drop(self, py: Python<'_>) {
        // SAFETY: the slot owned this reference and gave it up.
        drop(unsafe { Bound::from_owned_ptr(py, self.0.as_ptr()) });
    }
}

/// Where a name was looked for, and what bore the same hash at that time.
struct Lookup {
    hash: isize,
    seen: Vec<(RuleId, u64)>,
    found: Option<RuleId>,
}

#[derive(Default)]
struct Index {
    table: HashTable<RuleId>,
    /// By rule number.
    hashes: Vec<isize>,
    /// By rule number: which putting of a new name gave it out.
    born: Vec<u64>,
    births: u64,
}

/// A change of so many rules is small.
const SMALL_CHANGE: usize = 16;

/// The names of a matcher's rules.
pub struct Names {
    slots: [OnceLock<Box<[Slot]>>; CHUNKS],
    index: Mutex<Index>,
    /// Held by the one change whose turn it is; a fork may find it held, so a child has its own.
    turn: PerProcess<Mutex<()>>,
}

impl Default for Names {
    fn default() -> Self {
        Self { slots: [const { OnceLock::new() }; CHUNKS], index: Mutex::default(), turn: PerProcess::new(Mutex::default()) }
    }
}

impl Names {
    /// The names of rules that `_snapshot` holds, as a list.
    #[inline]
    pub fn list<'py>(&self, py: Python<'py>, _snapshot: &Snapshot, rules: &[RuleId]) -> PyResult<Bound<'py, PyList>> {
        if !rules.is_empty() {
            self.settle(py, rules)?;
        }
        PyList::new(py, rules.iter().map(|rule| self.get(py, *rule)))
    }

    /// The names of rules that `_snapshot` holds.
    pub fn all<'py>(&self, py: Python<'py>, _snapshot: &Snapshot, rules: &[RuleId]) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.settle(py, rules)?;
        Ok(rules.iter().filter_map(|rule| self.get(py, *rule)).collect())
    }

    /// Sees to it that the names of these rules are there: a change that just became visible may still be handing its
    /// names over, so wait for it to end its turn.
    #[inline]
    fn settle(&self, py: Python<'_>, rules: &[RuleId]) -> PyResult<()> {
        let there = || rules.iter().all(|rule| self.slot(*rule).is_some_and(|slot| !slot.load(Ordering::Acquire).is_null()));
        if there() {
            return Ok(());
        }
        drop(self.turn.get(Mutex::default).lock_py_attached(py));
        if there() { Ok(()) } else { Err(PyRuntimeError::new_err("the matcher was already taken apart by the garbage collector")) }
    }

    /// Number of rules.
    pub fn len(&self, py: Python<'_>) -> usize {
        locked(self.index.lock_py_attached(py)).table.len()
    }

    /// Whether there is a rule of this name.
    pub fn contains(&self, py: Python<'_>, name: &Name) -> PyResult<bool> {
        Ok(self.look_up(py, name)?.found.is_some())
    }

    /// The pattern of the rule of this name, if there is one.
    pub fn pattern(&self, py: Python<'_>, rules: &RuleSet, name: &Name) -> PyResult<Option<Pattern>> {
        loop {
            let lookup = self.look_up(py, name)?;
            let Some(found) = lookup.found else { return Ok(None) };
            // No change gives the number to another rule while the index is held.
            let index = locked(self.index.lock_py_attached(py));
            if index.unchanged(&lookup) {
                return Ok(rules.pattern(found));
            }
        }
    }

    /// Puts rules, whose names differ from one another, as one change. `prepare` is told which rules it looks like being
    /// replaced, and does what need not wait for other changes; `apply` makes the change, told which are.
    pub fn put<T: Send>(
        &self,
        py: Python<'_>,
        names: Vec<Name>,
        prepare: impl FnOnce(&[Option<RuleId>]) -> Result<T, CapacityError>,
        apply: impl FnOnce(T, &[Option<RuleId>]) -> Result<Applied, CapacityError> + Send,
    ) -> PyResult<Result<(), CapacityError>> {
        let (mut names, mut apply) = (names.into_iter().map(Some).collect::<Vec<_>>(), Some(apply));
        let (mut prepare, mut prepared) = (Some(prepare), None);
        loop {
            let lookups = names.iter().flatten().map(|name| self.look_up(py, name)).collect::<PyResult<Vec<_>>>()?;
            let replaces: Vec<Option<RuleId>> = lookups.iter().map(|lookup| lookup.found).collect();
            if let Some(prepare) = prepare.take() {
                match prepare(&replaces) {
                    Ok(work) => prepared = Some(work),
                    Err(error) => return Ok(Err(error)),
                }
            }
            // Called once: after it the loop ends.
            let put = || apply.take().expect("not called before")(prepared.take().expect("prepared"), &replaces);
            let enter = |index: &mut Index, applied: Result<Applied, CapacityError>| {
                let applied = applied?;
                index.reserve(lookups.iter().filter(|lookup| lookup.found.is_none()).count());
                for ((lookup, id), name) in lookups.iter().zip(applied.ids).zip(&mut names) {
                    // A replaced rule keeps its number and, as in a dict, the name object it was first put under.
                    if let (None, Some(name)) = (lookup.found, name.take()) {
                        self.fill(id, name.object);
                        index.insert(lookup.hash, id);
                    }
                }
                Ok(self.free(applied.released))
            };
            if let Some(result) = self.in_turn(py, lookups.len(), |index| index.all_unchanged(&lookups), put, enter) {
                return Ok(result.map(|freed| freed.into_iter().for_each(|taken| taken.drop(py))));
            }
        }
    }

    /// Does `work` and enters its result when no other change is under way, unless what was looked up has changed.
    ///
    /// A small change keeps the GIL: giving it up costs a switch interval (5 ms) for every busy thread, the change itself
    /// some microseconds, a millisecond at most. The index is only ever held under the GIL, so that no fork of another
    /// thread finds it held.
    fn in_turn<T: Send, U>(
        &self,
        py: Python<'_>,
        changes: usize,
        unchanged: impl FnOnce(&Index) -> bool,
        work: impl FnOnce() -> T + Send,
        enter: impl FnOnce(&mut Index, T) -> U,
    ) -> Option<U> {
        let turn = self.turn.get(Mutex::default);
        let _turn = locked(turn.lock_py_attached(py));
        if !unchanged(&locked(self.index.lock_py_attached(py))) {
            return None;
        }
        let done = if changes <= SMALL_CHANGE { work() } else { py.detach(work) };
        Some(enter(&mut locked(self.index.lock_py_attached(py)), done))
    }

    /// Removes the rule of this name; false if there is none.
    pub fn remove(&self, py: Python<'_>, rules: &RuleSet, name: &Name) -> PyResult<bool> {
        loop {
            let lookup = self.look_up(py, name)?;
            let Some(found) = lookup.found else { return Ok(false) };
            if self.forget(py, rules, |index| index.unchanged(&lookup), &[found]) {
                return Ok(true);
            }
        }
    }

    /// Removes all rules.
    pub fn clear(&self, py: Python<'_>, rules: &RuleSet) {
        loop {
            let all: Vec<RuleId> = locked(self.index.lock_py_attached(py)).table.iter().copied().collect();
            let unchanged = |index: &Index| index.table.len() == all.len() && index.table.iter().eq(&all);
            if self.forget(py, rules, unchanged, &all) {
                return;
            }
        }
    }

    /// Removes rules, unless something has changed.
    fn forget(&self, py: Python<'_>, rules: &RuleSet, unchanged: impl FnOnce(&Index) -> bool, gone: &[RuleId]) -> bool {
        // Without anything put, no capacity can be exceeded.
        let remove = || rules.apply(Change { remove: gone.to_vec(), put: vec![] }).map_or_else(|_| vec![], |applied| applied.released);
        let enter = |index: &mut Index, released| {
            gone.iter().for_each(|id| index.remove(*id));
            self.free(released)
        };
        let freed = self.in_turn(py, gone.len(), unchanged, remove, enter);
        freed.map(|freed| freed.into_iter().for_each(|taken| taken.drop(py))).is_some()
    }

    /// Looks a name up as a dict does: same hash, then identity, then equality.
    fn look_up(&self, py: Python<'_>, name: &Name) -> PyResult<Lookup> {
        let mut candidates = Vec::new();
        let mut seen = Vec::new();
        {
            let index = locked(self.index.lock_py_attached(py));
            for id in index.of_hash(name.hash) {
                seen.push((id, index.born[id as usize]));
                candidates.extend(self.get(py, id).map(|object| (id, object)));
            }
        }
        let given = name.object.bind(py);
        for (id, object) in candidates {
            if object.is(given) || object.eq(given)? {
                return Ok(Lookup { hash: name.hash, seen, found: Some(id) });
            }
        }
        Ok(Lookup { hash: name.hash, seen, found: None })
    }

    /// For the garbage collector.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for slot in self.slots.iter().filter_map(OnceLock::get).flatten() {
            // SAFETY: `Py` is a transparent pointer that is not null, `Option<Py>` and the slot's atomic pointer have the
            // same size and meaning; the collector runs while no thread changes slots.
            let object = unsafe { &*ptr::from_ref(slot).cast::<Option<Py<PyAny>>>() };
            visit.call(object)?;
        }
        Ok(())
    }

    /// For the garbage collector: drops all names of a matcher that nobody can reach any more.
    pub fn take_apart(&self, py: Python<'_>) {
        for slot in self.slots.iter().filter_map(OnceLock::get).flatten() {
            if let Some(object) = NonNull::new(slot.swap(ptr::null_mut(), Ordering::AcqRel)) {
                Taken(object).drop(py);
            }
        }
    }

    fn slot(&self, id: RuleId) -> Option<&Slot> {
        let (chunk, at) = place(id);
        self.slots[chunk].get().map(|slots| &slots[at])
    }

    /// The object in a slot. The caller holds a snapshot that names the number, or the index that lists it.
    #[inline]
    fn get<'py>(&self, py: Python<'py>, id: RuleId) -> Option<Bound<'py, PyAny>> {
        let object = self.slot(id)?.load(Ordering::Acquire);
        // SAFETY: null or an object that the slot owns; by the invariant it is not taken out meanwhile.
        unsafe { Bound::from_borrowed_ptr_or_opt(py, object) }
    }

    /// Puts an object into its slot.
    fn fill(&self, id: RuleId, object: Py<PyAny>) {
        let (chunk, at) = place(id);
        let slots = self.slots[chunk].get_or_init(|| (0..FIRST << chunk).map(|_| Slot::default()).collect());
        // A released number's slot was emptied before the number was given out again; only a child of a fork may find
        // what its parent was about to drop, and never drops it.
        slots[at].store(object.into_ptr(), Ordering::Release);
    }

    fn free(&self, released: Vec<RuleId>) -> Vec<Taken> {
        let objects = released.into_iter().filter_map(|id| NonNull::new(self.slot(id)?.swap(ptr::null_mut(), Ordering::AcqRel)));
        objects.map(Taken).collect()
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        Python::attach(|py| self.take_apart(py));
    }
}

impl Index {
    fn of_hash(&self, hash: isize) -> impl Iterator<Item = RuleId> + '_ {
        self.table.iter_hash(spread(hash)).copied().filter(move |id| self.hashes[*id as usize] == hash)
    }

    /// Whether a lookup would find today what it found then.
    fn unchanged(&self, lookup: &Lookup) -> bool {
        let mut seen = lookup.seen.iter();
        self.of_hash(lookup.hash).all(|id| seen.next() == Some(&(id, self.born[id as usize]))) && seen.next().is_none()
    }

    fn all_unchanged(&self, lookups: &[Lookup]) -> bool {
        lookups.iter().all(|lookup| self.unchanged(lookup))
    }

    /// Makes room for so many names; for many exactly, as they seldom grow by as many again.
    fn reserve(&mut self, names: usize) {
        if names > self.table.len() / 8 {
            let hashes = &self.hashes;
            self.table.reserve(names, |id| spread(hashes[*id as usize]));
            self.hashes.reserve_exact(names);
            self.born.reserve_exact(names);
        }
    }

    fn insert(&mut self, hash: isize, id: RuleId) {
        if self.hashes.len() <= id as usize {
            self.hashes.resize(id as usize + 1, 0);
            self.born.resize(id as usize + 1, 0);
        }
        self.births += 1;
        (self.hashes[id as usize], self.born[id as usize]) = (hash, self.births);
        let hashes = &self.hashes;
        self.table.insert_unique(spread(hash), id, |id| spread(hashes[*id as usize]));
    }

    fn remove(&mut self, id: RuleId) {
        if let Ok(entry) = self.table.find_entry(spread(self.hashes[id as usize]), |other| *other == id) {
            entry.remove();
        }
    }
}

/// The bits of a Python hash, which for small integers is the integer itself, over the whole word.
fn spread(hash: isize) -> u64 {
    let product = (hash as u64 as u128) * 0x9e37_79b9_7f4a_7c15;
    (product as u64) ^ ((product >> 64) as u64)
}

fn place(id: RuleId) -> (usize, usize) {
    let n = id as u64 / FIRST + 1;
    let chunk = n.ilog2();
    (chunk as usize, (id as u64 - ((1 << chunk) - 1) * FIRST) as usize)
}

/// A thread that panicked while it held the mutex left nothing half done.
fn locked<'a, T>(result: Result<MutexGuard<'a, T>, PoisonError<MutexGuard<'a, T>>>) -> MutexGuard<'a, T> {
    result.unwrap_or_else(PoisonError::into_inner)
}
