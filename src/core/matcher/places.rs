//! Array consistency of values that must all be chosen: one satisfying value for each field, no array used with two
//! different elements. The trails of an event are a tree in which parents stand before their children, so a few passes
//! over the places that a candidate's satisfying values lie in, and over those around them, answer without recursion
//! and without building anything for each candidate.
//!
//! COST: linear in the satisfying values and the depth of arrays, whatever the size of the event. Absence, which asks
//! about values that do not satisfy, is the business of `arrays`; so are more fields than `MOST`.

use crate::walk::Trail;

/// Fields that fit a set.
pub const MOST: usize = 64;

/// An element of an array, or the event itself; counts only with the stamp of the candidate at hand.
#[derive(Clone, Copy, Default)]
struct Place {
    stamp: u32,
    /// Fields with a value here.
    direct: u64,
    /// Fields with a value here or below.
    below: u64,
    /// Fields with a value in an array below.
    covered: u64,
    /// Fields with a value further up: whatever lies here is not needed.
    free: u64,
    /// Fields that an array below has yet to provide.
    lacking: u64,
}

/// An array: the fields with a value in any of its elements.
#[derive(Clone, Copy, Default)]
struct Array {
    stamp: u32,
    fields: u64,
}

/// Working memory; reused.
#[derive(Default)]
pub struct Places {
    stamp: u32,
    /// By trail.
    places: Vec<Place>,
    /// By number.
    arrays: Vec<Array>,
    /// Trails met, later in falling order.
    met: Vec<u32>,
    /// A bit a trail, to put many in order.
    bits: Vec<u64>,
}

impl Places {
    /// Begins a candidate.
    pub fn begin(&mut self, trails: &[Trail]) {
        if self.places.len() < trails.len() {
            self.places.resize(trails.len(), Place::default());
        }
        if self.stamp == u32::MAX {
            self.places.fill(Place::default());
            self.arrays.fill(Array::default());
            self.stamp = 0;
        }
        self.stamp += 1;
        self.met.clear();
        self.met.push(0);
        self.places[0] = Place { stamp: self.stamp, ..Place::default() };
    }

    /// A value that satisfies a field lies here.
    #[inline]
    pub fn add(&mut self, trails: &[Trail], trail: u32, field: usize) {
        let mut at = trail;
        while self.places[at as usize].stamp != self.stamp {
            self.places[at as usize] = Place { stamp: self.stamp, ..Place::default() };
            self.met.push(at);
            at = trails[at as usize].parent;
        }
        self.places[trail as usize].direct |= 1 << field;
    }

    /// How many places were met.
    pub fn len(&self) -> usize {
        self.met.len()
    }

    /// Whether one value for each field can be chosen; `None` when a field lies in several arrays of one place, which is
    /// another kind of question.
    pub fn consistent(&mut self, trails: &[Trail]) -> Option<bool> {
        self.order(trails.len());
        for &at in &self.met {
            let place = &mut self.places[at as usize];
            place.below |= place.direct;
            if at == 0 {
                break;
            }
            let (below, Trail { parent, array, .. }) = (place.below, trails[at as usize]);
            if self.arrays.len() <= array as usize {
                self.arrays.resize(array as usize + 1, Array::default());
            }
            let array = &mut self.arrays[array as usize];
            if array.stamp != self.stamp {
                *array = Array { stamp: self.stamp, fields: 0 };
            }
            let new = below & !array.fields;
            array.fields |= new;
            let around = &mut self.places[parent as usize];
            if new & around.covered != 0 {
                return None;
            }
            around.covered |= new;
            around.below |= below;
        }
        for &at in self.met.iter().rev() {
            let around = self.places[trails[at as usize].parent as usize];
            let place = &mut self.places[at as usize];
            place.free = if at == 0 { 0 } else { around.free | around.direct };
            place.lacking = place.covered & !(place.free | place.direct);
        }
        for &at in &self.met {
            let place = self.places[at as usize];
            if at == 0 {
                return Some(place.lacking == 0);
            }
            let Trail { parent, array, .. } = trails[at as usize];
            let fields = self.arrays[array as usize].fields;
            if place.lacking == 0 && fields & !place.free & !place.below == 0 {
                self.places[parent as usize].lacking &= !fields;
            }
        }
        unreachable!("the event itself was met")
    }

    /// Puts the trails met into falling order: children before their parents.
    fn order(&mut self, trails: usize) {
        if self.met.len() <= trails / 64 {
            self.met.sort_unstable_by(|a, b| b.cmp(a));
            return;
        }
        self.bits.clear();
        self.bits.resize(trails.div_ceil(64), 0);
        for at in self.met.drain(..) {
            self.bits[at as usize / 64] |= 1 << (at % 64);
        }
        for (n, word) in self.bits.iter().enumerate().rev() {
            let mut rest = *word;
            while rest != 0 {
                let bit = 63 - rest.leading_zeros();
                self.met.push(64 * n as u32 + bit);
                rest &= !(1 << bit);
            }
        }
    }
}
