//! A group of events that take the steps of a match together. What a step will look at is known when the step before it ends,
//! and lies in memory that no cache holds when the index is large: it is read ahead for all events of the group, so that
//! they wait for memory together and not one after the other.
//!
//! Reading ahead is a hint: a match of a group does what a match of one event does, in the same order for each event.

use super::{
    RuleId,
    snapshot::{Scratch, Snapshot, gate_of, numbers_of},
};
use crate::{
    error::EventError,
    index::{gate::Gate, segment::Segment},
    matcher::{
        hits::Hits,
        values::Values,
        verify::Event,
        visit::{Roots, VisitScratch},
    },
    walk::{
        Leaves, Validation,
        lines::{Events, Ready},
    },
};

/// Events of a group: enough to wait for memory at once, and few enough that their values stay in the nearest cache.
const GROUP: usize = 12;
/// Of an event's leads so many are read ahead.
const FORESEEN: usize = 32;
/// Events longer than this are matched by themselves.
const LONG_EVENT: usize = 64 << 10;

/// With more paths events are matched one by one: each of a group has a table by path.
const MOST_PATHS: usize = 1 << 16;

/// One event of a group; reused.
#[derive(Default)]
pub(super) struct Lane {
    leaves: Leaves,
    values: Values,
    /// Where its values lead at the root of the segment at hand.
    roots: Roots,
    /// See `Hits`.
    keys: Vec<u64>,
    steps: usize,
    /// Why it is no event. Then it has no leaves.
    fault: Option<EventError>,
}

impl Lane {
    fn event<'a>(&'a self, segment: &'a Segment, text: &'a [u8]) -> Event<'a> {
        Event { segment, values: &self.values, text, unescaped: &self.leaves.unescaped, trails: &self.leaves.trails }
    }

    fn find_roots(&mut self, segment: &Segment, text: &[u8], families: bool, scratch: &mut VisitScratch) {
        let mut roots = std::mem::take(&mut self.roots);
        self.event(segment, text).find_roots(families, &mut roots, scratch);
        self.roots = roots;
    }

    /// Finds what matches from the roots on.
    fn visit(&mut self, segment: &Segment, text: &[u8], (version, first_only): (u32, bool), scratch: &mut VisitScratch) {
        if self.fault.is_some() || first_only && !self.keys.is_empty() {
            return;
        }
        let mut keys = std::mem::take(&mut self.keys);
        let mut hits = Hits { keys: &mut keys, version, first_only, steps: self.steps, tally: None };
        let seen = self.event(segment, text).visit(&self.roots, scratch, &mut hits);
        self.steps = hits.steps;
        self.keys = keys;
        self.fault = seen.err().map(|code| EventError { code, offset: 0 });
    }
}

impl Snapshot {
    /// Calls `each` with each of the events, in their order, and what `match_text` gives for it; with `first_only` with
    /// rules only as far as `match_any` looks.
    pub fn match_each<'t>(
        &self,
        mut events: impl Events<'t>,
        level: Validation,
        first_only: bool,
        scratch: &mut Scratch,
        mut each: impl FnMut(&'t [u8], Result<&[RuleId], EventError>),
    ) {
        if self.trie.len() <= MOST_PATHS && self.segments.iter().any(|segment| segment.is_large()) {
            return self.match_together(events, level, first_only, scratch, each);
        }
        while let Some(event) = events.next_event(&mut scratch.walk, &self.limits) {
            let text = event.text();
            let found = event
                .walk_sieved((&self.trie, &self.sieves), level, &self.limits, &mut scratch.leaves)
                .and_then(|()| self.find(text, first_only, scratch));
            each(text, found.map(|()| &scratch.matches[..]));
        }
    }

