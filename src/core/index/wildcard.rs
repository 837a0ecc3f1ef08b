//! Many wildcards on one value at once, without an automaton whose states could multiply.
//!
//! Four engines share the work. A wildcard that begins or ends with eight bytes or more that few others have there is
//! found by them, with one lookup for each length of such ends. One with a literal of eight bytes (or at least four) is found through its rarest
//! gram of that width: the value's grams are looked up in a bit filter, then in a table, and the few wildcards found there are tried
//! one by one. Wildcards with short literals only, or whose grams are shared by too many others, are found by all their
//! literals: those of few and short ones as a trie of them (`pieces`), all others bit-parallel (`bits`). None has states
//! to build, so thousands compile in milliseconds.
//!
//! COST: a value of n bytes: n filter probes plus the candidates, and what `pieces` and `bits` say.
//! SOURCE: greedy trial of a pattern that has stars only needs no backtracking.

use super::{
    bits::{self, BitParallel},
    ends::{End, Ends, commonest_lengths},
    operands::OperandHasher,
    pieces::{self, PieceScratch, PieceTrie},
    record::Target,
};
use crate::{
    map::Map,
    pattern::tree::{Text, Wildcard},
    value::text,
};

/// Widths of grams: eight bytes hardly ever meet a stranger, four serve shorter literals.
const WIDE: usize = 8;
const NARROW: usize = 4;
/// A gram that more wildcards share than this is no filter.
const CROWD: usize = 8;
/// At most this many grams of one wildcard are weighed against each other: wide ones are seldom shared.
const fn weighed(width: usize) -> usize {
    if width == WIDE { 16 } else { 96 }
}
/// So few wildcards are simply tried.
const FEW: usize = 3;

