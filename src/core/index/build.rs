//! Builds a segment: places every conjunction under each condition of its best field, groups what landed together,
//! and divides groups that are too large again by another field, until nothing divides them.
//!
//! INVARIANT: copies of a conjunction are bounded: its conditions on the first chosen field, and `choose::MAX_COPIES` in all
//! when it is divided further, so memory stays linear in the text of the rules.
//! COST: about 1-3 microseconds a rule.

use super::{
    affix::AffixIndex,
    choose::{Census, Chooser},
    cidr::CidrIndex,
    encode::Encoded,
    except::Except,
    gate::{Gate, LITERALS},
    list::{ListIndex, SHORT},
    operands::{OperandId, OperandKind, Operands},
    range::{RangeIndex, asked_of_numbers},
    record::{Access, Cond, ConjId, Form, Op, Records, Share, Target},
    segment::{Family, LANE_EXACT, LANE_FOLDED, LANE_IP, NO_RUN, Node, RuleRec, Segment, need, push_run},
    skew::Skew,
    table::{DispatchTable, NodeId},
    wildcard::WildcardIndex,
};
use crate::map::Map;
use crate::{path::PathId, pattern::tree::Pattern, value::fold};
use std::sync::Arc;

/// A run up to this length is verified rather than divided.
const RUN: usize = 8;
/// So many conjunctions are worth a second thread.
const MANY: usize = 16_384;

/// A segment of more rules has no gate: hardly an event would pass it by.
const GATED: usize = 65_536;

/// A conjunction in a bucket, and how many copies of it there are.
#[derive(Clone, Copy)]
struct Member {
    conj: ConjId,
    copies: u32,
}

/// A conjunction under one condition. The order of placements groups what belongs together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Placement {
    /// Path, operator and argument, the path in the highest bits.
    place: u64,
    conj: ConjId,
    copies: u32,
}

impl Placement {
    fn new(path: PathId, op: Op, arg: u32, conj: ConjId, copies: u32) -> Self {
        Self { place: (path as u64) << 40 | (op as u64) << 32 | arg as u64, conj, copies }
    }

    fn path(&self) -> PathId {
        (self.place >> 40) as PathId
    }

    fn op(&self) -> Op {
        Op::ALL[(self.place >> 32) as usize & 0xff]
    }

    fn arg(&self) -> u32 {
        self.place as u32
    }

    /// Whether the condition is an `anything-but`.
    fn excepts(&self) -> bool {
        self.op() as u8 >= Op::NotExact as u8
    }
}

/// Where some members go.
#[derive(Default)]
struct Choices {
    placed: Vec<Choice>,
    /// By member: how it is found, and the estimated share of events that satisfy that.
    found: Vec<(Access, Share)>,
    residual: Vec<ConjId>,
}

/// A condition under which a conjunction is placed, and how many copies of it there will be.
struct Choice {
    conj: ConjId,
    path: PathId,
    cond: Cond,
    copies: u32,
}

/// The indexes under construction; becomes the segment.
pub struct IndexBuilder {
    skew: Option<Arc<Skew>>,
    operands: Operands,
    records: Records,
    entries: Vec<(NodeId, PathId, u32, Target)>,
    nodes: Vec<Node>,
    lanes: Vec<u32>,
    families: Vec<(PathId, Family)>,
    affixes: Vec<AffixIndex>,
    ranges: Vec<RangeIndex>,
    cidrs: Vec<CidrIndex>,
    wildcards: Vec<WildcardIndex>,
    excepts: Vec<Vec<Except>>,
    runs: Vec<u32>,
    needs: Vec<u8>,
}

impl IndexBuilder {
    /// From finished records, and what is known of events.
    pub fn new(encoded: Encoded, skew: Option<Arc<Skew>>) -> Self {
        Self {
            skew,
            operands: encoded.operands,
            records: encoded.records,
            needs: encoded.needs,
            entries: vec![],
            nodes: vec![],
            lanes: vec![],
            families: vec![],
            affixes: vec![],
            ranges: vec![],
            cidrs: vec![],
            wildcards: vec![],
            excepts: vec![],
            runs: vec![],
        }
    }