    /// The same, in groups whatever the size of the index.
    #[doc(hidden)]
    pub fn match_together<'t>(
        &self,
        mut events: impl Events<'t>,
        level: Validation,
        first_only: bool,
        scratch: &mut Scratch,
        mut each: impl FnMut(&'t [u8], Result<&[RuleId], EventError>),
    ) {
        let mut lanes = std::mem::take(&mut scratch.lanes);
        lanes.resize_with(GROUP, Lane::default);
        let mut texts: [&[u8]; GROUP] = [&[]; GROUP];
        loop {
            let (mut count, mut long) = (0, None);
            while count < GROUP {
                let Some(event) = events.next_event(&mut scratch.walk, &self.limits) else { break };
                let text = event.text();
                // Lanes keep no memory that only few events need. By itself is also matched what is to be observed.
                if text.len() > LONG_EVENT || self.observer.as_ref().is_some_and(|observer| scratch.turns.is_due(observer)) {
                    long = Some(text);
                    break;
                }
                self.begin(event, level, &mut lanes[count]);
                texts[count] = text;
                count += 1;
            }
            for (at, segment) in self.segments.iter().enumerate() {
                let (reader, lanes) = ((self.version, first_only), &mut lanes[..count]);
                match gate_of(at, segment) {
                    Some(gate) => visit_few(segment, gate, &texts[..count], reader, lanes, &mut scratch.visit),
                    None => visit(segment, &texts[..count], reader, lanes, &mut scratch.visit),
                }
            }
            for (lane, text) in lanes.iter_mut().zip(&texts[..count]) {
                scratch.matches.clear();
                numbers_of(&mut lane.keys, &mut scratch.matches);
                each(text, lane.fault.map_or(Ok(&scratch.matches), Err));
            }
            match long {
                Some(event) => {
                    let found = self.match_alone(event, level, first_only, scratch);
                    each(event, found.map(|()| &scratch.matches[..]));
                }
                None if count < GROUP => break,
                None => {}
            }
        }
        scratch.lanes = lanes;
    }

    fn match_alone(&self, event: &[u8], level: Validation, first_only: bool, scratch: &mut Scratch) -> Result<(), EventError> {
        if first_only { self.match_any(event, level, scratch).map(|_| ()) } else { self.match_text(event, level, scratch) }
    }

    /// Reads an event into a lane.
    fn begin(&self, event: Ready, level: Validation, lane: &mut Lane) {
        let text = event.text();
        lane.keys.clear();
        lane.steps = self.limits.max_array_steps;
        lane.fault = event.walk_sieved((&self.trie, &self.sieves), level, &self.limits, &mut lane.leaves).err();
        if lane.fault.is_some() {
            lane.leaves.clear();
        }
        lane.values.prepare(text, &lane.leaves, &self.needs, &self.hasher);
        // There is time: the events behind this one are read first.
        self.segments.iter().filter(|segment| segment.is_large()).for_each(|segment| lane.values.expect(segment));
    }
}

/// Finds what matches in a segment, for a reader of this version; `first_only` as in `Hits`.
fn visit(segment: &Segment, texts: &[&[u8]], (version, first_only): (u32, bool), lanes: &mut [Lane], scratch: &mut VisitScratch) {
    let large = segment.is_large();
    for (lane, text) in lanes.iter_mut().zip(texts) {
        lane.values.begin(segment, text, &lane.leaves.unescaped);
        if large {
            lane.event(segment, text).expect_families(scratch);
        }
    }
    for (lane, text) in lanes.iter_mut().zip(texts) {
        lane.find_roots(segment, text, large, scratch);
        if large {
            lane.roots.leads.iter().take(FORESEEN).for_each(|lead| segment.expect_target(lead.target));
        }
    }
    if large {
        segment.foresee(lanes.iter().flat_map(|lane| lane.roots.leads.iter().take(FORESEEN)).map(|lead| lead.target));
    }
    for (lane, text) in lanes.iter_mut().zip(texts) {
        lane.visit(segment, text, (version, first_only), scratch);
    }
}

/// The same in a segment that most events pass by.
fn visit_few(segment: &Segment, gate: &Gate, texts: &[&[u8]], reader: (u32, bool), lanes: &mut [Lane], scratch: &mut VisitScratch) {
    for (lane, text) in lanes.iter_mut().zip(texts) {
        if lane.event(segment, text).passes_by(gate, scratch) {
            continue;
        }
        lane.values.begin(segment, text, &lane.leaves.unescaped);
        lane.find_roots(segment, text, false, scratch);
        lane.visit(segment, text, reader, scratch);
    }
}
