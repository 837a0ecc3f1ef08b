//! Where an offset lies in an event's text: line, column, and a few words around it with a caret below. Only errors
//! ask. Looks at a short window of the text, so that an event of a gigabyte in one line costs no more than a scan.

/// Characters shown before and behind the place.
const AROUND: usize = 40;

/// A place in a text.
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The text around the place and a caret below it, two lines behind the line's number.
    pub excerpt: String,
}

impl Place {
    /// The place of a byte in a text that stands behind `lines` lines; offsets beyond the end mean the end.
    pub fn of(text: &[u8], offset: usize, lines: usize) -> Self {
        let offset = offset.min(text.len());
        let before = &text[..offset];
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|b| **b == b'\n').count() + 1 + lines;
        let column = text[start..offset].iter().filter(|b| is_first_byte(**b)).count() + 1;
        Self { line, column, excerpt: excerpt(text, start, offset, line) }
    }
}

fn excerpt(text: &[u8], start: usize, offset: usize, line: usize) -> String {
    // Four bytes a character at most; the window is cut at the first bytes of characters.
    let from = cut(text, start.max(offset.saturating_sub(AROUND * 4)));
    let end =
        text[offset..].iter().take(AROUND * 4).position(|b| *b == b'\n').map_or(text.len().min(offset + AROUND * 4), |at| offset + at);
    let before = visible(&text[from..offset]);
    let skipped = before.len().saturating_sub(AROUND);
    let rest = visible(&text[offset..cut(text, end).max(offset)]);
    let left = if from > start || skipped > 0 { "…" } else { "" };
    let line_ends = rest.len() <= AROUND && text.get(end).is_none_or(|b| *b == b'\n');
    let right = if line_ends { "" } else { "…" };
    let shown: String = before[skipped..].iter().chain(rest.iter().take(AROUND)).collect();
    let pad = " ".repeat(before.len() - skipped + left.chars().count());
    format!("{line:>5} | {left}{shown}{right}\n      | {pad}^")
}

/// The nearest first byte of a character at or before `at`.
fn cut(text: &[u8], at: usize) -> usize {
    (at.saturating_sub(3)..=at).rev().find(|i| text.get(*i).is_none_or(|b| is_first_byte(*b))).unwrap_or(at)
}

fn is_first_byte(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// One character on the screen for each of the text, so that the caret stands right.
fn visible(bytes: &[u8]) -> Vec<char> {
    String::from_utf8_lossy(bytes).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
