//! Wildcards bit-parallel: one bit a literal byte, the whole wildcard within one 64-bit word, a star keeps its bit alive
//! (Shift-And with sticky bits). Whatever the value, it costs the same: that is what wildcards of many literals take,
//! of which a value could be made to meet nearly all.
//!
//! COST: a value of n bytes: n x words bit operations.
//! SOURCE: Baeza-Yates and Gonnet 1992 (Shift-And), Navarro and Raffinot 2002 (extended patterns).

use super::record::Target;
use crate::pattern::tree::Wildcard;

/// Most literal bytes of a wildcard.
pub const MOST: usize = 64;

/// The index; frozen after its build.
pub struct BitParallel {
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
    /// Wildcards (each with a star, and with one to `MOST` literal bytes) and their targets.
    pub fn new(mut items: Vec<(Wildcard, Target)>) -> Self {
        let bits = |item: &(Wildcard, Target)| item.0.pieces.iter().map(|p| p.len()).sum::<usize>();
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
        for byte in items.iter().flat_map(|item| &item.0.pieces).flat_map(|p| p.iter()) {
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
            if item.0.pieces[0].is_empty() {
                new.floating[word] |= 1 << used;
            }
            let pieces = &item.0.pieces;
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
            new.targets.push(item.1);
        }
        new.rows = vec![0; classes * new.words];
        for (word, class, bit) in places {
            new.rows[class as usize * new.words + word] |= bit;
        }
        new
    }

    /// Calls `visit` with the target of every wildcard that accepts `text`. `state` is working memory.
    pub fn each_match(&self, text: &[u8], state: &mut Vec<u64>, visit: &mut impl FnMut(Target)) {
        let Some((&head, tail)) = text.split_first() else { return };
        let words = self.words;
        state.clear();
        let row = &self.rows[self.class[head as usize] as usize * words..][..words];
        state.extend(row.iter().zip(&self.first).map(|(r, f)| r & f));
        let state = &mut state[..words];
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

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        (self.rows.len() + self.words * 4) * 8 + self.targets.len() * 4
    }
}
