//! Over a container that no rule asks for, in full: what the level `Strict` does where `Checked` counts brackets. A reader
//! that only says yes or no and keeps a bit for every open container, which costs little more than half of what the walk
//! would. What lies deeper than it has bits is left to the walk, so that no byte is read more than twice.
//!
//! To wait for what a position depends on is what costs, so positions come from the bitmap of quotes: where no blank stands
//! between tokens, the next key is found before the value in front of it is looked at. To allow for a blank behind colons and
//! commas there made texts without blanks slower by more (6 %) than it gained in others (4 %).
//!
//! INVARIANT (bounds): positions as in `cursor`: at most that of the last byte, a `}`, and moved past a byte only if it was seen
//! to be another, or, behind a closing bracket, after a comparison.

use super::blocks::Isa;
use super::cursor::{Stop, Walker};
use super::numerals::{form, number_end, window};
use super::scan::{is_blank, valid_escapes};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skimmed {
    /// No fault, but for escapes; the position behind the closing bracket.
    Passed(usize),
    /// A fault.
    Refused,
    /// Deeper than there is room here; read up to this position.
    Unsure(usize),
}

impl<I: Isa, const LEVEL: u8> Walker<'_, I, LEVEL> {
    /// From the opening bracket of a container that nobody wants to behind its closing one; `depth` containers are open
    /// around it. `None` if it has to be walked.
    #[inline(always)]
    pub(super) fn skim(&mut self, start: usize, depth: usize) -> Result<Option<usize>, Stop> {
        if start < self.unsure {
            return Ok(None);
        }
        // SAFETY: a walker exists only where its instruction set does, and made blocks of the whole text at this level.
        match unsafe { I::skim(self.text, self.quotes, start, self.max_depth - depth) } {
            Skimmed::Passed(end) if self.has_backslash(start, end) && !valid_escapes(&self.text[start..end]) => Err(Stop::Refused),
            Skimmed::Passed(end) if end <= self.last => Ok(Some(end)),
            Skimmed::Passed(_) | Skimmed::Refused => Err(Stop::Refused),
            Skimmed::Unsure(at) => {
                self.unsure = at;
                Ok(None)
            }
        }
    }
}

/// From the opening bracket at `start` to behind the closing one, `room` containers deep at most.
///
/// # Safety
/// The processor must have the instruction set `I`; the text ends with `}`, and `quotes` are what stage 1 made of all of it.
#[inline(always)]
pub(super) unsafe fn skim<I: Isa + ?Sized>(text: &[u8], quotes: *const u64, start: usize, room: usize) -> Skimmed {
    let reader = Reader { text, quotes, last: text.len() - 1 };
    // SAFETY: passed on to the caller; the bounds invariant of this file, step by step.
    unsafe { reader.container::<I>(start, room) }.unwrap_or(Skimmed::Refused)
}

/// The text and its quotes.
#[derive(Clone, Copy)]
struct Reader<'a> {
    text: &'a [u8],
    quotes: *const u64,
    last: usize,
}

/// Where the reading of members stopped.
enum Came {
    /// At a value, or at blanks before it.
    To(usize),
    /// Behind a value.
    Behind(usize),
}

