//! Numbers within the walk: where they end, told by a bitmap of digits, and whether they make a difference, told by the
//! sieve of their path (see `value::sieve`).
//!
//! INVARIANT: positions as in `cursor`. A number that is left out has one before it, on the same path and in the same
//! elements of arrays, that meets all it meets.

use super::Kind;
use super::blocks::Isa;
use super::cursor::{Stop, TRUSTED, Walker};
use super::state::{Frame, Numeral, Place};
use crate::path::WANTED;
use crate::value::{
    number::comparable,
    sieve::{Class, Form, Heads, glance},
};

/// Classes that are remembered of a path.
const KNOWN: usize = 4;

impl<I: Isa, const LEVEL: u8> Walker<'_, I, LEVEL> {
    /// A number and, as long as that is what is expected, the members behind it that are numbers, and those of the next
    /// elements of an array: coordinates, measurements. Returns the place of a value at `p`, or nothing behind a value.
    ///
    /// # Safety
    /// `p <= last`; the container at hand is an object.
    #[inline(always)]
    pub(super) unsafe fn figures(&mut self, p: &mut usize, mut place: Place, frames: &mut [Frame]) -> Result<Option<Place>, Stop> {
        let text = self.text;
        let mut at = *p;
        let in_array = matches!(&*frames, [.., outer, _] if outer.close == b']');
        let mut here = frames.last_mut().expect("a container is open");
        // Whether the present element becomes the template of the next.
        let mut learns = false;
        // The number was passed.
        let mut behind = false;
        loop {
            // SAFETY: the caller vouches for `I`. Past a number, past a token, and past a bracket with a comma and another
            // behind it the position is at most `last`.
            unsafe {
                if !behind {
                    self.figure(&mut at, place, here)?;
                }
                behind = false;
                // The last keys of elements are read even if nobody wants them: to know how an element ends pays.
                let enough = LEVEL == TRUSTED && here.left == 0;
                if enough && !in_array {
                    *p = at;
                    return Ok(None);
                }
                let (from, closed) = (at, text.get(at) == Some(&b'}'));
                if let Some(next) = self.expected(&mut at, here, false) {
                    place = next;
                    if learns {
                        self.template.add(text, from, at, here.shape, place);
                    }
                } else if closed && self.another(frames, at + 1) {
                    if learns {
                        self.template.end();
                    }
                    here = frames.last_mut().expect("the next element");
                    let (state, object) = (here.shape, here.object);
                    let known = self.template.fits(object, state);
                    let run = if known { self.run(at, frames) } else { None };
                    here = frames.last_mut().expect("the next element");
                    learns = !known;
                    if let Some(run) = run {
                        at = run.at;
                        place = self.template.members()[run.member].place();
                        behind = run.passed;
                    } else {
                        at += 3;
                        place = self.first(&mut at, here)?;
                        if learns {
                            self.template.begin(object, state);
                            self.template.add(text, from, at, here.shape, place);
                        }
                    }
                } else if enough && text.get(at) == Some(&b',') {
                    at = self.blanks(at + 1);
                    here = frames.last_mut().expect("a container is open");
                    place = self.member(from, &mut at, here, false)?;
                } else {
                    *p = at;
                    return Ok(None);
                }
                // A minus, a digit, or what `figure` refuses.
                if !behind && self.at(at).wrapping_sub(b'-') > b'9' - b'-' {
                    *p = self.blanks(at);
                    return Ok(Some(place));
                }
            }
        }
    }

    /// A number; `p` moves behind it.
    ///
    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    pub(super) unsafe fn figure(&mut self, p: &mut usize, place: Place, here: &Frame) -> Result<(), Stop> {
        let start = *p;
        // SAFETY: the caller vouches for `I` and the position.
        let form = unsafe {
            match window(self.text, start) {
                Some(bytes) => match form::<I>(bytes) {
                    Some(form) => form,
                    None => self.odd_number(start)?,
                },
                None => self.odd_number(start)?,
            }
        };
        *p = start + form.len;
        self.pass(place, here, start, form)
    }

    #[inline(always)]
    fn pass(&mut self, place: Place, here: &Frame, start: usize, form: Form) -> Result<(), Stop> {
        if place.flags & WANTED != 0 {
            if self.sifts(place, here.trail, start, form) {
                self.sifted += 1;
            } else {
                self.emit(place, here, Kind::Number, start, start + form.len, false)?;
            }
        }
        Ok(())
    }

    /// Whether a number makes no difference, see `walk_sieved`.
    #[inline(always)]
    fn sifts(&mut self, place: Place, trail: u32, start: usize, form: Form) -> bool {
        let Some(n) = self.sieves.of(place.node) else { return false };
        let passed = &self.passed[n];
        let known = passed.ready == self.started && passed.trail == trail && self.tells(&passed.range, start, form);
        // So many values are refused whether or not they make a difference.
        known && self.out.leaves.len() + self.sifted < self.max_leaves || self.passes(n, trail, start, form)
    }

    #[inline(always)]
    fn tells(&self, heads: &Heads, start: usize, form: Form) -> bool {
        match window(self.text, start) {
            Some(bytes) => heads.hold(bytes, (bytes[0] == b'-') as u32 + form.whole, form.part),
            None => false,
        }
    }

    /// The same for a number of which the first digits do not tell.
    #[inline(never)]
    fn passes(&mut self, n: usize, trail: u32, start: usize, form: Form) -> bool {
        if !(1..=7).contains(&form.whole) {
            return false;
        }
        let number = Numeral { start: start as u32, form };
        let passed = &mut self.passed[n];
        if passed.serial != self.started || passed.trail != trail {
            (passed.serial, passed.trail, passed.fresh, passed.ready) = (self.started, trail, true, 0);
            passed.first = number;
            return false;
        }
        if self.out.leaves.len() + self.sifted >= self.max_leaves {
            return false;
        }
        if passed.fresh {
            (passed.fresh, passed.classes, passed.open) = (false, 0, None);
            if passed.version != self.sieves.version() {
                passed.version = self.sieves.version();
                passed.known.clear();
            }
            let first = passed.first;
            self.judges(n, first);
            if self.passed[n].ready == self.started && self.tells(&self.passed[n].range, start, form) {
                return true;
            }
        }
        self.judges(n, number)
    }

    fn judges(&mut self, n: usize, number: Numeral) -> bool {
        let Some((class, heads)) = self.class(n, number) else { return false };
        let passed = &mut self.passed[n];
        let bit = 1u64 << class.number;
        let mut needless = passed.classes & bit != 0;
        // A number that is not comparable is in no range; up to 8 digits after the point and 7 before it are comparable.
        if !needless && number.form.part > 8 && class.ranged {
            let open = passed.open.replace((class.number, number)).filter(|(open, _)| *open == class.number);
            needless = open.is_some_and(|(_, other)| comparable(&self.text[other.start as usize..][..other.form.len]).is_some());
            if !needless {
                return false;
            }
        }
        passed.classes |= bit;
        (passed.ready, passed.range) = (self.started, heads);
        needless
    }

    /// The class of a number, and of which others the first bytes tell that they are of it, too. Both are remembered.
    fn class(&mut self, n: usize, number: Numeral) -> Option<(Class, Heads)> {
        let form = number.form;
        let known = self.passed[n].known.iter().find(|(_, heads)| self.tells(heads, number.start as usize, form));
        if known.is_some() {
            return known.copied();
        }
        let bytes = window(self.text, number.start as usize)?;
        let negative = bytes[0] == b'-';
        let near = glance(bytes, negative, form.whole as usize, form.part as usize);
        let class = self.sieves.get(n).class(near)?;
        let heads = Heads::new(class, bytes, form);
        let known = &mut self.passed[n].known;
        known.truncate(KNOWN - 1);
        known.insert(0, (class, heads));
        Some((class, heads))
    }

    /// Any other number.
    #[cold]
    #[inline(never)]
    fn odd_number(&self, start: usize) -> Result<Form, Stop> {
        let end = number_end(self.text, start).ok_or(Stop::Refused)?;
        Ok(Form { len: end - start, whole: 0, part: 0 })
    }
}

