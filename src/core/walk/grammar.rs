//! RFC 8259, byte by byte, in safe code: what exactly is wrong with a text, and where. The fast walk only says "no";
//! this reader finds the first offending byte. It also is the plain statement of what `Strict` accepts.
//! One pass, a stack of one byte per open bracket, no recursion.

use crate::error::{EventError, EventErrorCode as Code};
use crate::limits::EventLimits;

/// Whether `text` is one JSON object and nothing else, within the limits; if not, the first byte that is wrong.
pub fn check(text: &[u8], limits: &EventLimits) -> Result<(), EventError> {
    let found = Reader { text, at: 0, open: Vec::new(), max_depth: limits.max_event_depth }.event();
    let Err(not_utf8) = std::str::from_utf8(text) else { return found };
    match found {
        Err(error) if error.offset <= not_utf8.valid_up_to() => found,
        _ => Err(EventError { code: Code::InvalidUtf8, offset: not_utf8.valid_up_to() }),
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// The open brackets, as bytes.
    open: Vec<u8>,
    max_depth: usize,
}

impl Reader<'_> {
    fn event(&mut self) -> Result<(), EventError> {
        self.blanks();
        match self.peek() {
            None => return Err(EventError { code: Code::Empty, offset: 0 }),
            Some(b'{') => {}
            Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => return self.fail(Code::NotAnObject),
            Some(_) => return self.fail(Code::UnexpectedByte),
        }
        self.enter(b'{')?;
        let mut fresh = true; // just after an opening bracket, where alone it may close at once
        while let Some(bracket) = self.open.last().copied() {
            self.blanks();
            if fresh && self.peek() == Some(bracket + 2) {
                self.at += 1;
                self.open.pop();
            } else {
                if bracket == b'{' {
                    self.key()?;
                }
                fresh = self.value()?;
                if fresh {
                    continue;
                }
            }
            fresh = false;
            self.close_all()?;
        }
        self.blanks();
        if self.at < self.text.len() { self.fail(Code::TrailingText) } else { Ok(()) }
    }

    /// After a value: closes what ends here, up to the next comma (read) or the end of the event.
    fn close_all(&mut self) -> Result<(), EventError> {
        while let Some(bracket) = self.open.last().copied() {
            self.blanks();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b) if b == bracket + 2 => {
                    self.at += 1;
                    self.open.pop();
                }
                _ => return self.unexpected(),
            }
        }
        Ok(())
    }

    fn key(&mut self) -> Result<(), EventError> {
        if self.peek() != Some(b'"') {
            return self.unexpected();
        }
        self.string()?;
        self.blanks();
        if self.peek() != Some(b':') {
            return self.unexpected();
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    /// Reads a value; true when it was a bracket, now open.
    fn value(&mut self) -> Result<bool, EventError> {
        match self.peek() {
            Some(b'"') => self.string()?,
            Some(bracket @ (b'{' | b'[')) => {
                self.enter(bracket)?;
                return Ok(true);
            }
            Some(b'-' | b'0'..=b'9' | b'+' | b'.') => self.number()?,
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            Some(b) if b.is_ascii_alphabetic() => return self.fail(Code::InvalidLiteral),
            _ => return self.unexpected(),
        }
        Ok(false)
    }

    fn enter(&mut self, bracket: u8) -> Result<(), EventError> {
        if self.open.len() >= self.max_depth {
            return self.fail(Code::TooDeep);
        }
        self.open.push(bracket);
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), EventError> {
        self.at += 1;
        loop {
            match self.peek() {
                None => return self.fail(Code::Truncated),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(0..0x20) => return self.fail(Code::ControlCharacter),
                Some(b'\\') => self.escape()?,
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), EventError> {
        self.at += 1;
        let digits = match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
            Some(b'u') => 4,
            None => return self.fail(Code::Truncated),
            Some(_) => return self.fail(Code::InvalidEscape),
        };
        self.at += 1;
        for _ in 0..digits {
            match self.peek() {
                Some(b) if b.is_ascii_hexdigit() => self.at += 1,
                None => return self.fail(Code::Truncated),
                Some(_) => return self.fail(Code::InvalidEscape),
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), EventError> {
        self.at += (self.peek() == Some(b'-')) as usize;
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += matches!(self.peek(), Some(b'+' | b'-')) as usize;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) { self.fail(Code::InvalidNumber) } else { Ok(()) }
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), EventError> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        match self.peek() {
            _ if self.at > start => Ok(()),
            None => self.fail(Code::Truncated),
            Some(_) => self.fail(Code::InvalidNumber),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), EventError> {
        for expected in word {
            match self.peek() {
                Some(b) if b == *expected => self.at += 1,
                None => return self.fail(Code::Truncated),
                Some(_) => return self.fail(Code::InvalidLiteral),
            }
        }
        if self.peek().is_some_and(|b| b.is_ascii_alphanumeric()) { self.fail(Code::InvalidLiteral) } else { Ok(()) }
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn unexpected<T>(&self) -> Result<T, EventError> {
        self.fail(if self.at < self.text.len() { Code::UnexpectedByte } else { Code::Truncated })
    }

    fn fail<T>(&self, code: Code) -> Result<T, EventError> {
        Err(EventError { code, offset: self.at })
    }
}

fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}