/// All functions: positions at most `last`, and the processor has the instruction set `I`.
impl Reader<'_> {
    /// See [`skim`]; `None` is a fault.
    #[inline(always)]
    unsafe fn container<I: Isa + ?Sized>(self, start: usize, room: usize) -> Option<Skimmed> {
        // Bits of the open containers, the innermost lowest and set for objects, below one that marks where they begin.
        let (mut open, mut at) = (1u64, start);
        // What is so deep has such a bit.
        let too_deep = 1u64.checked_shl(room.min(63) as u32 + 1).unwrap_or(0);
        // SAFETY: the bounds invariant of this file.
        unsafe {
            'values: loop {
                match self.at(at) {
                    bracket @ (b'{' | b'[') => {
                        if open >> 63 != 0 {
                            return Some(Skimmed::Unsure(at));
                        }
                        open = open << 1 | (bracket == b'{') as u64;
                        if open & too_deep != 0 {
                            return None;
                        }
                        at = self.blanks(at + 1);
                        if self.at(at) != bracket + 2 {
                            if bracket == b'[' {
                                continue;
                            }
                            match self.members::<I>(at, open)? {
                                Came::To(value) => {
                                    at = value;
                                    continue;
                                }
                                Came::Behind(value) => at = value,
                            }
                        }
                    }
                    b'"' => at = self.string_end(at + 1)? + 1,
                    b'-' | b'0'..=b'9' => at = self.number::<I>(at)?,
                    b't' => at = self.word(at, b"true")?,
                    b'f' => at = self.word(at, b"false")?,
                    b'n' => at = self.word(at, b"null")?,
                    byte if is_blank(byte) => {
                        at = self.blanks(at);
                        continue;
                    }
                    _ => return None,
                }
                // Behind a value.
                loop {
                    at = self.blanks(at);
                    let byte = self.at(at);
                    if byte == b',' {
                        at = self.blanks(at + 1);
                        if open & 1 == 0 {
                            continue 'values;
                        }
                        match self.members::<I>(at, open)? {
                            Came::To(value) => {
                                at = value;
                                continue 'values;
                            }
                            Came::Behind(value) => at = value,
                        }
                        continue;
                    }
                    if byte != if open & 1 == 0 { b']' } else { b'}' } {
                        return None;
                    }
                    (open, at) = (open >> 1, at + 1);
                    if open == 1 {
                        return Some(Skimmed::Passed(at));
                    }
                    if at > self.last {
                        return None;
                    }
                }
            }
        }
    }

    /// From a key on, over members whose values are strings and numbers as long as no blank stands between tokens, and over
    /// the borders of elements of an array.
    #[inline(always)]
    unsafe fn members<I: Isa + ?Sized>(self, mut at: usize, open: u64) -> Option<Came> {
        let in_array = open & 0b11 == 0b01;
        // SAFETY: the bounds invariant of this file.
        unsafe {
            if self.at(at) != b'"' {
                return None;
            }
            loop {
                // The quotes of the key and, as a rule, of its value; the one that was passed is taken away.
                let start = at + 1;
                let quotes = self.quotes(start);
                let end = self.end(start, quotes)?;
                let quotes = quotes & quotes.wrapping_sub(1);
                let value = end + 2;
                if self.at(end + 1) != b':' {
                    let colon = self.blanks(end + 1);
                    return if self.at(colon) == b':' { Some(Came::To(self.blanks(colon + 1))) } else { None };
                }
                let first = self.at(value);
                if first == b'"' {
                    let quotes = quotes & quotes.wrapping_sub(1);
                    let end = if quotes != 0 { self.end(start, quotes)? } else { self.string_end(value + 1)? };
                    if self.at(end + 1) != b',' || self.at(end + 2) != b'"' {
                        return Some(Came::Behind(end + 1));
                    }
                    at = end + 2;
                    continue;
                }
                // The next key, or the first of the next element.
                at = start + quotes.trailing_zeros() as usize;
                if first > b'9' || at > self.last {
                    return Some(Came::To(value));
                }
                let stop = match self.text.get_unchecked(at - 3..at) {
                    [.., b','] => at - 1,
                    b"},{" if in_array => at - 3,
                    _ => return Some(Came::To(value)),
                };
                if quotes == 0 || !self.is_number::<I>(value, stop) {
                    return Some(Came::To(value));
                }
            }
        }
    }

    /// Whether these bytes are a number, and none that needs a closer look.
    #[inline(always)]
    unsafe fn is_number<I: Isa + ?Sized>(self, start: usize, end: usize) -> bool {
        let Some(bytes) = window(self.text, start) else { return false };
        let len = end.wrapping_sub(start);
        if len > 31 {
            return false;
        }
        let sign = (bytes[0] == b'-') as u32;
        // SAFETY: passed on to the caller.
        let others = unsafe { !I::digits(bytes) } & ((1 << len) - 1) & !sign;
        // The point, or the end.
        let point = (others | 1 << len).trailing_zeros();
        let dotted = (bytes[point as usize & 31] == b'.') & (point as usize + 1 < len);
        let zero = (bytes[sign as usize] == b'0') & (point > sign + 1);
        // One answer at the end: whether a number has a point cannot be foretold.
        (point > sign) & !zero & ((others == 0) | dotted & (others & others.wrapping_sub(1) == 0))
    }

    /// Behind a number.
    #[inline(always)]
    unsafe fn number<I: Isa + ?Sized>(self, at: usize) -> Option<usize> {
        // SAFETY: passed on to the caller.
        match window(self.text, at).and_then(|bytes| unsafe { form::<I>(bytes) }) {
            Some(form) => Some(at + form.len),
            None => number_end(self.text, at),
        }
    }

    #[inline(always)]
    fn word(self, at: usize, word: &[u8]) -> Option<usize> {
        if self.text[at..].starts_with(word) { Some(at + word.len()) } else { None }
    }

    /// The quotes from a position on, of 57 bytes or more.
    #[inline(always)]
    unsafe fn quotes(self, from: usize) -> u64 {
        // SAFETY: a word of the block in which the position lies and of the one behind it, if only the sentinel.
        let word = unsafe { self.quotes.cast::<u8>().add(from >> 3).cast::<u64>().read_unaligned() };
        u64::from_le(word) >> (from & 7)
    }

    /// The quote that ends the string whose text begins there, if that is not the end of the text.
    #[inline(always)]
    unsafe fn string_end(self, start: usize) -> Option<usize> {
        // SAFETY: passed on to the caller.
        unsafe { self.end(start, self.quotes(start)) }
    }

    /// The same, of the quotes behind `start` the first, if there is one.
    #[inline(always)]
    fn end(self, start: usize, quotes: u64) -> Option<usize> {
        let end = if quotes != 0 { start + quotes.trailing_zeros() as usize } else { self.far_string_end(start) };
        if end < self.last { Some(end) } else { None }
    }

    /// The same for a long string.
    #[inline(never)]
    fn far_string_end(self, start: usize) -> usize {
        let (mut block, mut from) = (start >> 6, !0u64 << (start & 63));
        loop {
            // SAFETY: the sentinel's are all set.
            let quotes = u64::from_le(unsafe { *self.quotes.add(block) }) & from;
            if quotes != 0 {
                return (block << 6) + quotes.trailing_zeros() as usize;
            }
            (block, from) = (block + 1, !0);
        }
    }

    #[inline(always)]
    unsafe fn blanks(self, mut at: usize) -> usize {
        // SAFETY: a blank is not the last byte.
        while is_blank(unsafe { self.at(at) }) {
            at += 1;
        }
        at
    }

    #[inline(always)]
    unsafe fn at(self, at: usize) -> u8 {
        debug_assert!(at <= self.last);
        // SAFETY: passed on to the caller.
        unsafe { *self.text.get_unchecked(at) }
    }
}
