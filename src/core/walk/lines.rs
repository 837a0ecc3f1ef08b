//! JSON lines: one event a line. Lines end at `\n`; a `\r` before it belongs to the end; blank lines are no events.

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
            let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.at = start + len + 1;
            let line = rest[..len].strip_suffix(b"\r").unwrap_or(&rest[..len]);
            if !line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r')) {
                return Some((start, line));
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
