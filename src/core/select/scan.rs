//! The scan: one pass over a JSON text along the trie, from token to token where a path leads, from quote to quote and
//! bracket to bracket elsewhere. Of members with one name the last counts, as in the engine.
//!
//! Depth of recursion is that of the trie, which the paths' own length limits; what no path enters is passed over in a
//! loop. COST: linear in the text for paths that share no element; an element that several of `[0]` and `[*]` name is
//! read once for each.

use super::paths::Paths;
use crate::json::string::unescape_into;

/// The text is no JSON; found at this byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Offset of the byte that cannot stand there, or the text's length.
    pub offset: usize,
}

/// Where a value lies: its first byte and the one behind its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// The byte behind the last.
    pub end: usize,
}

impl Span {
    /// The value's text.
    #[inline]
    pub fn of<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// A value met, or (with an empty span) the array in which a list's values lie.
#[derive(Clone, Copy, Debug)]
struct Hit {
    path: u32,
    span: Span,
}

/// Withdrawn: a later member has the same name.
const WITHDRAWN: u32 = u32::MAX;

/// What a scan found; may be used again for the next.
#[derive(Clone, Debug, Default)]
pub struct Found {
    hits: Vec<Hit>,
    /// Members met so far in the open objects: child of the trie and its hits.
    members: Vec<(u32, usize, usize)>,
    name: Vec<u8>,
}

impl Found {
    /// The values of a path, in the text's order; `None` if it has none. A list has a value as soon as the array that it
    /// ranges over is there.
    pub fn values(&self, path: usize) -> Option<impl Iterator<Item = Span> + '_> {
        let from = self.hits.partition_point(|hit| (hit.path as usize) < path);
        let to = self.hits.partition_point(|hit| hit.path as usize <= path);
        let hits = &self.hits[from..to];
        (!hits.is_empty()).then(|| hits.iter().map(|hit| hit.span).filter(|span| span.end > 0))
    }

    /// The first value of a path.
    pub fn first(&self, path: usize) -> Option<Span> {
        self.values(path)?.next()
    }
}

impl Paths {
    /// Finds the values of all paths in a JSON text. After an error `found` means nothing.
    pub fn scan(&self, text: &[u8], found: &mut Found) -> Result<(), Broken> {
        found.hits.clear();
        found.members.clear();
        let mut scan = Scan { paths: self, text, found };
        let end = scan.value(0, scan.blank(0))?;
        let end = scan.blank(end);
        if end < text.len() {
            return Err(Broken { offset: end });
        }
        if self.len() > 1 {
            found.hits.retain(|hit| hit.path != WITHDRAWN);
            // Stable: the values of one path stay in the text's order.
            found.hits.sort_by_key(|hit| hit.path);
        } else {
            found.hits.retain(|hit| hit.path != WITHDRAWN);
        }
        Ok(())
    }
}

struct Scan<'a> {
    paths: &'a Paths,
    text: &'a [u8],
    found: &'a mut Found,
}

type Place = Result<usize, Broken>;

