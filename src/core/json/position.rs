//! Where an offset lies in a JSON text: line, column, the line with a caret, the JSON pointer, the bracket around it.
//! Only errors ask, so everything is found by reading the text again; parsers keep no books for it.
//! Relies on the text being lexically sound before the offset; for anything else the answers are a guess, never a panic.

use std::fmt::Write as _;

/// Longest part of a line that an excerpt shows, in characters.
const SHOWN: usize = 100;

/// Line and column of an offset, both from 1; the column counts characters.
pub fn line_column(text: &[u8], offset: usize) -> (usize, usize) {
    let offset = offset.min(text.len());
    let start = line_start(text, offset);
    let breaks = text[..start].iter().enumerate().filter(|(i, b)| is_break(text, *i, **b)).count();
    (breaks + 1, characters(&text[start..offset]) + 1)
}

/// The offending line with a caret below it, both behind the line's number; a line of more than 100 characters is
/// clipped around the place.
pub fn excerpt(text: &[u8], offset: usize, length: usize) -> String {
    let offset = offset.min(text.len());
    let (line, _) = line_column(text, offset);
    let start = line_start(text, offset);
    let end = (offset..text.len()).find(|i| matches!(text[*i], b'\n' | b'\r')).unwrap_or(text.len());
    let before: Vec<char> = visible(&text[start..offset]);
    let rest: Vec<char> = visible(&text[offset..end]);
    let marked = characters(&text[offset..end.min(offset.saturating_add(length))]).max(1);

    let total = before.len() + rest.len();
    // The window ends at most SHOWN characters after it begins and holds the place with two thirds of it before.
    let from = if total <= SHOWN { 0 } else { before.len().saturating_sub(SHOWN * 2 / 3).min(total - SHOWN) };
    let to = total.min(from + SHOWN);
    let shown: String = before.iter().chain(&rest).skip(from).take(to - from).collect();
    let carets = marked.min(to.saturating_sub(before.len())).max(1);
    let pad: String = before[from..].iter().map(|c| if *c == '\t' { '\t' } else { ' ' }).collect();
    let (left, right) = (if from > 0 { "…" } else { "" }, if to < total { "…" } else { "" });
    let indent = if from > 0 { " " } else { "" };
    format!("{line:>5} | {left}{shown}{right}\n      | {indent}{pad}{}", "^".repeat(carets))
}

/// JSON pointer (RFC 6901) to the value at the offset: to the member whose key or value stands there, to the element,
/// or, between values, to the object or array around the place.
pub fn pointer(text: &[u8], offset: usize) -> String {
    let mut out = String::new();
    for frame in frames(text, offset) {
        match frame.step {
            Step::None => {}
            Step::Index(i) => {
                let _ = write!(out, "/{i}");
            }
            Step::Key(start, end) => {
                let mut key = Vec::with_capacity(end - start);
                // A key that does not unescape is shown as it stands.
                if super::string::unescape_into(&text[start..end], &mut key).is_err() {
                    key = text[start..end].to_vec();
                }
                out.push('/');
                out.push_str(&String::from_utf8_lossy(&key).replace('~', "~0").replace('/', "~1"));
            }
        }
    }
    out
}

/// Offset of the innermost bracket or brace that is open at `offset`.
pub fn innermost_open(text: &[u8], offset: usize) -> Option<usize> {
    frames(text, offset).last().map(|f| f.open)
}

#[derive(Clone, Copy)]
enum Step {
    None,
    Key(usize, usize),
    Index(usize),
}

struct Frame {
    open: usize,
    object: bool,
    /// The member or element under way; none between values.
    step: Step,
    /// Elements completed (arrays only).
    count: usize,
    /// A key is next (objects only).
    key_next: bool,
}

