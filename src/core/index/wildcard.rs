//! Many wildcards on one value at once, without an automaton whose states could multiply.
//!
//! Three engines share the work. A wildcard that begins or ends with eight bytes or more that few others have there is
//! found by them, with one lookup for each length of such ends. One with a literal of eight bytes (or at least four) is found through its rarest
//! gram of that width: the value's grams are looked up in a bit filter, then in a table, and the few wildcards found there are tried
//! one by one. Wildcards with short literals only, or whose grams are shared by too many others, run bit-parallel:
//! one bit a literal byte, the whole wildcard within one 64-bit word, a star keeps its bit alive (Shift-And with
//! sticky bits). Neither has states to build, so thousands compile in milliseconds.
//!
//! COST: a value of n bytes: n filter probes plus the candidates, and n x words bit operations.
//! SOURCE: Baeza-Yates and Gonnet 1992 (Shift-And), Navarro and Raffinot 2002 (extended patterns); greedy trial of a
//! pattern that has stars only needs no backtracking.

use super::{
    ends::{End, Ends, commonest_lengths},
    operands::OperandHasher,
    record::Target,
};
use crate::map::Map;
use crate::pattern::tree::{Text, Wildcard};

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
    if text.len() < first.len() + last.len() || !text.starts_with(first) || !text.ends_with(last) {
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
    state: Vec<u64>,
}

struct Tried {
    wildcard: Wildcard,
    target: Target,
}

/// Wildcards by the literal at one end.
struct Anchored {
    ends: Ends,
    /// Those with the same literal lie side by side: numbers of the first and of the next literal's first.
    groups: Vec<(u32, u32)>,
    members: Vec<Tried>,
}

/// The index; frozen after its build.
pub struct WildcardIndex {
    few: Vec<Tried>,
    anchored: Vec<Anchored>,
    grams: Vec<GramFilter>,
    bits: Option<BitParallel>,
}

impl WildcardIndex {
    /// Wildcards (each with a star and at least one literal byte) and their targets.
    pub fn new(items: Vec<(Wildcard, Target)>, hasher: &OperandHasher) -> Self {
        let mut items: Vec<Tried> = items.into_iter().map(|(wildcard, target)| Tried { wildcard, target }).collect();
        if items.len() <= FEW {
            return Self { few: items, anchored: vec![], grams: vec![], bits: None };
        }
        let anchored = [End::Front, End::Back].into_iter().filter_map(|end| Anchored::take(end, &mut items, hasher)).collect();
        let longest = |t: &Tried| t.wildcard.pieces.iter().map(|p| p.len()).max().unwrap_or(0);
        let (wide, narrow): (Vec<_>, Vec<_>) = items.into_iter().partition(|t| longest(t) >= WIDE);
        let (mut few, mut grams, mut parallel) = (Vec::new(), Vec::new(), Vec::new());
        for (width, items) in [(WIDE, wide), (NARROW, narrow)] {
            let mut divided = GramFilter::divide(width, items);
            few.append(&mut divided.few);
            parallel.append(&mut divided.parallel);
            if !divided.filtered.is_empty() {
                grams.push(GramFilter::new(width, divided.filtered));
            }
        }
        let bits = (!parallel.is_empty()).then(|| BitParallel::new(parallel));
        Self { few, anchored, grams, bits }
    }

    /// Calls `visit` with the target of every wildcard that accepts `text`.
    pub fn each_match(&self, text: &[u8], scratch: &mut WildcardScratch, mut visit: impl FnMut(Target)) {
        for item in &self.few {
            if accepts(&item.wildcard, text) {
                visit(item.target);
            }
        }
        for anchored in &self.anchored {
            anchored.ends.each(text, |group, _| {
                let (start, end) = anchored.groups[group as usize];
                for item in &anchored.members[start as usize..end as usize] {
                    if accepts(&item.wildcard, text) {
                        visit(item.target);
                    }
                }
            });
        }
        for grams in &self.grams {
            grams.each_match(text, scratch, &mut visit);
        }
        if let Some(bits) = &self.bits {
            bits.each_match(text, scratch, &mut visit);
        }
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        let tried = |t: &Vec<Tried>| t.iter().map(|t| 40 + t.wildcard.pieces.iter().map(|p| p.len() + 16).sum::<usize>()).sum::<usize>();
        tried(&self.few)
            + self.anchored.iter().map(|a| a.ends.size_bytes() + a.groups.capacity() * 8 + tried(&a.members)).sum::<usize>()
            + self.grams.iter().map(|g| tried(&g.members) + g.filter.len() * 8 + g.slots.len() * 16).sum::<usize>()
            + self.bits.as_ref().map_or(0, |b| (b.rows.len() + b.words * 4) * 8 + b.targets.len() * 4)
    }
}