impl Scan<'_> {
    #[inline]
    fn at(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// The next byte that is no white space.
    #[inline]
    fn blank(&self, mut at: usize) -> usize {
        while matches!(self.at(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            at += 1;
        }
        at
    }

    /// Reads the value that begins at `at` for a node; its end.
    fn value(&mut self, node: u32, at: usize) -> Place {
        let paths = self.paths;
        let Some(here) = paths.nodes.get(node as usize) else { return Err(Broken { offset: at }) };
        let end = match self.at(at) {
            Some(b'{') if here.wants_members() => self.object(node, at)?,
            Some(b'[') if here.wants_elements() => {
                for path in &here.lists {
                    self.found.hits.push(Hit { path: *path, span: Span { start: 0, end: 0 } });
                }
                self.array(node, at)?
            }
            _ => skip(self.text, at)?,
        };
        if let Some(path) = here.ends {
            self.found.hits.push(Hit { path, span: Span { start: at, end } });
        }
        Ok(end)
    }

    fn object(&mut self, node: u32, open: usize) -> Place {
        let base = self.found.members.len();
        let mut at = self.blank(open + 1);
        if self.at(at) == Some(b'}') {
            return Ok(at + 1);
        }
        loop {
            if self.at(at) != Some(b'"') {
                return Err(Broken { offset: at });
            }
            let end = string(self.text, at)?;
            let child = self.child(node, at + 1, end - 1);
            at = self.blank(end);
            if self.at(at) != Some(b':') {
                return Err(Broken { offset: at });
            }
            at = self.blank(at + 1);
            at = match child {
                Some(child) => self.member(child, at, base)?,
                None => skip(self.text, at)?,
            };
            at = self.blank(at);
            match self.at(at) {
                Some(b',') => at = self.blank(at + 1),
                Some(b'}') => {
                    self.found.members.truncate(base);
                    return Ok(at + 1);
                }
                _ => return Err(Broken { offset: at }),
            }
        }
    }

    /// The child for the name between two quotes.
    #[inline]
    fn child(&mut self, node: u32, start: usize, end: usize) -> Option<u32> {
        let name = self.text.get(start..end)?;
        let node = self.paths.nodes.get(node as usize)?;
        if memchr::memchr(b'\\', name).is_none() {
            return node.child(name);
        }
        self.found.name.clear();
        unescape_into(name, &mut self.found.name).ok()?;
        node.child(&self.found.name)
    }

    /// Reads a wanted member's value; withdraws what an earlier member of the same name gave.
    fn member(&mut self, child: u32, at: usize, base: usize) -> Place {
        let earlier = self.found.members[base..].iter().position(|(c, _, _)| *c == child).map(|i| base + i);
        if let Some(i) = earlier {
            // COST: each hit is withdrawn at most once by each level, so repeated names stay linear.
            let (_, from, to) = self.found.members[i];
            for hit in &mut self.found.hits[from..to] {
                hit.path = WITHDRAWN;
            }
        }
        let from = self.found.hits.len();
        // INVARIANT: entries of inner objects lie above this level's and are gone when they end.
        let slot = earlier.unwrap_or_else(|| {
            self.found.members.push((child, from, from));
            self.found.members.len() - 1
        });
        let end = self.value(child, at)?;
        let to = self.found.hits.len();
        if let Some(entry) = self.found.members.get_mut(slot) {
            *entry = (child, from, to);
        }
        Ok(end)
    }

    fn array(&mut self, node: u32, open: usize) -> Place {
        let paths = self.paths;
        let Some(here) = paths.nodes.get(node as usize) else { return Err(Broken { offset: open }) };
        let mut wanted = here.indices.iter().peekable();
        let mut at = self.blank(open + 1);
        if self.at(at) == Some(b']') {
            return Ok(at + 1);
        }
        let mut index = 0;
        loop {
            let mut end = None;
            if let Some((_, child)) = wanted.next_if(|(i, _)| *i == index) {
                end = Some(self.value(*child, at)?);
            }
            if let Some(child) = here.all {
                end = Some(self.value(child, at)?);
            }
            at = match end {
                Some(end) => end,
                None => skip(self.text, at)?,
            };
            at = self.blank(at);
            match self.at(at) {
                Some(b',') => at = self.blank(at + 1),
                Some(b']') => return Ok(at + 1),
                _ => return Err(Broken { offset: at }),
            }
            index += 1;
        }
    }
}

/// Passes over the value that begins at `at`; its end.
fn skip(text: &[u8], at: usize) -> Place {
    match text.get(at) {
        Some(b'"') => string(text, at),
        Some(b'{' | b'[') => container(text, at),
        Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            let rest = text.get(at + 1..).unwrap_or_default();
            let word = rest.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.')).count();
            Ok(at + 1 + word)
        }
        _ => Err(Broken { offset: at }),
    }
}

/// Passes over an object or array: brackets are counted, whatever their kind, strings passed over.
fn container(text: &[u8], open: usize) -> Place {
    let mut at = open;
    let mut depth = 0usize;
    loop {
        match text.get(at) {
            Some(b'"') => {
                at = string(text, at)?;
                continue;
            }
            Some(b'{' | b'[') => depth += 1,
            Some(b'}' | b']') => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            Some(_) => {}
            None => return Err(Broken { offset: text.len() }),
        }
        at += 1;
    }
}

/// Passes over the string whose opening quote stands at `at`.
#[inline]
fn string(text: &[u8], at: usize) -> Place {
    let mut from = at + 1;
    loop {
        let rest = text.get(from..).unwrap_or_default();
        let Some(found) = near(rest) else { return Err(Broken { offset: text.len() }) };
        if rest[found] == b'"' {
            return Ok(from + found + 1);
        }
        from += found + 2;
    }
}

/// The first quote or backslash. Most strings are short: a call into the vector search costs more than they do.
#[inline]
fn near(rest: &[u8]) -> Option<usize> {
    const SHORT: usize = 16;
    for (i, b) in rest.iter().take(SHORT).enumerate() {
        if matches!(b, b'"' | b'\\') {
            return Some(i);
        }
    }
    memchr::memchr2(b'"', b'\\', rest.get(SHORT..)?).map(|i| i + SHORT)
}
