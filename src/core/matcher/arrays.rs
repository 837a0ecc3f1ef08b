//! Array consistency: one value is chosen for each path, and no array may be used with two different elements.
//!
//! The ways of all values through arrays form a tree: a *place* is an element of an array, below it lie further
//! arrays. To choose values is to choose at every place, for each array below it, at most one element. When a path's
//! values below a place lie in one array only, each array can be decided by itself: an element will do if everything
//! demanded of its array holds inside it. So every place is looked at once; the check is linear where trying all
//! combinations multiplies sibling arrays.
//!
//! Absence (`exists: false`) is judged against the final choice: a path is absent if none of its values is consistent
//! with the chosen ones. An array in which nothing was chosen hides nothing; one used at element i hides its others.
//!
//! One path in several arrays of one place (a dotted key beside a nested one) makes the question as hard as SAT; then
//! combinations are tried, limited by `max_array_steps`.
//!
//! SOURCE: specification, sections 3 and 8. Tested against trying all combinations in `tests/`.

use super::{
    places::{self, Places},
    verify::{Event, Memo},
};
use crate::{
    error::EventErrorCode,
    index::{
        operands::NONE,
        record::{Branch, Cond, ConjId, FieldRec, Form, Op},
    },
};

/// What is demanded of a field at some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    /// A value must be chosen.
    Must,
    /// Its path must be absent.
    Absent,
    /// Either of both.
    Either,
    /// Satisfied further up; may still be chosen here.
    Free,
}

/// A set of fields; a conjunction has at most 256 paths on any branch.
type FieldSet = [u64; 4];

fn has(set: &FieldSet, field: usize) -> bool {
    set[field / 64] >> (field % 64) & 1 != 0
}

fn join(into: &mut FieldSet, other: &FieldSet) {
    into.iter_mut().zip(other).for_each(|(a, b)| *a |= b);
}

/// An element of an array, or the event itself.
#[derive(Clone, Copy, Default)]
struct Place {
    parent: u32,
    array: u32,
    /// Fields with values here or below.
    below: FieldSet,
    /// Range of `ArrayScratch::found`, once sorted.
    found: (u32, u32),
    /// Range of `ArrayScratch::children`.
    children: (u32, u32),
}

/// A value of a field at a place.
#[derive(Clone, Copy)]
struct Found {
    place: u32,
    field: u16,
    satisfies: bool,
    value: u32,
}

/// Working memory; reused.
#[derive(Default)]
pub struct ArrayScratch {
    fields: Vec<FieldRec>,
    /// For conjunctions without absence.
    quick: Places,
    places: Vec<Place>,
    /// By trail: its place, or `NONE`.
    place_of: Vec<u32>,
    found: Vec<Found>,
    /// Places other than the root, sorted by parent and array.
    children: Vec<u32>,
}

/// So many values looked at cost a step.
const VALUES_A_STEP: usize = 16;

enum Trouble {
    /// A path lies in several arrays of one place.
    Tangled,
    TooComplex,
}

/// Whether a conjunction, each of whose fields holds by itself, holds with array consistency.
pub fn consistent(event: &Event<'_>, conj: ConjId, memo: &mut Memo, steps: &mut usize) -> Result<bool, EventErrorCode> {
    let records = &event.segment.records;
    let rec = &records.conjs[conj as usize];
    let mut scratch = std::mem::take(&mut memo.arrays);
    scratch.fields.clear();
    scratch.fields.extend_from_slice(records.fields_of(rec));
    let groups: Vec<&[Branch]> = records.groups_of(rec).unwrap_or(&[]).iter().map(|g| &g[..]).collect();
    let absence = records.fields_of(rec).iter().any(|f| records.may_be_absent(f)) || groups.iter().any(|g| asks_absence(event, g));
    // Without absence more fields only demand more: what fails in part fails as a whole.
    let early = !groups.is_empty() && !absence && scratch.fields.len() > 1;
    if early && matches!(branch_consistent(event, &mut scratch, memo, steps), Ok(false)) {
        memo.arrays = scratch;
        return Ok(false);
    }
    let verdict = choose_branches(event, &groups, absence, &mut scratch, memo, steps);
    memo.arrays = scratch;
    verdict.map_err(|_| EventErrorCode::TooComplex)
}

