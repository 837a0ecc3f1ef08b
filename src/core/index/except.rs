//! `anything-but` of one path in one node: each different condition once, with where it leads. Hardly a value is one that
//! a rule excludes, so a condition is worth a glance: a word of the value tells, nearly always, that it is none of those
//! listed, and of a short text often that it is the one. What is left is compared as a whole.
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
pub struct Words {
    words: [u64; 3],
    len: usize,
}

impl Words {
    /// Those of a text.
    #[inline]
    pub fn of(text: &[u8]) -> Self {
        let first = first_word(text);
        Self { words: [first, last_word(text), first | LOWER], len: text.len() }
    }
}

/// A condition.
pub struct Except {
    /// Bits of a word that everything listed has alike, and what they are.
    mask: u64,
    word: u64,
    /// Which of the words.
    which: u8,
    /// A string of such a length that has the word is the one that is listed.
    proof: (u32, u32),
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
        let mut glances = list.iter().map(|&member| match cond.op {
            Op::NotWildcard if which == END => {
                Glance::of_end(pieces(member).last().expect("a wildcard has pieces"), pieces(member).len() == 2)
            }
            Op::NotWildcard => Glance::of_start(&pieces(member)[0], pieces(member).len() == 2 && pieces(member)[1].is_empty()),
            // A number may equal others that are written differently.
            Op::NotExact if operands.kind(member) != OperandKind::String => Glance::default(),
            Op::NotExact => Glance::of_all(operands.bytes(member)),
            Op::NotSuffix => Glance::of_end(operands.bytes(member), true),
            Op::NotIgnoreCase => Glance::in_any_case(operands.bytes(member)),
            _ => Glance::of_start(operands.bytes(member), true),
        });
        let first = glances.next().unwrap_or_default();
        let Glance { mask, word, proof } = glances.fold(first, |all, one| all.and(&one));
        let rule = match target.get() {
            Goes::One(conj) => records.conjs.get(conj as usize).filter(|rec| rec.field_count == 1 && rec.flags == 0),
            _ => None,
        };
        Self { mask, word: word & mask, which, proof, cond, target, rule: rule.map_or(NONE, |rec| rec.rules) }
    }

    /// Whether the condition holds for a string, as far as its words tell.
    #[inline(always)]
    pub fn glance(&self, words: &Words) -> Option<bool> {
        if words.words[self.which as usize] & self.mask != self.word {
            return Some(true);
        }
        (self.proof.0 as usize <= words.len && words.len <= self.proof.1 as usize).then_some(false)
    }
}

/// What the word of a text tells: what is listed has these bits; and what is of such a length and has them is listed.
struct Glance {
    mask: u64,
    word: u64,
    proof: (u32, u32),
}

impl Default for Glance {
    /// Nothing.
    fn default() -> Self {
        Self { mask: 0, word: 0, proof: NO_PROOF }
    }
}

/// No length.
const NO_PROOF: (u32, u32) = (1, 0);

impl Glance {
    /// Of all that begins with a text; `proof`, if that is all that is demanded.
    fn of_start(text: &[u8], proof: bool) -> Self {
        Self { mask: first_word(&[0xff; 8][..text.len().min(8)]), word: first_word(text), proof: Self::proof(text, u32::MAX, proof) }
    }

    /// Of all that ends with a text.
    fn of_end(text: &[u8], proof: bool) -> Self {
        Self { mask: last_word(&[0xff; 8][..text.len().min(8)]), word: last_word(text), proof: Self::proof(text, u32::MAX, proof) }
    }

    /// Of what equals a text.
    fn of_all(text: &[u8]) -> Self {
        Self { mask: u64::MAX, word: first_word(text), proof: Self::proof(text, text.len() as u32, true) }
    }

    /// Of what equals a text without regard to case, in lower case: an ASCII character is met by its two cases only, any
    /// other by characters of other lengths, too. Only letters are told apart from everything else.
    fn in_any_case(text: &[u8]) -> Self {
        let ascii = text.iter().take_while(|byte| byte.is_ascii()).count();
        let Self { mask, word, .. } = Self::of_start(&text[..ascii], false);
        let letters = text.iter().all(|byte| byte.is_ascii_alphabetic());
        Self {
            mask: if ascii == text.len() { u64::MAX } else { mask },
            word: word | LOWER,
            proof: Self::proof(text, text.len() as u32, letters),
        }
    }

    /// A text that fits the word is proven from its own length on.
    fn proof(text: &[u8], most: u32, wanted: bool) -> (u32, u32) {
        if wanted && text.len() <= 8 { (text.len() as u32, most) } else { NO_PROOF }
    }

    /// What both have alike.
    fn and(&self, other: &Self) -> Self {
        Self { mask: self.mask & other.mask & !(self.word ^ other.word), word: self.word, proof: NO_PROOF }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{index::operands::OperandHasher, pattern::tree::Wildcard, value::fold};
    use crate::{index::wildcard, value::text};

    #[test]
    fn a_glance_never_errs() {
        let mut x = 88172645463325252u64;
        let mut next = move |n: usize| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 16) as usize % n
        };
        let mut told = [0; 2];
        for round in 0..20_000 {
            let mut text = |most: usize| -> Vec<u8> {
                (0..next(1 + most)).flat_map(|_| ["a", "A", "b", "k", "K", "s", "\u{212a}", "\u{17f}", "\0"][next(9)].bytes()).collect()
            };
            let texts: Vec<_> = (0..1 + round % 3).map(|_| text(10)).collect();
            // Often like the first one.
            let (some, value) = (texts[0].clone(), text(if round % 2 == 0 { 12 } else { 2 }));
            let value = [value.clone(), [&some[..], &value].concat(), value.clone(), [&value, &some[..]].concat()][round % 4].clone();
            let value = if round % 5 == 0 { value.to_ascii_uppercase() } else { value };
            let (mut operands, mut records) = (Operands::new(OperandHasher::default()), Records::default());
            let members: Vec<u32> = texts.iter().map(|text| operands.intern(OperandKind::String, text)).collect();
            let wildcard = |text: &Vec<u8>| -> Wildcard {
                let (text, other) = (&text[..], &texts[0][..]);
                let pieces = [vec![text, b""], vec![b"", text], vec![text, other], vec![b"", other, text]];
                Wildcard { pieces: pieces[round % 4].iter().map(|piece| piece.to_vec().into()).collect() }
            };
            records.wildcards = texts.iter().map(wildcard).collect();
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
                if let Some(holds) = except.glance(&Words::of(&value)) {
                    told[holds as usize] += 1;
                    assert_eq!(holds, !(0..texts.len()).any(accepts), "{op:?} {texts:?} {value:?}");
                }
            }
        }
        assert!(told[0] > 4_000 && told[1] > 40_000, "{told:?}");
    }
}
