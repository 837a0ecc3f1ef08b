//! Verification: does a condition, a field, a conjunction hold for the event at hand?

use super::{arrays, value::Value, values::Values};
use crate::map::Map;
use crate::{
    error::EventErrorCode,
    index::{
        list::{ListScratch, Question, SHORT},
        operands::{NONE, OperandId, OperandKind},
        record::{Branch, Cond, ConjId, ConjRec, FieldRec, Form, HAS_OR, Op, SHARES_ARRAYS},
        segment::{Segment, need},
        wildcard,
    },
    path::PathId,
    value::{fold, text},
    walk::{Kind, Trail},
};

/// An event under test against a segment: all that verification reads.
pub struct Event<'a> {
    /// The segment.
    pub segment: &'a Segment,
    /// The prepared values.
    pub values: &'a Values,
    /// The event's text.
    pub text: &'a [u8],
    /// Unescaped texts of values.
    pub unescaped: &'a [u8],
    /// The ways through arrays.
    pub trails: &'a [Trail],
}

/// What is known of a conjunction before it is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// The field of this path holds, unless it is `NONE`.
    path: PathId,
    /// This value, unless it is `NONE`, satisfies the field of its path, or so it seems.
    by: u32,
}

impl Default for Known {
    /// Nothing.
    fn default() -> Self {
        Self { path: NONE, by: NONE }
    }
}

impl Known {
    /// The field of a path holds.
    pub fn field(path: PathId) -> Self {
        Self { path, by: NONE }
    }

    /// A value seems to satisfy the field of its path.
    pub fn by(value: u32) -> Self {
        Self { path: NONE, by: value }
    }

    /// Whether that is all that the conjunction demands.
    #[inline]
    pub fn suffices(&self, rec: &ConjRec) -> bool {
        self.path != NONE && rec.field_count == 1 && rec.flags & HAS_OR == 0
    }
}

/// So many prefixes are looked for in each string of a long chain before its strings are sorted.
const MANY_PREFIXES: u32 = 32;

/// Verdicts that are dear and asked for again; lives as long as one event in one segment.
#[derive(Default)]
pub struct Memo {
    conds: Map<(PathId, Cond), bool>,
    conjs: Map<ConjId, bool>,
    lists: ListScratch,
    /// Prefixes that long chains were searched for.
    prefixes: u32,
    /// A folded operand.
    folded: Vec<u8>,
    /// Working memory of the array check.
    pub arrays: arrays::ArrayScratch,
}

impl Memo {
    /// Forgets everything.
    #[inline]
    pub fn clear(&mut self) {
        self.prefixes = 0;
        if !self.conds.is_empty() {
            self.conds.clear();
        }
        if !self.conjs.is_empty() {
            self.conjs.clear();
        }
    }
}

