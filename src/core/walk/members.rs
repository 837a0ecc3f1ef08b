//! Keys: what stands between a value and the next one of an object, expected (see `shape`) or read.
//!
//! INVARIANT: positions as in `cursor`.

use super::blocks::Isa;
use super::cursor::{STRICT, Stop, TRUSTED, Walker};
use super::shape::{TOKEN, mix};
use super::state::{DOTTED, EMPTY, Frame, KEY, NO_NODE, NOWHERE, Place};
use crate::json::string::unescape_into;
use crate::path::{INNER, KeyHit, SHARED, WANTED};

impl<I: Isa, const LEVEL: u8> Walker<'_, I, LEVEL> {
    /// From just after an opening bracket to the first value, or, if there is none (`EMPTY`), to the closing bracket.
    ///
    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    pub(super) unsafe fn first(&mut self, p: &mut usize, here: &mut Frame) -> Result<Place, Stop> {
        // SAFETY: `p <= last` throughout.
        unsafe {
            if here.close == b'}'
                && let Some(place) = self.expected(p, here, true)
            {
                return Ok(place);
            }
            let from = *p;
            *p = self.blanks(from);
            if self.at(*p) == here.close {
                return Ok(Place { node: NO_NODE, flags: EMPTY });
            }
            if here.close == b'}' { self.member(from, p, here, true) } else { Ok(element(here)) }
        }
    }

    /// Passes the token that was met last in this state, if it stands here too; `p` moves to the value or to more blanks than
    /// the last time.
    ///
    /// # Safety
    /// `p <= last`.
    #[inline(always)]
    pub(super) unsafe fn expected(&mut self, p: &mut usize, here: &mut Frame, first: bool) -> Option<Place> {
        if *p >= self.tokens {
            return None;
        }
        // SAFETY: there is room for a token; the caller vouches for `I`.
        let slot = unsafe {
            let bytes = &*self.text.as_ptr().add(*p).cast();
            self.shapes.expected::<I>(here.shape, bytes, here.object | first as u64)
        }?;
        // A token ends with a colon or a blank, which is not the last byte.
        *p += slot.len as usize;
        here.shape = slot.next;
        let place = slot.place;
        self.meet(place, here);
        Some(place)
    }

    /// Behind a token.
    #[inline(always)]
    pub(super) fn meet(&mut self, place: Place, here: &mut Frame) {
        if place.flags & KEY != 0 {
            let new = self.keys.meet(here.serial, place.node, place.flags, &self.out.leaves);
            here.left -= (LEVEL == TRUSTED && new) as u32;
        }
    }

    /// Reads a key and its colon; `p` moves to the value. What leads from the value before (or from the opening brace)
    /// to the key begins at `from`.
    ///
    /// # Safety
    /// `p <= last`.
    #[inline(never)]
    pub(super) unsafe fn member(&mut self, from: usize, p: &mut usize, here: &mut Frame, first: bool) -> Result<Place, Stop> {
        // SAFETY: `p <= last`; then past a quote, blanks and a colon, none of which is the last byte.
        unsafe {
            if self.at(*p) != b'"' {
                return Err(Stop::Refused);
            }
            let start = *p + 1;
            let end = self.string_end(*p)?;
            *p = self.blanks(end + 1);
            if self.at(*p) != b':' {
                return Err(Stop::Refused);
            }
            *p = self.blanks(*p + 1);
            let escaped = self.has_backslash(start, end);
            let hit = if escaped {
                self.escaped_key(start, end, here.node)?
            } else if LEVEL == STRICT && here.node == NO_NODE {
                None
            } else {
                self.trie.follow(here.node, self.text, start, end, self.eight(start))
            };
            let place = match hit {
                Some(KeyHit { node, dotted }) => {
                    let flags = self.trie.flags(node) | if dotted { KEY | DOTTED } else { KEY };
                    let new = self.keys.meet(here.serial, node, flags, &self.out.leaves);
                    here.left -= (LEVEL == TRUSTED && new) as u32;
                    Place { node, flags }
                }
                None => NOWHERE,
            };
            here.shape = match self.text.get(from..from + TOKEN).and_then(|t| t.first_chunk()) {
                Some(token) if !escaped && *p - from <= TOKEN => {
                    self.shapes.learn(here.shape, token, *p - from, here.object | first as u64, place)
                }
                _ => mix(here.shape, self.eight(start)),
            };
            Ok(place)
        }
    }

    #[cold]
    fn escaped_key(&mut self, start: usize, end: usize, node: u32) -> Result<Option<KeyHit>, Stop> {
        self.key.clear();
        unescape_into(&self.text[start..end], self.key).map_err(|_| Stop::Refused)?;
        Ok(if node == NO_NODE { None } else { self.trie.follow_slow(node, self.key) })
    }
}

/// The place of an array's elements.
#[inline(always)]
pub(super) fn element(array: &Frame) -> Place {
    Place { node: array.node, flags: array.flags & (WANTED | SHARED | INNER) }
}