/// Whether a wildcard accepts a text. The pieces between stars are found from the left, each as early as possible.
pub fn accepts(wildcard: &Wildcard, text: &[u8]) -> bool {
    let pieces = &wildcard.pieces;
    let (first, last) = (&pieces[0], &pieces[pieces.len() - 1]);
    if pieces.len() == 1 {
        return **first == *text;
    }
    if text.len() < first.len() + last.len() || !text::begins(text, first) || !text::ends(text, last) {
        return false;
    }
    let mut rest = &text[first.len()..text.len() - last.len()];
    for piece in &pieces[1..pieces.len() - 1] {
        match find(rest, piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

#[inline]
fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    match piece {
        [byte] => memchr::memchr(*byte, text),
        _ if text.len() < 64 => find_in_short(text, piece),
        _ => memchr::memmem::find(text, piece),
    }
}

/// Compares eight bytes at a place, or as many as there are, without a call.
fn find_in_short(text: &[u8], piece: &[u8]) -> Option<usize> {
    let places = (text.len() + 1).checked_sub(piece.len())?;
    let width = piece.len().min(WIDE);
    let (mask, wanted) = (u64::MAX >> (64 - 8 * width), gram_of(piece, width));
    let (mut at, whole) = (0, places.min((text.len() + 1).saturating_sub(WIDE)));
    while at < whole {
        let word = text[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if word & mask == wanted && &text[at..at + piece.len()] == piece {
            return Some(at);
        }
        at += 1;
    }
    (at..places).find(|at| &text[*at..*at + piece.len()] == piece)
}

/// Working memory of a lookup; reused.
#[derive(Default)]
pub struct WildcardScratch {
    /// Round in which a gram's bucket was last tried: no bucket is tried twice for one value.
    tried: Vec<u32>,
    round: u32,
    pieces: PieceScratch,
    state: Vec<u64>,
}

struct Tried {
    wildcard: Wildcard,
    target: Target,
}

/// Wildcards by the literal at one end.
struct Anchored {
    ends: Ends,
    /// Those of which a place is found, and no target without a try.
    members: Vec<Tried>,
}

/// The index; frozen after its build.
pub struct WildcardIndex {
    /// No two wildcards have the same target.
    apart: bool,
    few: Vec<Tried>,
    anchored: Vec<Anchored>,
    grams: Vec<GramFilter>,
    pieces: Option<PieceTrie>,
    bits: Option<BitParallel>,
}

impl WildcardIndex {
    /// Wildcards (each with a star and at least one literal byte) and their targets. `exact`: only what accepts a value may
    /// be found, not what might.
    pub fn new(items: Vec<(Wildcard, Target)>, hasher: &OperandHasher, exact: bool) -> Self {
        let mut items: Vec<Tried> = items.into_iter().map(|(wildcard, target)| Tried { wildcard, target }).collect();
        let mut targets: Vec<Target> = items.iter().map(|item| item.target).collect();
        targets.sort_unstable();
        let apart = targets.windows(2).all(|pair| pair[0] != pair[1]);
        if items.len() <= FEW {
            return Self { apart, few: items, anchored: vec![], grams: vec![], pieces: None, bits: None };
        }
        let anchored = [End::Front, End::Back].into_iter().filter_map(|end| Anchored::take(end, &mut items, hasher, exact)).collect();
        let longest = |t: &Tried| t.wildcard.pieces.iter().map(|p| p.len()).max().unwrap_or(0);
        let (wide, narrow): (Vec<_>, Vec<_>) = items.into_iter().partition(|t| longest(t) >= WIDE);
        let (mut few, mut grams, mut short) = (Vec::new(), Vec::new(), Vec::new());
        for (width, items) in [(WIDE, wide), (NARROW, narrow)] {
            let mut divided = GramFilter::divide(width, items);
            few.append(&mut divided.few);
            short.append(&mut divided.short);
            if !divided.filtered.is_empty() {
                grams.push(GramFilter::new(width, divided.filtered));
            }
        }
        let (plain, others): (Vec<_>, Vec<_>) = short.into_iter().partition(|(wildcard, _)| pieces::is_plain(wildcard));
        let pieces = (!plain.is_empty()).then(|| PieceTrie::new(&plain));
        let bits = (!others.is_empty()).then(|| BitParallel::new(others));
        Self { apart, few, anchored, grams, pieces, bits }
    }

    /// Whether one value leads nowhere twice.
    pub fn leads_apart(&self) -> bool {
        self.apart
    }

    /// Whether `expect` helps.
    pub fn is_anchored(&self) -> bool {
        !self.anchored.is_empty()
    }

    /// Has read ahead where `each_match` will look first.
    pub fn expect(&self, text: &[u8]) {
        self.anchored.iter().for_each(|anchored| anchored.ends.expect(text));
    }

    /// Calls `visit` with the target of every wildcard that accepts `text`, and whether that is certain.
    pub fn each_match(&self, text: &[u8], scratch: &mut WildcardScratch, mut visit: impl FnMut(Target, bool)) {
        for anchored in &self.anchored {
            anchored.ends.each(text, |number, _| match Target(number).get_place() {
                None => visit(Target(number), false),
                Some(place) => {
                    let member = &anchored.members[place as usize];
                    if accepts(&member.wildcard, text) {
                        visit(member.target, true);
                    }
                }
            });
        }
        let mut visit = |target| visit(target, true);
        for item in &self.few {
            if accepts(&item.wildcard, text) {
                visit(item.target);
            }
        }
        for grams in &self.grams {
            grams.each_match(text, scratch, &mut visit);
        }
        if let Some(pieces) = &self.pieces {
            pieces.each_match(text, &mut scratch.pieces, &mut visit);
        }
        if let Some(bits) = &self.bits {
            bits.each_match(text, &mut scratch.state, &mut visit);
        }
    }

    /// Has its lookups lie in large pages.
    pub fn collapse(&self) {
        self.anchored.iter().for_each(|anchored| anchored.ends.collapse());
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        let tried = |t: &Vec<Tried>| t.iter().map(|t| 40 + t.wildcard.pieces.iter().map(|p| p.len() + 16).sum::<usize>()).sum::<usize>();
        tried(&self.few)
            + self.anchored.iter().map(|a| a.ends.size_bytes() + tried(&a.members)).sum::<usize>()
            + self.grams.iter().map(|g| tried(&g.members) + g.filter.len() * 8 + g.slots.len() * 16).sum::<usize>()
            + self.pieces.as_ref().map_or(0, PieceTrie::size_bytes)
            + self.bits.as_ref().map_or(0, BitParallel::size_bytes)
    }
}

/// The literal at one end of a wildcard; empty where there is a star.
fn literal(wildcard: &Wildcard, end: End) -> &Text {
    let pieces = &wildcard.pieces;
    &pieces[if end == End::Front { 0 } else { pieces.len() - 1 }]
}

impl Anchored {
    /// Takes those that are found best by their literal at this end: it is at least as long as a wide gram and as any
    /// other literal of theirs, and no crowd shares it. A shorter one, as the `arn:aws:` before an account, would name
    /// them for most values.
    fn take(end: End, items: &mut Vec<Tried>, hasher: &OperandHasher, exact: bool) -> Option<Self> {
        let mut crowds: Map<Text, u32> = Map::default();
        items.iter().for_each(|t| *crowds.entry(literal(&t.wildcard, end).clone()).or_default() += 1);
        let fits = |t: &Tried| {
            let text = literal(&t.wildcard, end);
            text.len() >= WIDE && t.wildcard.pieces.iter().all(|piece| piece.len() <= text.len()) && crowds[text] as usize <= CROWD
        };
        let lengths = commonest_lengths(items.iter().filter(|t| fits(t)).map(|t| literal(&t.wildcard, end).len()));
        let fits = |t: &Tried| fits(t) && lengths.contains(&(literal(&t.wildcard, end).len() as u32));
        let (taken, rest): (Vec<Tried>, Vec<Tried>) = std::mem::take(items).into_iter().partition(fits);
        *items = rest;
        if taken.is_empty() {
            return None;
        }
        let (mut at, mut texts) = (0, Vec::with_capacity(taken.len()));
        // Below a node nobody remembers which value led there.
        let certain = |t: &Tried| exact || t.target.is_node();
        for t in &taken {
            let target = if certain(t) { Target::place(at) } else { t.target };
            at += certain(t) as u32;
            texts.push((literal(&t.wildcard, end).clone(), target.0));
        }
        let ends = Ends::new(end, lengths, texts.iter().map(|(text, number)| (&**text, *number)), hasher);
        Some(Self { ends, members: taken.into_iter().filter(certain).collect() })
    }
}

/// Who is tried one by one, who goes through grams (with the gram), who is found by all its literals.
struct Divided {
    few: Vec<Tried>,
    filtered: Vec<(u64, Tried)>,
    short: Vec<(Wildcard, Target)>,
}

struct GramFilter {
    width: usize,
    /// One bit a gram hash: most positions of a value end here.
    filter: Vec<u64>,
    /// Open addressing: (gram, first member, number of members); no members = empty.
    slots: Vec<(u64, u32, u32)>,
    members: Vec<Tried>,
}

#[inline]
fn spread(gram: u64) -> u64 {
    let product = (gram ^ 0x5bd1_e995) as u128 * 0x9e37_79b9_7f4a_7c15_u128;
    (product >> 64) as u64 ^ product as u64
}

/// The gram at the start of a text that is long enough.
#[inline]
fn gram_of(text: &[u8], width: usize) -> u64 {
    match text.first_chunk::<WIDE>() {
        Some(chunk) => u64::from_le_bytes(*chunk) & u64::MAX >> (64 - 8 * width),
        None => text[..width].iter().rev().fold(0, |gram, byte| gram << 8 | *byte as u64),
    }
}

/// Calls `visit` with the grams of a wildcard's pieces that are weighed.
fn each_gram(wildcard: &Wildcard, width: usize, mut visit: impl FnMut(u64)) {
    let windows = |p: &Text| p.len().saturating_sub(width - 1);
    let all: usize = wildcard.pieces.iter().map(windows).sum();
    let stride = all.div_ceil(weighed(width)).max(1);
    let mut n = 0;
    for piece in &wildcard.pieces {
        for at in 0..windows(piece) {
            if n % stride == 0 {
                visit(gram_of(&piece[at..], width));
            }
            n += 1;
        }
    }
}

impl GramFilter {
    fn divide(width: usize, items: Vec<Tried>) -> Divided {
        let mut counts: Map<u64, u32> = Map::with_capacity_and_hasher(items.len() * 8, Default::default());
        for item in &items {
            each_gram(&item.wildcard, width, |g| *counts.entry(g).or_default() += 1);
        }
        let mut crowd: Map<u64, u32> = Map::default();
        let mut divided = Divided { few: vec![], filtered: vec![], short: vec![] };
        for item in items {
            let mut best: Option<(u32, u64)> = None;
            each_gram(&item.wildcard, width, |g| {
                let weight = counts[&g].saturating_add(crowd.get(&g).copied().unwrap_or(0) * 4);
                if best.is_none_or(|(w, _)| weight < w) {
                    best = Some((weight, g));
                }
            });
            let is_short = item.wildcard.pieces.iter().map(|p| p.len()).sum::<usize>() <= bits::MOST;
            match best {
                Some((_, gram)) => {
                    let members = crowd.entry(gram).or_default();
                    if *members as usize >= CROWD && is_short {
                        divided.short.push((item.wildcard, item.target));
                    } else {
                        *members += 1;
                        divided.filtered.push((gram, item));
                    }
                }
                None if is_short => divided.short.push((item.wildcard, item.target)),
                // Many short pieces and no gram: only greedy trial is left. More than 64 literal bytes of such
                // pieces take a pattern made for the purpose; its cost is its own length.
                None => divided.few.push(item),
            }
        }
        divided
    }

    fn new(width: usize, mut items: Vec<(u64, Tried)>) -> Self {
        items.sort_by_key(|(gram, _)| *gram);
        let distinct = 1 + items.windows(2).filter(|w| w[0].0 != w[1].0).count();
        let size = (distinct * 2).next_power_of_two();
        let words = (distinct * 16 / 64).next_power_of_two().max(64);
        let mut new = Self { width, filter: vec![0; words], slots: vec![(0, 0, 0); size], members: Vec::with_capacity(items.len()) };
        let mut items = items.into_iter().peekable();
        while let Some((gram, first)) = items.next() {
            let start = new.members.len() as u32;
            new.members.push(first);
            while items.peek().is_some_and(|(g, _)| *g == gram) {
                new.members.push(items.next().expect("peeked").1);
            }
            let hash = spread(gram);
            let bit = new.bit(hash);
            new.filter[bit / 64] |= 1 << (bit % 64);
            let mut i = new.slot(hash);
            while new.slots[i].2 != 0 {
                i = (i + 1) & (size - 1);
            }
            new.slots[i] = (gram, start, new.members.len() as u32 - start);
        }
        new
    }

    #[inline]
    fn bit(&self, hash: u64) -> usize {
        (hash >> 40) as usize & (self.filter.len() * 64 - 1)
    }

    #[inline]
    fn slot(&self, hash: u64) -> usize {
        (hash >> 20) as usize & (self.slots.len() - 1)
    }

    #[inline]
    fn each_match(&self, text: &[u8], scratch: &mut WildcardScratch, visit: &mut impl FnMut(Target)) {
        let mut started = false;
        let mask = u64::MAX >> (64 - 8 * self.width);
        for at in 0..(text.len() + 1).saturating_sub(self.width) {
            // Of most positions that is all: no fresh slice, no look at the width.
            let gram = match text.get(at..at + WIDE).and_then(|t| t.first_chunk::<WIDE>()) {
                Some(chunk) => u64::from_le_bytes(*chunk) & mask,
                None => gram_of(&text[at..], self.width),
            };
            let hash = spread(gram);
            let bit = self.bit(hash);
            if self.filter[bit / 64] >> (bit % 64) & 1 == 0 {
                continue;
            }
            let mut i = self.slot(hash);
            while self.slots[i].2 != 0 {
                let (g, start, count) = self.slots[i];
                if g == gram {
                    if !started {
                        started = true;
                        scratch.round = scratch.round.wrapping_add(1);
                        if scratch.round == 0 {
                            scratch.tried.fill(0);
                            scratch.round = 1;
                        }
                    }
                    if scratch.tried.len() <= i {
                        scratch.tried.resize(self.slots.len(), 0);
                    }
                    if scratch.tried[i] != scratch.round {
                        scratch.tried[i] = scratch.round;
                        for item in &self.members[start as usize..(start + count) as usize] {
                            if accepts(&item.wildcard, text) {
                                visit(item.target);
                            }
                        }
                    }
                    break;
                }
                i = (i + 1) & (self.slots.len() - 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Wildcard {
        Wildcard { pieces: text.split('*').map(|p| p.as_bytes().into()).collect() }
    }

    /// Dynamic programming over (pattern, text), the plain meaning of stars.
    fn plain(pattern: &[u8], text: &[u8]) -> bool {
        let mut row: Vec<bool> = vec![false; text.len() + 1];
        row[0] = true;
        for &p in pattern {
            let mut next = vec![false; text.len() + 1];
            if p == b'*' {
                let mut any = false;
                for i in 0..=text.len() {
                    any |= row[i];
                    next[i] = any;
                }
            } else {
                for i in 0..text.len() {
                    next[i + 1] = row[i] && text[i] == p;
                }
            }
            row = next;
        }
        row[text.len()]
    }

    #[test]
    fn all_engines_equal_the_plain_meaning() {
        let mut x = 88172645463325252u64;
        let mut next = move |n: usize| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x % n as u64) as usize
        };
        for round in 0..400 {
            let letters: &[u8] = if round % 2 == 0 { b"ab" } else { b"abcdefgh" };
            let mut patterns = Vec::new();
            for _ in 0..1 + next(60) {
                let mut p: Vec<u8> = Vec::new();
                for _ in 0..1 + next(14) {
                    if next(4) == 0 && p.last() != Some(&b'*') { p.push(b'*') } else { p.push(letters[next(letters.len())]) }
                }
                // Ends that are long enough to be found by, of several lengths, some shared by a crowd.
                let end = |n: usize| (0..8 + n % 11).map(|i| letters[n % 3 * i % letters.len()]).collect::<Vec<u8>>();
                match next(4) {
                    0 => p.splice(0..0, [end(next(14)), b"*".to_vec()].concat()).for_each(drop),
                    1 => p.extend([b"*".to_vec(), end(next(14))].concat()),
                    _ => {}
                }
                let doubled = p.windows(2).any(|w| w == b"**");
                let pattern = String::from_utf8(p).unwrap();
                if pattern.contains('*') && pattern.len() > 1 && !doubled && !patterns.contains(&pattern) {
                    patterns.push(pattern);
                }
            }
            let items = patterns.iter().enumerate().map(|(i, p)| (parse(p), Target::run(i as u32))).collect();
            let items: Vec<(Wildcard, Target)> = items;
            let (hasher, again) = (OperandHasher::default(), items.clone());
            let (index, candidates) = (WildcardIndex::new(items, &hasher, true), WildcardIndex::new(again, &hasher, false));
            let mut scratch = WildcardScratch::default();
            for at in 0..20 {
                let mut text: Vec<u8> = (0..next(20)).map(|_| letters[next(letters.len())]).collect();
                if at % 2 == 0 && !patterns.is_empty() {
                    let pattern = &patterns[next(patterns.len())];
                    text = pattern.replace('*', ["", "a", "bab"][next(3)]).into_bytes();
                }
                let mut hits = vec![];
                index.each_match(&text, &mut scratch, |t, certain| {
                    assert!(certain);
                    hits.push(t.0 as usize);
                });
                hits.sort_unstable();
                hits.dedup();
                let want: Vec<usize> = (0..patterns.len()).filter(|i| plain(patterns[*i].as_bytes(), &text)).collect();
                assert_eq!(hits, want, "{patterns:?} {:?}", String::from_utf8_lossy(&text));
                let mut hits = vec![];
                candidates.each_match(&text, &mut scratch, |t, certain| {
                    assert!(!certain || want.contains(&(t.0 as usize)));
                    hits.push(t.0 as usize);
                });
                assert!(want.iter().all(|n| hits.contains(n)));
            }
        }
    }

    #[test]
    fn overlap_at_the_ends_is_no_match() {
        assert!(!accepts(&parse("ab*ba"), b"aba") && accepts(&parse("ab*ba"), b"abba") && accepts(&parse("a*"), b"a"));
    }
}
