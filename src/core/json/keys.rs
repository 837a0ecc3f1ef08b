//! Keys along a path of a valid JSON text, for explanations. Plain and slow; never on the match path.

use super::string::unescape_into;

/// How many of the keys lead somewhere, and the keys that stand where the next one was not found.
/// Arrays are looked through. The text must have been accepted as an event; on other text the answer is less useful,
/// nothing worse.
pub fn keys_at(text: &[u8], keys: &[&[u8]]) -> (usize, Vec<Vec<u8>>) {
    let mut best = (0, Vec::new());
    let mut reader = Reader { text, at: 0 };
    reader.value(keys, 0, &mut best, 0);
    best
}

/// Deeper values are passed over.
const DEEPEST: usize = 200;

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn value(&mut self, keys: &[&[u8]], depth: usize, best: &mut (usize, Vec<Vec<u8>>), level: usize) {
        match self.peek() {
            Some(b'{') if level < DEEPEST => self.object(keys, depth, best, level),
            Some(b'[') if level < DEEPEST => {
                self.at += 1;
                while !matches!(self.peek(), None | Some(b']')) {
                    self.value(keys, depth, best, level + 1);
                    if self.peek() == Some(b',') {
                        self.at += 1;
                    }
                }
                self.at += 1;
            }
            Some(b'"') => {
                self.string();
            }
            Some(_) => self.at += 1 + self.text[self.at + 1..].iter().take_while(|b| !b",]} \t\r\n".contains(b)).count(),
            None => {}
        }
        if depth > best.0 {
            *best = (depth, Vec::new());
        }
    }

    fn object(&mut self, keys: &[&[u8]], depth: usize, best: &mut (usize, Vec<Vec<u8>>), level: usize) {
        self.at += 1;
        while self.peek() == Some(b'"') {
            let key = self.string();
            if self.peek() == Some(b':') {
                self.at += 1;
            }
            let parts: Vec<&[u8]> = key.split(|b| *b == b'.').collect();
            let leads = depth <= keys.len() && keys[depth..].starts_with(&parts);
            if depth > best.0 {
                *best = (depth, Vec::new());
            }
            if depth == best.0 {
                best.1.push(key.clone());
            }
            // A key that leads nowhere is passed over with a depth at which nothing is noted.
            let mut nowhere = (usize::MAX, Vec::new());
            if leads {
                self.value(keys, depth + parts.len(), best, level + 1);
            } else {
                self.value(keys, 0, &mut nowhere, level + 1);
            }
            if self.peek() == Some(b',') {
                self.at += 1;
            }
        }
        self.at += 1;
    }

    fn string(&mut self) -> Vec<u8> {
        let start = self.at + 1;
        let mut end = start;
        while self.text.get(end).is_some_and(|b| *b != b'"') {
            end += 1 + (self.text[end] == b'\\') as usize;
        }
        let end = end.min(self.text.len());
        self.at = end + 1;
        let mut out = Vec::new();
        let _ = unescape_into(&self.text[start.min(end)..end], &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_stands_there_instead() {
        let text = br#"{"detail": [{"state": 1, "x": [1, {"y": "]"}]}, {"other": 2}], "a.b": {"c": 1}}"#;
        assert_eq!(keys_at(text, &[b"detail", b"stat"]), (1, vec![b"state".to_vec(), b"x".to_vec(), b"other".to_vec()]));
        assert_eq!(keys_at(text, &[b"source"]), (0, vec![b"detail".to_vec(), b"a.b".to_vec()]));
        assert_eq!(keys_at(text, &[b"a", b"b", b"d"]), (2, vec![b"c".to_vec()]));
        assert_eq!(keys_at(text, &[b"detail", b"state"]).0, 2);
        for cut in 0..text.len() {
            keys_at(&text[..cut], &[b"detail", b"x", b"y"]);
        }
    }
}