/// The containers open at the offset, outermost first, each with the step taken from it.
fn frames(text: &[u8], offset: usize) -> Vec<Frame> {
    let offset = offset.min(text.len());
    let mut frames: Vec<Frame> = Vec::new();
    let mut i = 0;
    while i < text.len() {
        let b = text[i];
        let blank = matches!(b, b' ' | b'\t' | b'\n' | b'\r');
        // A token that begins at the offset still names its member or element; what comes later does not count.
        if i > offset || (i == offset && (blank || matches!(b, b',' | b':' | b'}' | b']'))) {
            break;
        }
        if blank || b == b':' {
            i += 1;
            continue;
        }
        match b {
            b',' => {
                if let Some(f) = frames.last_mut() {
                    (f.step, f.key_next) = (Step::None, f.object);
                    if !f.object {
                        f.step = Step::Index(f.count);
                    }
                }
                i += 1;
            }
            b'}' | b']' => {
                frames.pop();
                completed(&mut frames);
                i += 1;
            }
            _ => {
                if let Some(f) = frames.last_mut().filter(|f| !f.object) {
                    f.step = Step::Index(f.count);
                }
                if b == b'{' || b == b'[' {
                    if i == offset {
                        break;
                    }
                    frames.push(Frame { open: i, object: b == b'{', step: Step::None, count: 0, key_next: true });
                    i += 1;
                    continue;
                }
                let end = token_end(text, i);
                match frames.last_mut().filter(|f| f.object && f.key_next && b == b'"') {
                    Some(f) => {
                        (f.step, f.key_next) = (Step::Key(i + 1, end.saturating_sub(1).max(i + 1)), false);
                    }
                    None if end <= offset => completed(&mut frames),
                    None => {}
                }
                i = end;
            }
        }
    }
    frames
}

fn completed(frames: &mut [Frame]) {
    if let Some(f) = frames.last_mut() {
        f.step = Step::None;
        f.count += 1;
    }
}

/// End of the string, number or word that begins at `start`; always beyond `start`.
fn token_end(text: &[u8], start: usize) -> usize {
    let mut i = start + 1;
    if text[start] == b'"' {
        while i < text.len() && text[i] != b'"' {
            i += 1 + (text[i] == b'\\') as usize;
        }
        return (i + 1).min(text.len());
    }
    while i < text.len() && !matches!(text[i], b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"') {
        i += 1;
    }
    i
}

fn is_break(text: &[u8], i: usize, b: u8) -> bool {
    b == b'\n' || (b == b'\r' && text.get(i + 1) != Some(&b'\n'))
}

fn line_start(text: &[u8], offset: usize) -> usize {
    (0..offset).rev().find(|i| is_break(text, *i, text[*i])).map_or(0, |i| i + 1)
}

fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b & 0xc0 != 0x80).count()
}

/// One character on the screen for each character of the text, so that carets stand right.
fn visible(bytes: &[u8]) -> Vec<char> {
    String::from_utf8_lossy(bytes).chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let t = "{\n  \"é名\": [x]\r\n}".as_bytes();
        let x = t.iter().position(|b| *b == b'x').unwrap();
        assert_eq!(line_column(t, x), (2, 10));
        assert_eq!(line_column(t, t.len()), (3, 2));
        assert_eq!(line_column(b"a\rb", 2), (2, 1));
        assert_eq!(line_column(b"", 9), (1, 1));
    }

    #[test]
    fn the_caret_stands_below_the_place() {
        let t = b"{\n  \"price\": [{\"numeric\": [\"=>\", 10]}]\n}";
        let at = t.windows(4).position(|w| w == b"\"=>\"").unwrap();
        assert_eq!(excerpt(t, at, 4), "    2 |   \"price\": [{\"numeric\": [\"=>\", 10]}]\n      |                          ^^^^");
        let long = format!("{{\"{}\":x,\"{}\":1}}", "k".repeat(300), "l".repeat(300));
        let e = excerpt(long.as_bytes(), long.find('x').unwrap(), 1);
        let (line, caret) = e.split_once('\n').unwrap();
        let column = caret.chars().position(|c| c == '^').unwrap();
        assert_eq!(line.chars().nth(column), Some('x'));
        assert!(line.chars().count() <= SHOWN + 10);
    }

    #[test]
    fn pointers_name_members_and_elements() {
        let t = br#"{"detail": {"pr/i~ce": ["x", {"numeric": ["=>", 10]}], "z": 5}}"#;
        let at = |needle: &str| pointer(t, String::from_utf8_lossy(t).find(needle).unwrap());
        assert_eq!(at("\"=>"), "/detail/pr~1i~0ce/1/numeric/0");
        assert_eq!(at("10"), "/detail/pr~1i~0ce/1/numeric/1");
        assert_eq!(at("{\"num"), "/detail/pr~1i~0ce/1");
        assert_eq!(at("\"numeric"), "/detail/pr~1i~0ce/1/numeric");
        assert_eq!(at("5}"), "/detail/z");
        assert_eq!(pointer(t, 0), "");
        assert_eq!(pointer(br#"{"a":[1,]}"#, 8), "/a/1");
        assert_eq!(pointer(br#"{"a":[1}"#, 7), "/a");
        assert_eq!(pointer(br#"{"a" x"#, 5), "/a");
        assert_eq!(innermost_open(br#"{"a":[1,{"b":2},"#, 16), Some(5));
    }
}