    /// Places all conjunctions, on at most `threads` threads, and freezes the segment.
    pub fn finish(mut self, rules: Vec<RuleRec>, sources: Map<u32, Pattern>, threads: usize) -> Segment {
        let members: Vec<Member> = (0..self.records.conjs.len() as u32).map(|conj| Member { conj, copies: 1 }).collect();
        self.node(&members, &mut Vec::new(), threads);
        self.note_needs();
        let asked = asked_of_numbers(&self.records, &self.operands);
        let long_lists = self.long_lists();
        let seed = self.operands.hasher().hash(OperandKind::Literal, b"dispatch");
        self.operands.freeze();
        let gate = self.gate(rules.len());
        let entries = self.entries.iter().map(|(node, path, operand, target)| (*node, *path, self.tag(*operand), *target));
        let table = DispatchTable::new(entries, seed);
        self.runs.shrink_to_fit();
        let mut segment = Segment {
            table,
            operands: self.operands,
            records: self.records,
            nodes: self.nodes,
            lanes: self.lanes,
            families: self.families,
            ahead: vec![],
            affixes: self.affixes,
            ranges: self.ranges,
            cidrs: self.cidrs,
            wildcards: self.wildcards,
            excepts: self.excepts,
            runs: self.runs,
            needs: self.needs,
            asked,
            rules,
            long_lists,
            sources,
            gate,
            bytes: 0,
        };
        segment.ahead = segment.foreseeable();
        segment.bytes = segment.size_bytes();
        segment.collapse();
        segment
    }

    /// A gate before the root of a small segment. None where the root looks for numbers by their text, which have no tag, or
    /// has rules that every event meets.
    fn gate(&self, rules: usize) -> Option<Gate> {
        if rules > GATED || self.operands.has_number_texts() || self.nodes[0].residual != NO_RUN {
            return None;
        }
        let pairs = self.entries.iter().filter(|(node, ..)| *node == 0).map(|(_, path, operand, _)| (*path, self.tag(*operand)));
        Some(Gate::new(&pairs.collect::<Vec<_>>()))
    }

    /// The tag under which values that may equal an operand are looked for.
    fn tag(&self, operand: OperandId) -> u32 {
        let operands = &self.operands;
        match LITERALS.get(operand as usize) {
            Some(tag) => *tag,
            None => operands.hasher().tag(operands.kind(operand), operands.bytes(operand)),
        }
    }

    /// Builds a node over the members and returns its number. `used` holds the paths divided by on the way here.
    fn node(&mut self, members: &[Member], used: &mut Vec<PathId>, threads: usize) -> NodeId {
        let id = self.nodes.len() as NodeId;
        self.nodes.push(Node { residual: NO_RUN, ..Node::default() });
        let census = Census::new(members.iter().map(|m| m.conj), &self.records, self.operands.len(), used);
        let (mut placements, mut residual) = (Vec::with_capacity(members.len()), Vec::new());
        let mut at = 0;
        for mut choices in self.choices(members, &census, used, threads) {
            for Choice { conj, path, cond, copies } in choices.placed {
                let (op, arg) = self.placement(cond);
                placements.push(Placement::new(path, op, arg, conj, copies));
            }
            for (access, share) in choices.found {
                self.note_access(members[at], used.is_empty(), access, share);
                at += 1;
            }
            residual.append(&mut choices.residual);
        }
        drop(census);
        sort(&mut placements, threads);
        if !residual.is_empty() {
            self.nodes[id as usize].residual = push_run(&mut self.runs, residual).0;
        }
        self.dispatch(id, placements, used);
        id
    }