/// The literal at one end of a wildcard; empty where there is a star.
fn literal(wildcard: &Wildcard, end: End) -> &Text {
    let pieces = &wildcard.pieces;
    &pieces[if end == End::Front { 0 } else { pieces.len() - 1 }]
}

impl Anchored {
    /// Takes those that are found best by their literal at this end: it is as long as a wide gram at least, not shorter than that at the
    /// other end unless a crowd shares that, and no crowd shares it.
    fn take(end: End, items: &mut Vec<Tried>, hasher: &OperandHasher) -> Option<Self> {
        let other = if end == End::Front { End::Back } else { End::Front };
        let count = |end: End| {
            let mut crowd: Map<Text, u32> = Map::default();
            items.iter().for_each(|t| *crowd.entry(literal(&t.wildcard, end).clone()).or_default() += 1);
            crowd
        };
        let (here, there) = (count(end), count(other));
        let length = |crowd: &Map<Text, u32>, t: &Tried, end: End| {
            let text = literal(&t.wildcard, end);
            if crowd[text] as usize <= CROWD { text.len() } else { 0 }
        };
        let fits = |t: &Tried| {
            let len = length(&here, t, end);
            len >= WIDE && len >= length(&there, t, other)
        };
        let lengths = commonest_lengths(items.iter().filter(|t| fits(t)).map(|t| literal(&t.wildcard, end).len()));
        let fits = |t: &Tried| fits(t) && lengths.contains(&(literal(&t.wildcard, end).len() as u32));
        let (mut members, rest): (Vec<Tried>, Vec<Tried>) = std::mem::take(items).into_iter().partition(fits);
        *items = rest;
        if members.is_empty() {
            return None;
        }
        members.sort_by(|a, b| literal(&a.wildcard, end).cmp(literal(&b.wildcard, end)));
        let (mut groups, mut start) = (Vec::new(), 0);
        for same in members.chunk_by(|a, b| literal(&a.wildcard, end) == literal(&b.wildcard, end)) {
            groups.push((start, start + same.len() as u32));
            start += same.len() as u32;
        }
        let texts = groups.iter().enumerate().map(|(n, group)| (&**literal(&members[group.0 as usize].wildcard, end), n as u32));
        let ends = Ends::new(end, lengths, texts, hasher);
        Some(Self { ends, groups, members })
    }
}

