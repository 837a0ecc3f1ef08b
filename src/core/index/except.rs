//! `anything-but` of one path in one node: each different condition once, with where it leads. Hardly a value is one that
//! a rule excludes, so a condition is worth a glance: a word of the value tells, nearly always, that it is none of those
//! listed. What passes for one of them is compared as a whole.
//!
//! COST: a few instructions a condition, then what its rules take.

use super::{
    operands::{NONE, OperandKind, Operands},
    record::{Cond, Goes, Op, Records, Target},
};
use crate::value::text::{first_word, last_word};

/// Makes ASCII letters lower case, and keeps what is different otherwise apart well enough.
const LOWER: u64 = 0x2020_2020_2020_2020;

const BEGINNING: u8 = 0;
const END: u8 = 1;
const IN_ANY_CASE: u8 = 2;

/// The words of a string at which conditions glance: its beginning, its end, its beginning without regard to case.
#[derive(Clone, Copy)]
pub struct Words([u64; 3]);

impl Words {
    /// Those of a text.
    #[inline]
    pub fn of(text: &[u8]) -> Self {
        let first = first_word(text);
        Self([first, last_word(text), first | LOWER])
    }
}

/// A condition.
pub struct Except {
    /// Bits of a word that everything listed has alike, and what they are.
    mask: u64,
    word: u64,
    /// Which of the words.
    which: u8,
    /// The condition.
    pub cond: Cond,
    /// Where it leads if it holds.
    pub target: Target,
    /// The one rule that demands nothing else, or `NONE`.
    pub rule: u32,
}

impl Except {
    /// A condition and its target.
    pub fn new(cond: Cond, target: Target, operands: &Operands, records: &Records) -> Self {
        let list = records.list(cond.arg);
        let pieces = |member: u32| &records.wildcards[member as usize].pieces;
        let which = match cond.op {
            Op::NotSuffix => END,
            Op::NotWildcard if list.iter().all(|member| pieces(*member)[0].is_empty()) => END,
            Op::NotIgnoreCase => IN_ANY_CASE,
            _ => BEGINNING,
        };
        let mut alike: Option<(u64, u64)> = None;
        for &member in list {
            let (mask, word) = match cond.op {
                Op::NotWildcard if which == END => pieces(member).last().map_or((0, 0), |piece| end(piece)),
                Op::NotWildcard => start(&pieces(member)[0]),
                // A number may equal others that are written differently.
                Op::NotExact if operands.kind(member) != OperandKind::String => (0, 0),
                Op::NotExact => (u64::MAX, first_word(operands.bytes(member))),
                Op::NotSuffix => end(operands.bytes(member)),
                Op::NotIgnoreCase => in_any_case(operands.bytes(member)),
                _ => start(operands.bytes(member)),
            };
            alike = Some(match alike {
                None => (mask, word),
                Some((all, first)) => (all & mask & !(first ^ word), first),
            });
        }
        let (mask, word) = alike.unwrap_or_default();
        let rule = match target.get() {
            Goes::One(conj) => records.conjs.get(conj as usize).filter(|rec| rec.field_count == 1 && rec.flags == 0),
            _ => None,
        };
        Self { mask, word: word & mask, which, cond, target, rule: rule.map_or(NONE, |rec| rec.rules) }
    }

    /// Whether a string is certainly none of those listed.
    #[inline(always)]
    pub fn is_far(&self, words: &Words) -> bool {
        words.0[self.which as usize] & self.mask != self.word
    }
}

/// What every text that begins with this one has in its first word: the mask, and the word.
fn start(text: &[u8]) -> (u64, u64) {
    (first_word(&[0xff; 8][..text.len().min(8)]), first_word(text))
}

/// What every text that ends with this one has in its last word.
fn end(text: &[u8]) -> (u64, u64) {
    (last_word(&[0xff; 8][..text.len().min(8)]), last_word(text))
}

/// What every text that equals this one without regard to case has in its first word in lower case: an ASCII character
/// is met by its two cases only, any other by characters of other lengths, too.
fn in_any_case(text: &[u8]) -> (u64, u64) {
    let ascii = text.iter().take_while(|byte| byte.is_ascii()).count();
    let (mask, word) = start(&text[..ascii]);
    (if ascii == text.len() { u64::MAX } else { mask }, word | LOWER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{index::operands::OperandHasher, pattern::tree::Wildcard, value::fold};
    use crate::{index::wildcard, value::text};

    #[test]
    fn what_is_far_is_none_of_those_listed() {
        let mut x = 88172645463325252u64;
        let mut next = move |n: usize| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 16) as usize % n
        };
        let mut far = 0;
        for round in 0..20_000 {
            let mut text = |most: usize| -> Vec<u8> {
                (0..next(most)).flat_map(|_| ["a", "A", "b", "k", "K", "s", "\u{212a}", "\u{17f}", "\0"][next(9)].bytes()).collect()
            };
            let (texts, value): (Vec<_>, _) = ((0..1 + round % 3).map(|_| text(11)).collect(), text(13));
            let (mut operands, mut records) = (Operands::new(OperandHasher::default()), Records::default());
            let members: Vec<u32> = texts.iter().map(|text| operands.intern(OperandKind::String, text)).collect();
            let pieces = |text: &[u8]| vec![text.to_vec().into(), b"".to_vec().into()];
            records.wildcards = texts.iter().map(|text| Wildcard { pieces: pieces(text) }).collect();
            records.lists.push(members.len() as u32);
            records.lists.extend(&members);
            records.lists.push(texts.len() as u32);
            records.lists.extend(0..texts.len() as u32);
            let ops: [(Op, &dyn Fn(usize) -> bool); 5] = [
                (Op::NotExact, &|n| value == texts[n]),
                (Op::NotPrefix, &|n| text::begins(&value, &texts[n])),
                (Op::NotSuffix, &|n| text::ends(&value, &texts[n])),
                (Op::NotIgnoreCase, &|n| fold::meets_all(&value, &texts[n])),
                (Op::NotWildcard, &|n| wildcard::accepts(&records.wildcards[n], &value)),
            ];
            for (op, accepts) in ops {
                let arg = if op == Op::NotWildcard { 1 + members.len() as u32 } else { 0 };
                let except = Except::new(Cond { op, arg }, Target::one(0), &operands, &records);
                if except.is_far(&Words::of(&value)) {
                    far += 1;
                    assert!(!(0..texts.len()).any(accepts), "{op:?} {texts:?} {value:?}");
                }
            }
        }
        assert!(far > 50_000, "{far}");
    }
}
