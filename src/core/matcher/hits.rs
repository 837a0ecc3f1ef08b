//! What a visit hands out: the rules that match, and for reports which conjunctions were candidates.

/// What a visit produces.
pub struct Hits<'a> {
    /// Keys of the rules that match (place in the order, number), with repetitions.
    pub keys: &'a mut Vec<u64>,
    /// The reader's version.
    pub version: u32,
    /// Stop at the first match.
    pub first_only: bool,
    /// Steps that array checks may still take.
    pub steps: usize,
    /// Counts candidates, for reports only.
    pub tally: Option<&'a mut Tally>,
}

/// How many conjunctions were candidates.
#[derive(Default)]
pub struct Tally {
    /// All together.
    pub all: u64,
    /// By segment and conjunction; may be empty.
    pub by_segment: Vec<Vec<u32>>,
    /// The segment under visit.
    pub segment: usize,
}

/// The rules of a small segment that match, a bit each: so they come in order and once without being sorted.
pub struct Marks {
    /// Whether the segment at hand is small, and all its matches are wanted and nothing else.
    pub on: bool,
    words: [u64; MARKED / 64],
    /// A bit for each word that is not zero.
    used: u64,
}

/// Most rules of a small segment.
pub const MARKED: usize = 64 * 64;

impl Default for Marks {
    fn default() -> Self {
        Self { on: false, words: [0; MARKED / 64], used: 0 }
    }
}

impl Marks {
    /// Adds a rule.
    #[inline]
    pub fn set(&mut self, rule: u32) {
        let word = rule as usize / 64 % self.words.len();
        self.words[word] |= 1 << (rule % 64);
        self.used |= 1 << word;
    }

    /// Calls `visit` with each rule, and forgets them.
    #[inline]
    pub fn drain(&mut self, mut visit: impl FnMut(u32)) {
        while self.used != 0 {
            let word = self.used.trailing_zeros();
            self.used &= self.used - 1;
            let mut rest = std::mem::take(&mut self.words[word as usize]);
            while rest != 0 {
                visit(64 * word + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
    }
}

impl Hits<'_> {
    /// Whether nothing more is wanted.
    pub fn enough(&self) -> bool {
        self.first_only && !self.keys.is_empty()
    }

    /// Counts a candidate. Apart, so that matching without a report keeps its shape.
    #[cold]
    #[inline(never)]
    pub fn count(&mut self, conj: u32) {
        if let Some(tally) = &mut self.tally {
            tally.all += 1;
            if let Some(counts) = tally.by_segment.get_mut(tally.segment) {
                counts[conj as usize] += 1;
            }
        }
    }
}