    /// Where the members go, and which go nowhere; in pieces, in the order of the members.
    fn choices(&self, members: &[Member], census: &Census, used: &[PathId], threads: usize) -> Vec<Choices> {
        let (records, skew) = (&self.records, self.skew.as_deref());
        let chooser = Chooser { records, operands: &self.operands, skew, census, used };
        let choose = |members: &[Member]| {
            let mut choices = Choices { placed: Vec::with_capacity(members.len()), ..Choices::default() };
            for Member { conj, copies } in members {
                let Some(found) = chooser.find(*conj, *copies) else {
                    choices.residual.push(*conj);
                    choices.found.push((Access::Nothing, Share::default()));
                    continue;
                };
                let start = choices.placed.len();
                for field in &found.fields[..] {
                    records.each_cond(field, |cond| choices.placed.push(Choice { conj: *conj, path: field.path(), cond, copies: 0 }));
                }
                let copies = copies.saturating_mul((choices.placed.len() - start) as u32);
                choices.placed[start..].iter_mut().for_each(|choice| choice.copies = copies);
                choices.found.push((found.access, Share::new(found.share)));
            }
            choices
        };
        if threads <= 1 || members.len() < MANY {
            return vec![choose(members)];
        }
        let pieces: Vec<&[Member]> = members.chunks(members.len().div_ceil(threads)).collect();
        std::thread::scope(|scope| {
            let start = |piece| std::thread::Builder::new().spawn_scoped(scope, move || choose(piece));
            let others: Vec<_> = pieces[1..].iter().map(|piece| start(*piece)).collect();
            let mut all = vec![choose(pieces[0])];
            for (thread, piece) in others.into_iter().zip(&pieces[1..]) {
                all.push(match thread {
                    Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                    // Where there can be no more threads, this one does the work.
                    Err(_) => choose(piece),
                });
            }
            all
        })
    }

    /// Notes how a conjunction is found at the root, and for how many events it is a candidate in the end: each of its
    /// copies is divided further by itself.
    fn note_access(&mut self, member: Member, root: bool, access: Access, share: Share) {
        if root {
            self.records.set_access(member.conj, access);
        }
        let share = if member.copies == 1 { share.get() } else { share.get().powf(1.0 / f64::from(member.copies)) };
        let rec = &mut self.records.conjs[member.conj as usize];
        rec.share = Share::new(rec.share.get() * share);
    }

    /// The operator and argument under which a condition is stored: texts that fold or reverse alike share one place.
    fn placement(&mut self, cond: Cond) -> (Op, u32) {
        let reversed = |text: &[u8]| text.iter().rev().copied().collect::<Vec<u8>>();
        let folded = |operands: &Operands, arg| {
            let mut out = Vec::new();
            fold::fold_into(operands.bytes(arg), &mut out);
            out
        };
        match cond.op {
            Op::IgnoreCase | Op::PrefixIgnoreCase => {
                let text = folded(&self.operands, cond.arg);
                (cond.op, self.operands.intern(OperandKind::Folded, &text))
            }
            Op::Suffix => {
                let text = reversed(self.operands.bytes(cond.arg));
                (cond.op, self.operands.intern(OperandKind::Reversed, &text))
            }
            Op::SuffixIgnoreCase => {
                let text = reversed(&folded(&self.operands, cond.arg));
                (cond.op, self.operands.intern(OperandKind::Reversed, &text))
            }
            op => (op, cond.arg),
        }
    }