impl Event<'_> {
    /// The operand of a value; looked up when it is asked for.
    #[inline(always)]
    pub fn operand(&self, value: &Value) -> OperandId {
        self.values.operand(value, self.segment, self.text, self.unescaped)
    }

    /// Whether this is the operand of a value.
    #[inline(always)]
    fn is(&self, value: &Value, operand: OperandId) -> bool {
        self.values.is(operand, value, self.segment, self.text, self.unescaped)
    }

    /// Whether one value satisfies a condition (never `Absent`).
    pub fn value_holds(&self, value: &Value, cond: Cond) -> bool {
        let segment = self.segment;
        let operand = |arg: u32| segment.operands.bytes(arg);
        let string = || (value.kind == Kind::String).then(|| value.bytes(self.text, self.unescaped));
        let listed = || segment.records.list(cond.arg);
        match cond.op {
            Op::Exact => self.is(value, cond.arg),
            Op::Ip => self.values.address(value).is_some_and(|address| address.ip.bytes()[..] == *operand(cond.arg)),
            Op::IgnoreCase => string().is_some_and(|t| fold::meets_all(t, operand(cond.arg))),
            Op::Prefix => string().is_some_and(|t| text::begins(t, operand(cond.arg))),
            Op::PrefixIgnoreCase => string().is_some_and(|t| fold::meets_prefix(t, operand(cond.arg)).is_some()),
            Op::Suffix => string().is_some_and(|t| text::ends(t, operand(cond.arg))),
            Op::SuffixIgnoreCase => string().is_some_and(|t| fold::meets_suffix(t, operand(cond.arg))),
            Op::Wildcard => string().is_some_and(|t| wildcard::accepts(&segment.records.wildcards[cond.arg as usize], t)),
            Op::Range => {
                let range = &segment.records.ranges[cond.arg as usize];
                value.near_key(self.text, self.unescaped).is_some_and(|key| range.lo <= key && key <= range.hi)
                    && value.comparable_key(self.text, self.unescaped).is_some()
            }
            Op::Cidr => self.values.address(value).is_some_and(|address| segment.records.cidrs[cond.arg as usize].contains(address.ip)),
            Op::Present => true,
            Op::Absent => false,
            Op::NotExact => match string() {
                // Strings of which only few texts are asked have no operand.
                Some(text) if segment.need(value.path) & need::STRING == 0 => {
                    !listed().iter().any(|o| segment.operands.is(*o, OperandKind::String, text))
                }
                _ => listed().binary_search(&self.operand(value)).is_err(),
            },
            Op::NotPrefix => !string().is_some_and(|t| listed().iter().any(|o| text::begins(t, operand(*o)))),
            Op::NotSuffix => !string().is_some_and(|t| listed().iter().any(|o| text::ends(t, operand(*o)))),
            Op::NotIgnoreCase => !string().is_some_and(|t| listed().iter().any(|o| fold::meets_all(t, operand(*o)))),
            Op::NotWildcard => {
                !string().is_some_and(|t| listed().iter().any(|w| wildcard::accepts(&segment.records.wildcards[*w as usize], t)))
            }
        }
    }

    /// Whether one value satisfies a condition (never `Absent`), with the help of the indexes of long lists.
    #[inline]
    pub fn accepts(&self, value: &Value, cond: Cond, memo: &mut Memo) -> bool {
        if matches!(cond.op, Op::NotPrefix | Op::NotSuffix | Op::NotIgnoreCase | Op::NotWildcard)
            && self.segment.records.list(cond.arg).len() > SHORT
            && let Some(index) = self.segment.long_lists.get(&(cond.op, cond.arg))
        {
            return !index.accepts(&self.question(value), &self.segment.operands, &mut memo.lists)
                && !index.rest().iter().any(|cond| self.value_holds(value, *cond));
        }
        self.value_holds(value, cond)
    }

    /// Whether one value satisfies one of a field's conditions other than absence.
    #[inline]
    pub fn value_satisfies(&self, value: &Value, field: &FieldRec, memo: &mut Memo) -> bool {
        match field.form() {
            Form::One(cond) => self.accepts(value, cond, memo),
            Form::AnyExact(at) => {
                let operand = self.operand(value);
                operand != NONE && self.segment.records.list(at).binary_search(&operand).is_ok()
            }
            Form::Any(at) => {
                let conds = self.segment.records.any(at);
                if conds.len() > SHORT
                    && let Some(index) = self.segment.long_lists.get(&(Op::Exact, at))
                {
                    return index.accepts(&self.question(value), &self.segment.operands, &mut memo.lists)
                        || index.rest().iter().any(|cond| self.accepts(value, *cond, memo));
                }
                conds.iter().any(|cond| self.accepts(value, *cond, memo))
            }
        }
    }

    fn question<'b>(&'b self, value: &Value) -> Question<'b> {
        let address = self.values.address(value);
        Question {
            text: (value.kind == Kind::String).then(|| value.bytes(self.text, self.unescaped)),
            operand: self.operand(value),
            ip_operand: address.map_or(NONE, |a| self.segment.operands.find(a.tag, OperandKind::Ip, &a.ip.bytes())),
            ip: address.map(|a| a.ip),
            key: value.comparable_key(self.text, self.unescaped),
        }
    }

    #[inline]
    fn exact_holds(&self, path: PathId, operand: OperandId) -> bool {
        let mut at = self.values.first(path);
        if at != NONE && self.values.is_long(path) {
            return self.values.contains(path, operand);
        }
        while at != NONE {
            let value = &self.values.values[at as usize];
            if self.is(value, operand) {
                return true;
            }
            at = value.next;
        }
        false
    }

    /// Whether some value of the path satisfies the condition; `loose` lets absence pass, the array check decides it.
    pub fn cond_holds(&self, path: PathId, cond: Cond, loose: bool, memo: &mut Memo) -> bool {
        if cond.op == Op::Absent {
            return loose || self.values.first(path) == NONE;
        }
        if cond.op == Op::Exact {
            return self.exact_holds(path, cond.arg);
        }
        let at = self.values.first(path);
        match self.values.values.get(at as usize) {
            None => false,
            // One value, as nearly always.
            Some(value) if value.next == NONE => self.accepts(value, cond, memo),
            Some(_) => self.cond_holds_for_any(path, cond, memo),
        }
    }

    /// Whether one of several values of the path satisfies the condition.
    fn cond_holds_for_any(&self, path: PathId, cond: Cond, memo: &mut Memo) -> bool {
        let long = self.values.is_long(path);
        if long && let Some(known) = memo.conds.get(&(path, cond)) {
            return *known;
        }
        let mut at = self.values.first(path);
        let mut found = false;
        if long && cond.op == Op::IgnoreCase && self.segment.need(path) & need::FOLDED != 0 {
            // What meets the operand has its fold.
            let operands = &self.segment.operands;
            memo.folded.clear();
            fold::fold_into(operands.bytes(cond.arg), &mut memo.folded);
            let mut alike = self.values.folded_like(path, operands.hasher().tag(OperandKind::Folded, &memo.folded));
            found = alike.any(|at| self.value_holds(&self.values.values[at as usize], cond));
            at = NONE;
        }
        if long && cond.op == Op::Prefix {
            // To sort the strings pays when many ask.
            memo.prefixes += 1;
            if memo.prefixes > MANY_PREFIXES {
                found = self.values.begins(path, self.segment.operands.bytes(cond.arg), self.text, self.unescaped);
                at = NONE;
            }
        }
        while at != NONE && !found {
            let value = &self.values.values[at as usize];
            found = self.accepts(value, cond, memo);
            at = value.next;
        }
        if long {
            memo.conds.insert((path, cond), found);
        }
        found
    }

    /// Whether a field holds by itself.
    #[inline]
    pub fn field_holds(&self, field: &FieldRec, loose: bool, memo: &mut Memo) -> bool {
        let path = field.path();
        if let Some(operand) = field.exact() {
            return self.exact_holds(path, operand);
        }
        match field.form() {
            Form::One(cond) => self.cond_holds(path, cond, loose, memo),
            Form::AnyExact(at) => self.any_exact_holds(path, self.segment.records.list(at)),
            Form::Any(at) if self.segment.records.any(at).len() > SHORT => {
                let absent = (loose || self.values.first(path) == NONE) && self.segment.records.may_be_absent(field);
                absent || self.long_list_holds(field, memo)
            }
            Form::Any(at) => self.segment.records.any(at).iter().any(|cond| self.cond_holds(path, *cond, loose, memo)),
        }
    }

    /// Whether some value satisfies a field of many alternatives.
    fn long_list_holds(&self, field: &FieldRec, memo: &mut Memo) -> bool {
        let mut at = self.values.first(field.path());
        while at != NONE {
            let value = &self.values.values[at as usize];
            if self.value_satisfies(value, field, memo) {
                return true;
            }
            at = value.next;
        }
        false
    }

    /// Whether a value of the path is in a sorted list: the shorter side is walked, the longer searched.
    fn any_exact_holds(&self, path: PathId, list: &[OperandId]) -> bool {
        let mut at = self.values.first(path);
        if at != NONE && self.values.is_long(path) && list.len() < 64 {
            return list.iter().any(|operand| self.values.contains(path, *operand));
        }
        while at != NONE {
            let value = &self.values.values[at as usize];
            let operand = self.operand(value);
            if operand != NONE && if list.len() <= 8 { list.contains(&operand) } else { list.binary_search(&operand).is_ok() } {
                return true;
            }
            at = value.next;
        }
        false
    }

    fn groups_hold(&self, groups: &[Vec<Branch>], loose: bool, memo: &mut Memo) -> bool {
        groups.iter().all(|group| group.iter().any(|branch| self.branch_holds(branch, loose, memo)))
    }

    /// Whether an alternative of `$or` holds, arrays aside.
    pub fn branch_holds(&self, branch: &Branch, loose: bool, memo: &mut Memo) -> bool {
        self.segment.records.branch_fields(branch).iter().all(|f| self.field_holds(f, loose, memo))
            && self.groups_hold(&branch.groups, loose, memo)
    }

    /// Whether array elements can make a difference to fields that hold by themselves: two have values in arrays, or
    /// one that asks for absence has any.
    fn meets_in_arrays(&self, fields: &[FieldRec]) -> bool {
        let mut inside = 0;
        for field in fields {
            let path = field.path();
            if self.values.count(path) > 0 && self.segment.records.may_be_absent(field) {
                return true;
            }
            inside += self.values.in_arrays(path) as usize;
        }
        inside > 1
    }

    /// Whether a conjunction holds. `steps` is what the array check may still spend on this event.
    #[inline]
    pub fn conjunction_holds(
        &self,
        rec: &ConjRec,
        conj: ConjId,
        known: Known,
        memo: &mut Memo,
        steps: &mut usize,
    ) -> Result<bool, EventErrorCode> {
        let records = &self.segment.records;
        let loose = rec.flags & SHARES_ARRAYS != 0 && self.trails.len() > 1;
        let by = self.values.values.get(known.by as usize);
        for field in records.fields_of(rec) {
            let path = field.path();
            if path == known.path {
                continue;
            }
            if let Some(value) = by.filter(|value| value.path == path) {
                if self.value_satisfies(value, field, memo) {
                    continue;
                }
                // The only value was asked.
                if self.values.count(path) == 1 && field.is_of_one_value() {
                    return Ok(false);
                }
            }
            if !self.field_holds(field, loose, memo) {
                return Ok(false);
            }
        }
        if rec.flags & HAS_OR != 0 && !self.groups_hold(&records.groups[rec.groups as usize], loose, memo) {
            return Ok(false);
        }
        if !loose || rec.flags & HAS_OR == 0 && !self.meets_in_arrays(records.fields_of(rec)) {
            return Ok(true);
        }
        self.is_consistent(conj, memo, steps)
    }

    /// Whether a conjunction that holds arrays aside does so with them.
    #[inline(never)]
    fn is_consistent(&self, conj: ConjId, memo: &mut Memo, steps: &mut usize) -> Result<bool, EventErrorCode> {
        if let Some(known) = memo.conjs.get(&conj) {
            return Ok(*known);
        }
        let verdict = arrays::consistent(self, conj, memo, steps)?;
        memo.conjs.insert(conj, verdict);
        Ok(verdict)
    }
}