/// Whether `exists: false` stands anywhere in a group.
fn asks_absence(event: &Event<'_>, group: &[Branch]) -> bool {
    let records = &event.segment.records;
    group.iter().any(|branch| {
        records.branch_fields(branch).iter().any(|f| records.may_be_absent(f)) || branch.groups.iter().any(|g| asks_absence(event, g))
    })
}

/// Chooses an alternative of each `$or` group in turn, then asks for consistency of the whole.
fn choose_branches(
    event: &Event<'_>,
    groups: &[&[Branch]],
    absence: bool,
    scratch: &mut ArrayScratch,
    memo: &mut Memo,
    steps: &mut usize,
) -> Result<bool, Trouble> {
    let Some((group, rest)) = groups.split_first() else {
        return branch_consistent(event, scratch, memo, steps);
    };
    let kept = scratch.fields.len();
    // An alternative without any value in an array restricts nothing, so no other can do better, unless absence is in
    // play, to which a used array can help.
    let plain = if absence { None } else { group.iter().find(|b| plain(event, b) && event.branch_holds(b, true, memo)) };
    let candidates = match plain {
        Some(branch) => std::slice::from_ref(branch),
        None => group,
    };
    for branch in candidates {
        spend(steps, 1)?;
        if !event.branch_holds(branch, true, memo) {
            continue;
        }
        scratch.fields.extend_from_slice(event.segment.records.branch_fields(branch));
        let inner: Vec<&[Branch]> = branch.groups.iter().map(|g| &g[..]).chain(rest.iter().copied()).collect();
        let early = !absence && !inner.is_empty() && scratch.fields.len() > 1;
        let verdict = match early.then(|| branch_consistent(event, scratch, memo, steps)) {
            Some(Ok(false)) => Ok(false),
            Some(Err(trouble)) => Err(trouble),
            Some(Ok(true)) | None => choose_branches(event, &inner, absence, scratch, memo, steps),
        };
        scratch.fields.truncate(kept);
        if verdict? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether every value of an alternative's paths lies outside all arrays.
fn plain(event: &Event<'_>, branch: &Branch) -> bool {
    let records = &event.segment.records;
    branch.groups.is_empty() && records.branch_fields(branch).iter().all(|field| !event.values.in_arrays(field.path()))
}

fn spend(steps: &mut usize, n: usize) -> Result<(), Trouble> {
    *steps = steps.checked_sub(n).ok_or(Trouble::TooComplex)?;
    Ok(())
}

/// Consistency of the fields in `scratch.fields`.
fn branch_consistent(event: &Event<'_>, scratch: &mut ArrayScratch, memo: &mut Memo, steps: &mut usize) -> Result<bool, Trouble> {
    let records = &event.segment.records;
    if let Some(verdict) = quickly_consistent(event, scratch, memo, steps)? {
        return Ok(verdict);
    }
    // One look is linear in the event; candidates and combinations of alternatives multiply it, so looks are counted.
    let values: usize = scratch.fields.iter().map(|f| event.values.count(f.path())).sum();
    spend(steps, 1 + values / VALUES_A_STEP)?;
    let demands: Vec<Demand> = scratch
        .fields
        .iter()
        .map(|f| match f.form() {
            Form::One(Cond { op: Op::Absent, .. }) => Demand::Absent,
            _ if records.may_be_absent(f) => Demand::Either,
            _ => Demand::Must,
        })
        .collect();
    spread_out(event, scratch, memo);
    match decide(scratch, 0, &demands) {
        Ok(verdict) => Ok(verdict.is_some()),
        Err(Trouble::Tangled) => try_all(event, scratch, &demands, steps),
        Err(trouble) => Err(trouble),
    }
}

/// The same where only values that satisfy count; `None` where others do, too, or where combinations must be tried.
fn quickly_consistent(event: &Event<'_>, scratch: &mut ArrayScratch, memo: &mut Memo, steps: &mut usize) -> Result<Option<bool>, Trouble> {
    let records = &event.segment.records;
    // What may be absent and has no value is absent.
    let counts = |f: &FieldRec| event.values.count(f.path()) > 0 || !records.may_be_absent(f);
    let mut fields = scratch.fields.iter().filter(|f| counts(f));
    if fields.clone().count() > places::MOST || fields.any(|f| records.may_be_absent(f)) {
        return Ok(None);
    }
    let mut looked = 0;
    scratch.quick.begin(event.trails);
    for (n, field) in scratch.fields.iter().filter(|f| counts(f)).enumerate() {
        if let (Some(operand), true) = (field.exact(), event.values.is_long(field.path())) {
            for at in event.values.equal(field.path(), operand) {
                looked += 1;
                scratch.quick.add(event.trails, event.values.values[at as usize].trail, n);
            }
            continue;
        }
        let mut at = event.values.first_of_all(field.path());
        while at != NONE {
            let value = &event.values.values[at as usize];
            looked += 1;
            if event.value_satisfies(value, field, memo) {
                scratch.quick.add(event.trails, value.trail, n);
            }
            at = event.values.next_of_all(at);
        }
    }
    spend(steps, 1 + (looked + scratch.quick.len()) / VALUES_A_STEP)?;
    Ok(scratch.quick.consistent(event.trails))
}

/// Fills `places`, `found` and `children` from the values of the fields.
fn spread_out(event: &Event<'_>, scratch: &mut ArrayScratch, memo: &mut Memo) {
    scratch.places.clear();
    scratch.places.push(Place { parent: NONE, ..Place::default() });
    scratch.place_of.clear();
    scratch.place_of.resize(event.trails.len(), NONE);
    scratch.place_of[0] = 0;
    scratch.found.clear();
    for n in 0..scratch.fields.len() {
        let field = scratch.fields[n];
        let mut at = event.values.first_of_all(field.path());
        while at != NONE {
            let value = &event.values.values[at as usize];
            let satisfies = event.value_satisfies(value, &field, memo);
            let place = place_of(event, scratch, value.trail);
            scratch.places[place as usize].below[n / 64] |= 1 << (n % 64);
            scratch.found.push(Found { place, field: n as u16, satisfies, value: at });
            at = event.values.next_of_all(at);
        }
    }
    // A place's parent is always made before it.
    for at in (1..scratch.places.len()).rev() {
        let Place { parent, below, .. } = scratch.places[at];
        join(&mut scratch.places[parent as usize].below, &below);
    }
    scratch.found.sort_unstable_by_key(|f| (f.place, f.field));
    let mut at = 0;
    while at < scratch.found.len() {
        let place = scratch.found[at].place;
        let end = at + scratch.found[at..].iter().take_while(|f| f.place == place).count();
        scratch.places[place as usize].found = (at as u32, end as u32);
        at = end;
    }
    let places = &mut scratch.places;
    scratch.children.clear();
    scratch.children.extend(1..places.len() as u32);
    scratch.children.sort_unstable_by_key(|c| (places[*c as usize].parent, places[*c as usize].array));
    let mut at = 0;
    while at < scratch.children.len() {
        let parent = places[scratch.children[at] as usize].parent;
        let end = at + scratch.children[at..].iter().take_while(|c| places[**c as usize].parent == parent).count();
        places[parent as usize].children = (at as u32, end as u32);
        at = end;
    }
}

/// The place of a trail, made with those around it if it is new.
fn place_of(event: &Event<'_>, scratch: &mut ArrayScratch, trail: u32) -> u32 {
    let mut missing = Vec::new();
    let mut at = trail;
    while scratch.place_of[at as usize] == NONE {
        missing.push(at);
        at = event.trails[at as usize].parent;
    }
    let mut place = scratch.place_of[at as usize];
    for trail in missing.into_iter().rev() {
        let array = event.trails[trail as usize].array;
        scratch.places.push(Place { parent: place, array, ..Place::default() });
        place = scratch.places.len() as u32 - 1;
        scratch.place_of[trail as usize] = place;
    }
    place
}

/// Whether everything demanded below a place can hold, given that the place is used: `Some(true)` if a value can be
/// chosen at or below it in doing so, `Some(false)` if it holds but nothing is chosen.
fn decide(scratch: &ArrayScratch, id: u32, above: &[Demand]) -> Result<Option<bool>, Trouble> {
    let place = &scratch.places[id as usize];
    let found = &scratch.found[place.found.0 as usize..place.found.1 as usize];
    let children = &scratch.children[place.children.0 as usize..place.children.1 as usize];
    let mut demands = above.to_vec();
    let mut used = false;
    for of_field in found.chunk_by(|a, b| a.field == b.field) {
        let demand = &mut demands[of_field[0].field as usize];
        let satisfies = of_field.iter().any(|f| f.satisfies);
        match *demand {
            Demand::Absent => return Ok(None),
            Demand::Must | Demand::Either if satisfies => {
                *demand = Demand::Free;
                used = true;
            }
            // A value that does not satisfy is still there, whatever else is chosen.
            Demand::Either => *demand = Demand::Must,
            Demand::Free => used |= satisfies,
            Demand::Must => {}
        }
    }
    // Before any array below is judged: an array that fails by itself says nothing while another holds the same path.
    let arrays = || children.chunk_by(|a, b| scratch.places[*a as usize].array == scratch.places[*b as usize].array);
    let fields_in = |array: &[u32]| {
        array.iter().fold([0; 4], |mut inside: FieldSet, element| {
            join(&mut inside, &scratch.places[*element as usize].below);
            inside
        })
    };
    let mut covered: FieldSet = [0; 4];
    for array in arrays() {
        let inside = fields_in(array);
        if covered.iter().zip(&inside).any(|(a, b)| a & b != 0) {
            return Err(Trouble::Tangled);
        }
        join(&mut covered, &inside);
    }
    for array in arrays() {
        let inside = fields_in(array);
        let fields = || (0..demands.len()).filter(|f| has(&inside, *f));
        let mut holds = false;
        for element in array {
            let below = &scratch.places[*element as usize].below;
            if fields().all(|f| demands[f] != Demand::Must || has(below, f)) && decide(scratch, *element, &demands)? == Some(true) {
                holds = true;
                break;
            }
        }
        if holds {
            used = true;
        } else if fields().any(|f| demands[f] != Demand::Free) {
            return Ok(None);
        }
    }
    // What must be chosen and lies in no array below was not found.
    let missing = id == 0 && (0..demands.len()).any(|f| demands[f] == Demand::Must && !has(&covered, f))
        || id != 0 && (0..demands.len()).any(|f| demands[f] == Demand::Must && has(&place.below, f) && !has(&covered, f));
    Ok((!missing).then_some(used))
}

/// Tries all combinations of values.
fn try_all(event: &Event<'_>, scratch: &ArrayScratch, demands: &[Demand], steps: &mut usize) -> Result<bool, Trouble> {
    let mut by_field: Vec<Vec<(u32, bool)>> = vec![Vec::new(); demands.len()];
    for found in &scratch.found {
        by_field[found.field as usize].push((event.values.values[found.value as usize].trail, found.satisfies));
    }
    fn search(
        event: &Event<'_>,
        by_field: &[Vec<(u32, bool)>],
        demands: &[Demand],
        chosen: &mut Vec<Option<u32>>,
        steps: &mut usize,
    ) -> Result<bool, Trouble> {
        spend(steps, 1)?;
        let field = chosen.len();
        if field == demands.len() {
            for (f, choice) in chosen.iter().enumerate() {
                if choice.is_none() {
                    for (trail, _) in &by_field[f] {
                        spend(steps, chosen.len())?;
                        if chosen.iter().flatten().all(|c| agree(event, *c, *trail)) {
                            return Ok(false);
                        }
                    }
                }
            }
            return Ok(true);
        }
        if demands[field] != Demand::Absent {
            let mut tried: Vec<u32> = Vec::new();
            for (trail, satisfies) in &by_field[field] {
                spend(steps, chosen.len() + 1)?;
                if *satisfies && !tried.contains(trail) && chosen.iter().flatten().all(|c| agree(event, *c, *trail)) {
                    tried.push(*trail);
                    chosen.push(Some(*trail));
                    let verdict = search(event, by_field, demands, chosen, steps);
                    chosen.pop();
                    if verdict? {
                        return Ok(true);
                    }
                }
            }
        }
        if demands[field] != Demand::Must {
            chosen.push(None);
            let verdict = search(event, by_field, demands, chosen, steps);
            chosen.pop();
            return verdict;
        }
        Ok(false)
    }
    search(event, &by_field, demands, &mut Vec::new(), steps)
}

/// Whether two ways use no array with two different elements.
fn agree(event: &Event<'_>, a: u32, b: u32) -> bool {
    let mut at = a;
    while at != 0 {
        let step = event.trails[at as usize];
        let mut other = b;
        while other != 0 {
            let o = event.trails[other as usize];
            if o.array == step.array && o.index != step.index {
                return false;
            }
            other = o.parent;
        }
        at = step.parent;
    }
    true
}
