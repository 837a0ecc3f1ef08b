//! Wildcards of few and short literals as a trie of their literals: the way to `*a*b*c*` is a, b, c.
//!
//! A value is read once, and where each literal begins becomes the bits of a word. Then the trie is walked: a step goes to
//! the earliest place of a literal behind the one before it, since a star takes whatever lies between. So a wildcard costs
//! a step only once all its literals before were found, those that begin alike share their steps, and which steps of
//! a node are possible is one look at a word. A long value is read in windows of 64 places; what a window does not decide
//! is asked again in the next.
//!
//! COST: n bytes: a search among the literals of the same first byte wherever one may begin, and the literals that begin
//! there, at most four; n / 64 times the steps that are possible, at most four for each wildcard. About 28 bytes a step.
//! Values of 22 letters and 1,000 wildcards `*a*b*c*`, of which 60 accept: 0.45 microseconds, 20,000 of four letters 0.7;
//! a bit for each byte of all wildcards, moved on by every byte of the value, took 0.8 and 12.

use super::{affix::head, record::Target};
use crate::{
    map::Map,
    pattern::tree::{Text, Wildcard},
    value::text::begins,
};

/// Where a literal may stand in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Stand {
    Anywhere,
    Front,
    Back,
}

/// The end of a wildcard that others go on from: a literal without bytes, found at every place.
const END: u32 = 0;
/// A literal that nobody asks for.
const NOWHERE: u8 = 1;
/// Marks bytes with which other literals begin.
const OTHERS: u8 = 0x80;
/// No literal.
const NONE: u32 = u32::MAX;
/// Most literals of a wildcard.
const MOST: usize = 4;
/// Most bytes of a literal.
const LONGEST: usize = 4;
/// Places of a window.
const WINDOW: usize = 64;
/// Marks the last steps of a node.
const LAST: u32 = 1 << 31;
/// Marks them if they are the only ones of their node, of the first word, and all complete a wildcard.
const LEAVES: u32 = 1 << 30;

/// A text that wildcards ask for.
struct Literal {
    /// Its first bytes, see `head`.
    head: u64,
    text: Text,
    /// The longest other that it begins with.
    parent: u32,
    /// Its number in each stand.
    numbers: [u32; 3],
}

/// What a node of the trie goes on to: literals whose numbers differ in the last six bits only.
struct Steps {
    /// The other bits, and `LAST`.
    word: u32,
    /// Where in `PieceTrie::children` the child of the first literal of the word would be.
    children: u32,
    /// The literals.
    all: u64,
    /// Those that complete a wildcard.
    complete: u64,
}

/// The index; frozen after its build.
pub struct PieceTrie {
    /// Sorted.
    literals: Vec<Literal>,
    /// By first byte: where its literals begin.
    first: Vec<u32>,
    /// By byte: the number of the literal that is this byte alone, if it is in the first word, else `NOWHERE`; and `OTHERS`.
    bytes: [u8; 256],
    /// By number.
    lengths: Vec<[u32; 64]>,
    /// Those of a node one after the other; the root's come first.
    steps: Vec<Steps>,
    /// Targets of complete wildcards, and where the steps of others begin.
    children: Vec<u32>,
}

/// Steps that a value has come to.
#[derive(Clone, Copy)]
struct Open {
    steps: u32,
    /// Where the literal before ends.
    from: usize,
    /// Those not taken.
    left: u64,
}

/// Working memory of a lookup; reused.
#[derive(Default)]
pub struct PieceScratch {
    /// By number, of literals that are present in the window: where they begin.
    places: Vec<[u64; 64]>,
    /// The literals that are present.
    present: Vec<u64>,
    /// By place, of the first word of literals alone: those that begin there or later.
    since: Vec<u64>,
    open: Vec<Open>,
    /// Places in `PieceTrie::children` of what was found.
    slots: Vec<u32>,
}

/// The literals of a wildcard, with their stands.
fn pieces(wildcard: &Wildcard) -> impl Iterator<Item = (Stand, &Text)> {
    let last = wildcard.pieces.len() - 1;
    let stand = move |n: usize| match n {
        0 => Stand::Front,
        n if n == last => Stand::Back,
        _ => Stand::Anywhere,
    };
    wildcard.pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty()).map(move |(n, piece)| (stand(n), piece))
}

/// Calls `visit` with the number of each bit.
#[inline(always)]
fn each_bit(mut bits: u64, mut visit: impl FnMut(u32)) {
    while bits != 0 {
        visit(bits.trailing_zeros());
        bits &= bits - 1;
    }
}