/// The end of the number that begins there.
#[cold]
pub(super) fn number_end(text: &[u8], mut at: usize) -> Option<usize> {
    let byte = |at: usize| text.get(at).copied().unwrap_or(0);
    let digits = |start: usize| {
        let count = text.get(start..)?.iter().take_while(|b| b.is_ascii_digit()).count();
        if count > 0 { Some(start + count) } else { None }
    };
    at += (byte(at) == b'-') as usize;
    at = if byte(at) == b'0' { at + 1 } else { digits(at)? };
    if byte(at) == b'.' {
        at = digits(at + 1)?;
    }
    if byte(at) | 0x20 == b'e' {
        at += 1;
        at += matches!(byte(at), b'+' | b'-') as usize;
        at = digits(at)?;
    }
    Some(at)
}

/// The 32 bytes from a position on, if there are so many.
#[inline(always)]
pub(super) fn window(text: &[u8], at: usize) -> Option<&[u8; 32]> {
    text.get(at..at + 32)?.first_chunk()
}

/// The form of the number at the beginning of the bytes, unless it needs a closer look or is none.
///
/// # Safety
/// The processor must have the instruction set `I`.
#[inline(always)]
pub(super) unsafe fn form<I: Isa + ?Sized>(bytes: &[u8; 32]) -> Option<Form> {
    let sign = (bytes[0] == b'-') as u32;
    // SAFETY: passed on to the caller.
    let others = unsafe { !I::digits(bytes) } & !sign;
    // The first two bytes that are no digits: the point and what ends the number, or only that.
    let (point, second) = (others.trailing_zeros(), (others & others.wrapping_sub(1)).trailing_zeros());
    let whole = point - sign;
    let (mut len, mut part, mut odd) = (point, 0, whole == 0);
    if bytes[point as usize & 31] == b'.' {
        len = second;
        part = len - point - 1;
        odd |= part == 0;
    }
    odd |= bytes[sign as usize] == b'0' && whole > 1;
    // An exponent, or longer than the eye reaches.
    odd |= len > 31 || bytes[len as usize & 31] | 0x20 == b'e';
    if odd { None } else { Some(Form { len: len as usize, whole, part }) }
}
