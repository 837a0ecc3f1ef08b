//! JSON lines: one event a line. Lines end at `\n`; a `\r` before it belongs to the end; blank lines are no events.
//! And events about to be walked, from lines or from anywhere: of a line its end is found by the pass that makes the
//! bitmaps, which has to see every byte in any case.

use super::{Leaves, Validation, WalkState, dispatch, walk_ready};
use crate::{error::EventError, limits::EventLimits, path::PathTrie, value::sieve::Sieves};

/// The lines of a buffer that hold something, each with its byte offset.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    buffer: &'a [u8],
    at: usize,
}

/// Splits JSON lines.
pub fn lines(buffer: &[u8]) -> Lines<'_> {
    Lines { buffer, at: 0 }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.buffer.len() {
            let start = self.at;
            let rest = &self.buffer[start..];
            if let Some(line) = self.pass(memchr::memchr(b'\n', rest).unwrap_or(rest.len())) {
                return Some((start, line));
            }
        }
        None
    }
}

impl<'a> Lines<'a> {
    /// Passes a line of which the length is known; returns it without its end if it holds something.
    #[inline(always)]
    fn pass(&mut self, len: usize) -> Option<&'a [u8]> {
        let line = &self.buffer[self.at..][..len];
        self.at += len + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r')) { None } else { Some(line) }
    }
}

/// An event that is about to be walked, with the working memory for it.
pub struct Ready<'t, 's> {
    text: &'t [u8],
    state: &'s mut WalkState,
    /// All blocks of the text were made.
    seen: bool,
}

impl<'t> Ready<'t, '_> {
    /// The text.
    #[inline]
    pub fn text(&self) -> &'t [u8] {
        self.text
    }

    /// See [`super::walk_sieved`].
    #[inline]
    pub fn walk_sieved(
        self,
        wanted: (&PathTrie, &Sieves),
        level: Validation,
        limits: &EventLimits,
        out: &mut Leaves,
    ) -> Result<(), EventError> {
        // SAFETY: all blocks of the text were made if they were seen, and nobody else had the state since.
        unsafe { walk_ready(self.text, self.seen, wanted, level, limits, self.state, out) }
    }
}

/// Where events come from.
pub trait Events<'t> {
    /// The next event.
    fn next_event<'s>(&mut self, state: &'s mut WalkState, limits: &EventLimits) -> Option<Ready<'t, 's>>;
}

impl<'t, I: Iterator<Item = &'t [u8]>> Events<'t> for I {
    #[inline]
    fn next_event<'s>(&mut self, state: &'s mut WalkState, _: &EventLimits) -> Option<Ready<'t, 's>> {
        self.next().map(|text| Ready { text, state, seen: false })
    }
}

/// The events of a buffer of JSON lines.
#[derive(Clone, Debug)]
pub struct Reader<'a>(Lines<'a>);

/// The events of JSON lines.
pub fn events(buffer: &[u8]) -> Reader<'_> {
    Reader(lines(buffer))
}

impl<'t> Events<'t> for Reader<'t> {
    #[inline]
    fn next_event<'s>(&mut self, state: &'s mut WalkState, limits: &EventLimits) -> Option<Ready<'t, 's>> {
        let Self(lines) = self;
        // A longer line, with its end, is no event whatever it holds.
        let most = limits.max_event_bytes.min(u32::MAX as usize) + 2;
        while lines.at < lines.buffer.len() {
            let rest = &lines.buffer[lines.at..];
            let near = &rest[..rest.len().min(most)];
            let (len, seen) = match dispatch::fill_line(near, &mut state.blocks) {
                Some(end) => (end, true),
                None if near.len() == rest.len() => (rest.len(), true),
                None => (memchr::memchr(b'\n', &rest[most..]).map_or(rest.len(), |at| most + at), false),
            };
            if let Some(text) = lines.pass(len) {
                return Some(Ready { text, state, seen });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_end_at_newlines_and_blank_ones_are_left_out() {
        let found: Vec<_> = lines(b"{}\r\n\n  \r\n{\"a\":1}\n\t{}").collect();
        assert_eq!(found, [(0, &b"{}"[..]), (9, b"{\"a\":1}"), (17, b"\t{}")]);
        assert_eq!(lines(b"").count() + lines(b"\n").count() + lines(b" \r\n\n").count(), 0);
        assert_eq!(lines(b"x").collect::<Vec<_>>(), [(0, &b"x"[..])]);
    }
}