    /// Turns sorted placements into the node's lists; groups become targets.
    fn dispatch(&mut self, id: NodeId, placements: Vec<Placement>, used: &mut Vec<PathId>) {
        let mut lanes: Vec<u32> = Vec::new();
        let mut families: Vec<(PathId, Family)> = Vec::new();
        let mut excepts: Vec<(PathId, Family)> = Vec::new();
        for of_path in placements.chunk_by(|a, b| a.path() == b.path()) {
            let path = of_path[0].path();
            let mut lane = 0;
            for of_op in of_path.chunk_by(|a, b| a.op() == b.op() || a.excepts() && b.excepts()) {
                let op = of_op[0].op();
                let groups = of_op.chunk_by(|a, b| a.arg() == b.arg());
                used.push(path);
                match op {
                    Op::Exact | Op::Ip | Op::IgnoreCase => {
                        lane |= match op {
                            Op::Exact => LANE_EXACT,
                            Op::Ip => LANE_IP,
                            _ => LANE_FOLDED,
                        };
                        for group in groups {
                            let target = self.target(group, used);
                            self.entries.push((id, path, group[0].arg(), target));
                        }
                    }
                    _ if of_op[0].excepts() => {
                        let (divided, listed) = self.divided(of_op, used);
                        if !divided.is_empty() {
                            families.push((path, Family::Present(self.target(&divided, used).0)));
                        }
                        if !listed.is_empty() {
                            excepts.push((path, self.except(&listed, used)));
                        }
                    }
                    _ => {
                        let items = groups.map(|group| (group[0].arg(), self.target(group, used))).collect();
                        families.push((path, self.family(op, items)));
                    }
                }
                used.pop();
            }
            if lane != 0 {
                lanes.push(path | lane);
            }
        }
        families.append(&mut excepts);
        let node = &mut self.nodes[id as usize];
        node.lanes = (self.lanes.len() as u32, (self.lanes.len() + lanes.len()) as u32);
        node.families = (self.families.len() as u32, (self.families.len() + families.len()) as u32);
        self.lanes.append(&mut lanes);
        self.families.append(&mut families);
    }

    fn target(&mut self, group: &[Placement], used: &mut Vec<PathId>) -> Target {
        // The same conjunction twice under one condition happens when texts fold alike.
        let different = group.chunk_by(|a, b| a.conj == b.conj).map(|same| Member { conj: same[0].conj, copies: same[0].copies });
        if group.len() > RUN {
            let members: Vec<Member> = different.collect();
            if members.len() > RUN && self.divides(&members, used) {
                return Target::node(self.node(&members, used, 1));
            }
            return push_run(&mut self.runs, members.iter().map(|m| m.conj));
        }
        push_run(&mut self.runs, different.map(|m| m.conj))
    }

    /// Whether some member has a field left that is worth dividing by.
    fn divides(&self, members: &[Member], used: &[PathId]) -> bool {
        members.iter().any(|m| self.is_divisible(m.conj, used))
    }

    fn is_divisible(&self, conj: ConjId, used: &[PathId]) -> bool {
        let rec = &self.records.conjs[conj as usize];
        self.records.fields_of(rec).iter().any(|f| {
            let mut usable = true;
            self.records.each_cond(f, |c| usable &= (c.op as u8) < Op::Present as u8);
            usable && !used.contains(&f.path())
        })
    }

    /// Of conjunctions under `anything-but` those that are many and better divided by another field, in the order of the
    /// conjunctions, and the others.
    fn divided(&self, placements: &[Placement], used: &[PathId]) -> (Vec<Placement>, Vec<Placement>) {
        let (mut divided, listed): (Vec<Placement>, Vec<Placement>) = placements.iter().partition(|p| self.is_divisible(p.conj, used));
        if divided.len() <= RUN {
            return (vec![], placements.to_vec());
        }
        divided.sort_unstable_by_key(|p| p.conj);
        (divided, listed)
    }

    fn except(&mut self, placements: &[Placement], used: &mut Vec<PathId>) -> Family {
        let mut list = Vec::new();
        for group in placements.chunk_by(|a, b| a.place == b.place) {
            let (target, cond) = (self.target(group, used), Cond { op: group[0].op(), arg: group[0].arg() });
            list.push(Except::new(cond, target, &self.operands, &self.records));
        }
        list.shrink_to_fit();
        self.excepts.push(list);
        Family::Except(self.excepts.len() as u32 - 1)
    }