/// Notes which children are found. The first two without a branch: how many there are is not to be foreseen, and mostly
/// that is all. A loop takes a fifth less instructions and a quarter more time.
#[inline(always)]
fn note(children: u32, bits: u64, slots: &mut [u32], count: &mut usize) {
    let others = bits & bits.wrapping_sub(1);
    if let Some([one, other]) = slots.get_mut(*count..*count + 2) {
        *one = children.wrapping_add(bits.trailing_zeros());
        *other = children.wrapping_add(others.trailing_zeros());
    }
    *count += (bits != 0) as usize + (others != 0) as usize;
    each_bit(others & others.wrapping_sub(1), |number| {
        slots[*count] = children.wrapping_add(number);
        *count += 1;
    });
}

/// Whether a wildcard is one for the trie: a value may be made to meet all of them but their last literals, and then all
/// steps are taken, so they are to be few; and a place is to have few literals that begin there.
pub fn is_plain(wildcard: &Wildcard) -> bool {
    pieces(wildcard).count() <= MOST && wildcard.pieces.iter().all(|piece| piece.len() <= LONGEST)
}

impl PieceTrie {
    /// Different wildcards (each with a star and at least one literal byte) and their targets.
    pub fn new(items: &[(Wildcard, Target)]) -> Self {
        let mut new =
            Self { literals: vec![], first: vec![], bytes: [NOWHERE; 256], lengths: vec![[0; 64]], steps: vec![], children: vec![] };
        let numbers = new.number(items);
        let number = |piece: (Stand, &Text)| numbers[&piece];
        let mut ways: Vec<(Vec<u32>, Target)> = items.iter().map(|(w, target)| (pieces(w).map(number).collect(), *target)).collect();
        ways.sort_unstable();
        new.note_literals(&numbers);
        new.grow(&ways);
        new
    }