/// Who is tried one by one, who goes through grams (with the gram), who runs bit-parallel.
struct Divided {
    few: Vec<Tried>,
    filtered: Vec<(u64, Tried)>,
    parallel: Vec<Tried>,
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
        let mut divided = Divided { few: vec![], filtered: vec![], parallel: vec![] };
        for item in items {
            let mut best: Option<(u32, u64)> = None;
            each_gram(&item.wildcard, width, |g| {
                let weight = counts[&g].saturating_add(crowd.get(&g).copied().unwrap_or(0) * 4);
                if best.is_none_or(|(w, _)| weight < w) {
                    best = Some((weight, g));
                }
            });
            let bits: usize = item.wildcard.pieces.iter().map(|p| p.len()).sum();
            match best {
                Some((_, gram)) => {
                    let members = crowd.entry(gram).or_default();
                    if *members as usize >= CROWD && bits <= 64 {
                        divided.parallel.push(item);
                    } else {
                        *members += 1;
                        divided.filtered.push((gram, item));
                    }
                }
                None if bits <= 64 => divided.parallel.push(item),
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

struct BitParallel {
    words: usize,
    /// Row of each byte in `rows`; row 0 is empty.
    class: [u8; 256],
    /// `rows[class * words + word]`: positions that this byte satisfies.
    rows: Vec<u64>,
    first: Vec<u64>,
    /// First positions of wildcards that begin with a star.
    floating: Vec<u64>,
    sticky: Vec<u64>,
    last: Vec<u64>,
    /// Number of targets before each word.
    base: Vec<u32>,
    targets: Vec<Target>,
}

impl BitParallel {
    fn new(mut items: Vec<Tried>) -> Self {
        let bits = |t: &Tried| t.wildcard.pieces.iter().map(|p| p.len()).sum::<usize>();
        items.sort_by_key(bits);
        let mut new = Self {
            words: 0,
            class: [0; 256],
            rows: vec![],
            first: vec![],
            floating: vec![],
            sticky: vec![],
            last: vec![],
            base: vec![],
            targets: Vec::with_capacity(items.len()),
        };
        let mut classes = 1usize;
        for byte in items.iter().flat_map(|t| &t.wildcard.pieces).flat_map(|p| p.iter()) {
            if new.class[*byte as usize] == 0 {
                // 255 different bytes at most: 0xff and 0xfe do not occur in WTF-8.
                new.class[*byte as usize] = classes as u8;
                classes += 1;
            }
        }
        let mut used = 64;
        let mut places: Vec<(usize, u8, u64)> = Vec::new();
        for item in items {
            let need = bits(&item);
            if used + need > 64 {
                used = 0;
                new.words += 1;
                new.base.push(new.targets.len() as u32);
                for list in [&mut new.first, &mut new.floating, &mut new.sticky, &mut new.last] {
                    list.push(0);
                }
            }
            let word = new.words - 1;
            new.first[word] |= 1 << used;
            if item.wildcard.pieces[0].is_empty() {
                new.floating[word] |= 1 << used;
            }
            let pieces = &item.wildcard.pieces;
            for (n, piece) in pieces.iter().enumerate() {
                for byte in piece.iter() {
                    places.push((word, new.class[*byte as usize], 1 << used));
                    used += 1;
                }
                // A star follows every piece but the last; before the first literal it is `floating`.
                if n + 1 < pieces.len() && !piece.is_empty() {
                    new.sticky[word] |= 1 << (used - 1);
                }
            }
            new.last[word] |= 1 << (used - 1);
            new.targets.push(item.target);
        }
        new.rows = vec![0; classes * new.words];
        for (word, class, bit) in places {
            new.rows[class as usize * new.words + word] |= bit;
        }
        new
    }

    fn each_match(&self, text: &[u8], scratch: &mut WildcardScratch, visit: &mut impl FnMut(Target)) {
        let Some((&head, tail)) = text.split_first() else { return };
        let words = self.words;
        scratch.state.clear();
        let row = &self.rows[self.class[head as usize] as usize * words..][..words];
        scratch.state.extend(row.iter().zip(&self.first).map(|(r, f)| r & f));
        let state = &mut scratch.state[..words];
        let (first, floating, sticky) = (&self.first[..words], &self.floating[..words], &self.sticky[..words]);
        for &byte in tail {
            let row = &self.rows[self.class[byte as usize] as usize * words..][..words];
            // Words do not depend on one another: the compiler makes vector instructions of this.
            for (w, s) in state.iter_mut().enumerate() {
                *s = ((*s << 1 & !first[w] | floating[w]) & row[w]) | (*s & sticky[w]);
            }
        }
        for ((state, last), base) in state.iter().zip(&self.last).zip(&self.base) {
            let mut hits = state & last;
            while hits != 0 {
                let bit = hits & hits.wrapping_neg();
                let rank = (last & (bit - 1)).count_ones();
                visit(self.targets[(base + rank) as usize]);
                hits ^= bit;
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
                if p.contains(&b'*') && p.len() > 1 && !doubled {
                    patterns.push(String::from_utf8(p).unwrap());
                }
            }
            let items = patterns.iter().enumerate().map(|(i, p)| (parse(p), Target::run(i as u32))).collect();
            let index = WildcardIndex::new(items, &OperandHasher::default());
            let mut scratch = WildcardScratch::default();
            for at in 0..20 {
                let mut text: Vec<u8> = (0..next(20)).map(|_| letters[next(letters.len())]).collect();
                if at % 2 == 0 && !patterns.is_empty() {
                    let pattern = &patterns[next(patterns.len())];
                    text = pattern.replace('*', ["", "a", "bab"][next(3)]).into_bytes();
                }
                let mut hits = vec![];
                index.each_match(&text, &mut scratch, |t| hits.push(t.0 as usize));
                hits.sort_unstable();
                hits.dedup();
                let want: Vec<usize> = (0..patterns.len()).filter(|i| plain(patterns[*i].as_bytes(), &text)).collect();
                assert_eq!(hits, want, "{patterns:?} {:?}", String::from_utf8_lossy(&text));
            }
        }
    }

    #[test]
    fn overlap_at_the_ends_is_no_match() {
        assert!(!accepts(&parse("ab*ba"), b"aba") && accepts(&parse("ab*ba"), b"abba") && accepts(&parse("a*"), b"a"));
    }
}