    fn family(&mut self, op: Op, items: Vec<(u32, Target)>) -> Family {
        fn add<T>(list: &mut Vec<T>, item: T) -> u32 {
            list.push(item);
            list.len() as u32 - 1
        }
        match op {
            Op::Prefix | Op::PrefixIgnoreCase | Op::Suffix | Op::SuffixIgnoreCase => {
                let n = add(&mut self.affixes, AffixIndex::new(items, &self.operands, false));
                match op {
                    Op::Prefix => Family::Prefix(n),
                    Op::PrefixIgnoreCase => Family::FoldedPrefix(n),
                    Op::Suffix => Family::Suffix(n),
                    _ => Family::FoldedSuffix(n),
                }
            }
            Op::Range => {
                let items = items.into_iter().map(|(n, t)| (self.records.ranges[n as usize], t)).collect();
                Family::Range(add(&mut self.ranges, RangeIndex::new(items)))
            }
            Op::Cidr => {
                let items = items.into_iter().map(|(n, t)| (self.records.cidrs[n as usize], t)).collect();
                Family::Cidr(add(&mut self.cidrs, CidrIndex::new(items)))
            }
            Op::Wildcard => {
                let items = items.into_iter().map(|(n, t)| (self.records.wildcards[n as usize].clone(), t)).collect();
                Family::Wildcard(add(&mut self.wildcards, WildcardIndex::new(items, self.operands.hasher(), false)))
            }
            Op::Absent => Family::Absent(items[0].1.0),
            _ => Family::Present(items[0].1.0),
        }
    }

    /// Indexes for the lists that verification should not walk: alternatives under `Op::Exact`, things that must not be
    /// under their own operator.
    fn long_lists(&mut self) -> Map<(Op, u32), ListIndex> {
        let mut found: Map<(Op, u32), Vec<Cond>> = Map::default();
        for field in &self.records.fields {
            let mut note = |cond: Cond| {
                let inner = match cond.op {
                    Op::NotPrefix => Op::Prefix,
                    Op::NotSuffix => Op::Suffix,
                    Op::NotIgnoreCase => Op::IgnoreCase,
                    Op::NotWildcard => Op::Wildcard,
                    _ => return,
                };
                let list = self.records.list(cond.arg);
                if list.len() > SHORT {
                    let conds = || list.iter().map(|&arg| Cond { op: inner, arg }).collect();
                    found.entry((cond.op, cond.arg)).or_insert_with(conds);
                }
            };
            match field.form() {
                Form::One(cond) => note(cond),
                Form::AnyExact(_) => {}
                Form::Any(at) => {
                    let conds = self.records.any(at);
                    conds.iter().for_each(|c| note(*c));
                    if conds.len() > SHORT {
                        found.entry((Op::Exact, at)).or_insert_with(|| conds.to_vec());
                    }
                }
            }
        }
        found.into_iter().map(|(key, conds)| (key, ListIndex::new(&conds, &mut self.operands, &self.records))).collect()
    }

    /// What dispatch will ask about the values of each path, beside what verification asks.
    fn note_needs(&mut self) {
        for lane in &self.lanes {
            let need = &mut self.needs[(lane & 0xff_ffff) as usize];
            if lane & LANE_EXACT != 0 {
                *need |= need::TAG;
            }
            if lane & LANE_FOLDED != 0 {
                *need |= need::FOLDED;
            }
        }
        for (path, family) in &self.families {
            if matches!(family, Family::FoldedPrefix(_) | Family::FoldedSuffix(_)) {
                self.needs[*path as usize] |= need::FOLDED;
            }
        }
    }
}

/// Sorts, each part on a thread of its own; what is sorted in parts is merged in one pass.
fn sort(placements: &mut [Placement], threads: usize) {
    if threads > 1 && placements.len() >= MANY {
        let part = placements.len().div_ceil(threads);
        std::thread::scope(|scope| {
            for part in placements.chunks_mut(part) {
                let _ = std::thread::Builder::new().spawn_scoped(scope, || part.sort_unstable());
            }
        });
        placements.sort();
    } else {
        placements.sort_unstable();
    }
}