    /// Numbers the literals, those that most wildcards go on to first: the first word is asked at less cost.
    fn number<'a>(&mut self, items: &'a [(Wildcard, Target)]) -> Map<(Stand, &'a Text), u32> {
        let mut numbers: Map<(Stand, &Text), u32> = Map::default();
        for (wildcard, _) in items {
            pieces(wildcard).enumerate().for_each(|(n, piece)| *numbers.entry(piece).or_default() += (n > 0) as u32);
        }
        let mut order: Vec<_> = numbers.iter().map(|(piece, count)| (u32::MAX - count, *piece)).collect();
        order.sort_unstable();
        for ((_, piece), number) in order.into_iter().zip(NOWHERE as usize + 1..) {
            numbers.insert(piece, number as u32);
            self.lengths.resize(number / 64 + 1, [0; 64]);
            self.lengths[number / 64][number % 64] = piece.1.len() as u32;
        }
        numbers
    }

    /// Sorts the literals.
    fn note_literals(&mut self, numbers: &Map<(Stand, &Text), u32>) {
        let mut texts: Vec<(&Text, Stand, u32)> = Vec::new();
        for (&(stand, text), number) in numbers {
            if stand == Stand::Anywhere && text.len() == 1 && *number < 64 {
                self.bytes[text[0] as usize] = *number as u8;
            } else {
                texts.push((text, stand, *number));
            }
        }
        texts.sort_unstable();
        texts.iter().for_each(|(text, ..)| self.bytes[text[0] as usize] |= OTHERS);
        let mut open: Vec<u32> = Vec::new();
        for same in texts.chunk_by(|a, b| a.0 == b.0) {
            let text = same[0].0;
            while open.last().is_some_and(|top| !text.starts_with(&self.literals[*top as usize].text)) {
                open.pop();
            }
            let parent = open.last().copied().unwrap_or(NONE);
            let mut literal = Literal { head: head(text), text: text.clone(), parent, numbers: [NONE; 3] };
            same.iter().for_each(|(_, stand, number)| literal.numbers[*stand as usize] = *number);
            open.push(self.literals.len() as u32);
            self.first.resize(text[0] as usize + 1, self.literals.len() as u32);
            self.literals.push(literal);
        }
        self.first.resize(257, self.literals.len() as u32);
    }

    /// Makes the nodes for sorted ways of literals.
    fn grow(&mut self, ways: &[(Vec<u32>, Target)]) {
        // Ways that begin alike, how many literals they have come, and the child that their node will be.
        let mut waiting = vec![(ways, 0, None)];
        while let Some((ways, depth, child)) = waiting.pop() {
            if let Some(child) = child {
                self.children[child] = self.steps.len() as u32;
            }
            let next = |way: &(Vec<u32>, Target)| way.0.get(depth).copied().unwrap_or(END);
            for group in ways.chunk_by(|a, b| next(a) / 64 == next(b) / 64) {
                let (low, high) = (next(&group[0]), next(&group[group.len() - 1]));
                let children = self.children.len();
                self.children.resize(children + (high - low) as usize + 1, NONE);
                let mut steps = Steps { word: low / 64, children: (children as u32).wrapping_sub(low % 64), all: 0, complete: 0 };
                for alike in group.chunk_by(|a, b| next(a) == next(b)) {
                    let number = next(&alike[0]);
                    let child = children + (number - low) as usize;
                    steps.all |= 1 << (number % 64);
                    if number == END || alike.len() == 1 && alike[0].0.len() == depth + 1 {
                        steps.complete |= 1 << (number % 64);
                        self.children[child] = alike[0].1.0;
                    } else {
                        waiting.push((alike, depth + 1, Some(child)));
                    }
                }
                self.steps.push(steps);
            }
            let last = self.steps.last_mut().expect("there are ways");
            last.word |= if last.word == 0 && last.complete == last.all { LAST | LEAVES } else { LAST };
        }
    }

    /// Calls `visit` with the target of every wildcard that accepts `text`.
    pub fn each_match(&self, text: &[u8], scratch: &mut PieceScratch, mut visit: impl FnMut(Target)) {
        scratch.open.clear();
        self.enter(0, 0, &mut scratch.open);
        for base in (0..text.len()).step_by(WINDOW) {
            self.read(text, base, scratch);
            let is_last = text.len() - base <= WINDOW;
            self.walk(base, is_last, scratch, &mut visit);
            if !is_last {
                scratch.open.retain(|open| open.left != 0);
            }
        }
    }

    /// Comes to a node, by a literal that ends at `from`.
    #[inline(always)]
    fn enter(&self, at: u32, from: usize, open: &mut Vec<Open>) {
        for steps in at.. {
            let Steps { word, all, .. } = self.steps[steps as usize];
            open.push(Open { steps, from, left: all });
            if word & LAST != 0 {
                return;
            }
        }
    }

    /// Notes which literals begin in a window, and where.
    fn read(&self, text: &[u8], base: usize, scratch: &mut PieceScratch) {
        let PieceScratch { places, present, since, .. } = scratch;
        let rest = &text[base..];
        let window = &rest[..WINDOW.min(rest.len())];
        if places.len() < self.lengths.len() {
            places.resize(self.lengths.len(), [0; 64]);
            present.resize(self.lengths.len(), 0);
        }
        present[..self.lengths.len()].fill(0);
        let (first_places, places) = places.split_first_mut().expect("a word");
        first_places.fill(0);
        since.resize(window.len(), 0);
        let mut later = 1 << END;
        for ((at, byte), since) in window.iter().enumerate().zip(&mut since[..]).rev() {
            let known = self.bytes[*byte as usize];
            // Without a branch: nobody foresees what a value holds.
            first_places[(known % 64) as usize] |= 1 << at;
            later |= 1 << (known % 64);
            if known & OTHERS != 0 {
                self.each_literal(&rest[at..], base + at == 0, |number| {
                    let (word, bit) = (number as usize / 64, 1 << (number % 64));
                    if word == 0 {
                        first_places[number as usize] |= 1 << at;
                        later |= bit;
                        return;
                    }
                    let place = &mut places[word - 1][number as usize % 64];
                    *place = if present[word] & bit == 0 { 0 } else { *place } | 1 << at;
                    present[word] |= bit;
                });
            }
            *since = later;
        }
        since.push(1 << END);
        present[0] = since[0];
    }

    /// Calls `visit` with the number of each literal that a text begins with, other than the single bytes.
    #[inline]
    fn each_literal(&self, text: &[u8], is_front: bool, mut visit: impl FnMut(u32)) {
        let key = head(text);
        let is_before = |l: &Literal| l.head < key || l.head == key && *l.text <= *text;
        // The last that is not greater: what the text begins with is that one, or among its parents.
        let (begin, end) = (self.first[text[0] as usize] as usize, self.first[text[0] as usize + 1] as usize);
        let mut n = (begin + self.literals[begin..end].partition_point(is_before)) as u32;
        n = if n as usize > begin { n - 1 } else { NONE };
        while n != NONE {
            let literal = &self.literals[n as usize];
            n = literal.parent;
            if !begins(text, &literal.text) {
                continue;
            }
            let stands = [true, is_front, text.len() == literal.text.len()];
            for (number, stands) in literal.numbers.iter().zip(stands) {
                if stands && *number != NONE {
                    visit(*number);
                }
            }
        }
    }

    /// Takes the steps that a window allows.
    fn walk(&self, base: usize, is_last: bool, scratch: &mut PieceScratch, visit: &mut impl FnMut(Target)) {
        let PieceScratch { places, present, since, open, slots } = scratch;
        // No child is found twice.
        let room = self.children.len() + 2;
        if slots.len() < room {
            slots.resize(room, 0);
        }
        let (mut at, mut count) = (0, 0);
        while let Some(&Open { steps, from, left }) = open.get(at) {
            let Steps { word, children, complete, .. } = self.steps[steps as usize];
            let word = (word & !(LAST | LEAVES)) as usize;
            let (places, lengths) = (&places[word], &self.lengths[word]);
            let from = from.saturating_sub(base).min(since.len() - 1);
            let behind = u64::MAX.checked_shl(from as u32).unwrap_or(0);
            // Of the first word that is the truth, of others a hope.
            let mut found = left & if word == 0 { since[from] } else { present[word] };
            if word != 0 {
                each_bit(found, |number| found ^= ((places[number as usize % 64] & behind == 0) as u64) << number);
            }
            open[at].left = left & !found;
            note(children, found & complete, slots, &mut count);
            each_bit(found & !complete, |number| {
                let begin = (places[number as usize % 64] & behind).trailing_zeros();
                let end = begin + lengths[number as usize % 64];
                let child = self.children[children.wrapping_add(number) as usize];
                let steps = &self.steps[child as usize];
                // The commonest node by far, and nothing to come back to.
                if is_last && steps.word == LAST | LEAVES {
                    note(steps.children, steps.all & since[end as usize], slots, &mut count);
                } else {
                    self.enter(child, base + end as usize, open);
                }
            });
            at += 1;
        }
        slots[..count].iter().for_each(|slot| visit(Target(self.children[*slot as usize])));
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.literals.iter().map(|literal| size_of::<Literal>() + literal.text.len()).sum::<usize>()
            + (self.first.len() + 64 * self.lengths.capacity() + self.children.capacity()) * 4
            + self.steps.capacity() * size_of::<Steps>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::wildcard::accepts;

    #[test]
    fn equals_trying_each() {
        let mut x = 88172645463325252u64;
        let mut next = move |n: usize| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            ((x >> 16) % n as u64) as usize
        };
        // One working memory for all: what one trie leaves in it must not meet the next.
        let mut scratch = PieceScratch::default();
        for round in 0..300 {
            // Few letters bring literals within literals, many bring more literals than the first word has.
            let letters = [2, 3, 8, 26, 90][round % 5];
            let count = 1 + next([4, 40, 400][round % 3]);
            let mut text = |most: usize| -> Text { (0..1 + next(most)).map(|_| b'!' + next(letters) as u8).collect() };
            let (longest, mut items) = ([1, 2, 4, 9][round % 4], Vec::new());
            for n in 0..count {
                let stars = 1 + text(5).len() % 5;
                let mut pieces: Vec<Text> = (0..=stars).map(|_| text(longest)).collect();
                for (end, piece) in [0, stars].into_iter().enumerate() {
                    if text(9).len() % (3 + end) > 0 {
                        pieces[piece] = Text::default();
                    }
                }
                if pieces.iter().all(|piece| piece.is_empty()) {
                    pieces[0] = text(longest);
                }
                // Some go on from where others end.
                if n % 3 == 0
                    && let Some((Wildcard { pieces: before }, _)) = items.last()
                {
                    let mut longer: Vec<Text> = before.clone();
                    longer.push(Text::default());
                    let last = longer.len() - 2;
                    longer[last] = if longer[last].is_empty() { text(longest) } else { longer[last].clone() };
                    pieces = longer;
                }
                let wildcard = Wildcard { pieces };
                if items.iter().all(|(other, _)| *other != wildcard) {
                    items.push((wildcard, Target::run(n as u32)));
                }
            }
            let trie = PieceTrie::new(&items);
            for most in [1, 20, 63, 64, 65, 129, 400] {
                for _ in 0..6 {
                    let value = text(most);
                    let mut found = Vec::new();
                    trie.each_match(&value, &mut scratch, |target| found.push(target));
                    found.sort_unstable();
                    let want: Vec<Target> = items.iter().filter(|(wildcard, _)| accepts(wildcard, &value)).map(|item| item.1).collect();
                    assert_eq!(found, want, "{}", String::from_utf8_lossy(&value));
                }
            }
        }
    }

    #[test]
    fn a_literal_may_lie_across_windows() {
        let wildcard = |text: &str| Wildcard { pieces: text.split('*').map(|p| p.as_bytes().into()).collect() };
        let items = ["*abc*", "*abc*d", "*abc*abc*", "a*abc*z", "*c*abc", "*d*"].map(wildcard);
        let items: Vec<_> = items.into_iter().zip((0..).map(Target::run)).collect();
        let (trie, mut scratch) = (PieceTrie::new(&items), PieceScratch::default());
        for at in 50..80 {
            for behind in ["", "d", "abc", "z", "zabc"] {
                let value = format!("a{}abc{behind}", "-".repeat(at));
                let mut found = Vec::new();
                trie.each_match(value.as_bytes(), &mut scratch, |target| found.push(target));
                found.sort_unstable();
                let accept = items.iter().filter(|(wildcard, _)| accepts(wildcard, value.as_bytes()));
                assert_eq!(found, accept.map(|item| item.1).collect::<Vec<_>>(), "{value}");
            }
        }
    }
}
