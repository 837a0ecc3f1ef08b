//! What can be wrong with a pattern or an event: stable codes, the place, and sentences that help.
//! `EventError` is two words because it is made on the hot path; its sentence is written only when asked for.

use std::fmt;

/// Why a pattern was refused. Owned text only, so that it outlives the pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Stable kebab-case code, e.g. `numeric-operator`.
    pub code: &'static str,
    /// What is wrong, with the offending text, e.g. `unknown numeric operator "=>"`.
    pub message: String,
    /// JSON pointer (RFC 6901) to the offending value, e.g. `/detail/price/0/numeric/0`; empty for the whole document.
    pub pointer: String,
    /// Byte offset of the offending text in the pattern.
    pub offset: usize,
    /// Length in bytes of the offending text, at least 1.
    pub length: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What would have been right, and how to mend it: one sentence fragment after "expected …".
    pub expected: String,
    /// AWS's own wording (first line of the reason, without its prefix).
    pub aws_message: String,
    /// The offending line with a caret below it, two lines, ready to print.
    pub excerpt: String,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "[{}]: {}\n  at {}, line {}, column {}\n{}\n  expected {}",
            self.code,
            self.message,
            if self.pointer.is_empty() { "the top" } else { &self.pointer },
            self.line,
            self.column,
            self.excerpt,
            self.expected
        )
    }
}

impl std::error::Error for PatternError {}

/// Why an event was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventErrorCode {
    /// No text at all, or only white space.
    Empty,
    /// The outermost value is not an object.
    NotAnObject,
    /// A byte that JSON does not allow here.
    UnexpectedByte,
    /// The text ends in the middle.
    Truncated,
    /// Something but white space stands after the event's closing brace.
    TrailingText,
    /// A raw control character (below U+0020) inside a string.
    ControlCharacter,
    /// A backslash escape that JSON does not have.
    InvalidEscape,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// A number that JSON does not allow (`01`, `1.`, `+1`, `NaN`).
    InvalidNumber,
    /// A word that is not `true`, `false` or `null`.
    InvalidLiteral,
    /// Nested deeper than `max_event_depth`.
    TooDeep,
    /// Longer than `max_event_bytes`.
    TooLarge,
    /// More values on the rules' paths than `max_event_values`.
    TooManyValues,
    /// The search for consistent array elements exceeded `max_array_steps`.
    TooComplex,
    /// A Python value that has no JSON form (only for events given as objects).
    UnsupportedType,
    /// A number without JSON form: NaN or an infinity (only for events given as objects).
    NotFinite,
}

/// Why an event was refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventError {
    /// The reason.
    pub code: EventErrorCode,
    /// Byte offset in the event's text.
    pub offset: usize,
}

impl EventErrorCode {
    /// Stable kebab-case name of the code.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "event-empty",
            Self::NotAnObject => "event-not-an-object",
            Self::UnexpectedByte => "unexpected-byte",
            Self::Truncated => "event-truncated",
            Self::TrailingText => "trailing-text",
            Self::ControlCharacter => "control-character",
            Self::InvalidEscape => "invalid-escape",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::InvalidNumber => "invalid-number",
            Self::InvalidLiteral => "invalid-literal",
            Self::TooDeep => "event-too-deep",
            Self::TooLarge => "event-too-large",
            Self::TooManyValues => "event-too-many-values",
            Self::TooComplex => "event-too-complex",
            Self::UnsupportedType => "unsupported-type",
            Self::NotFinite => "number-not-finite",
        }
    }

    /// What is wrong and how to mend it, one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "the event is empty; give one JSON object",
            Self::NotAnObject => "an event is one JSON object; wrap the value in {...}",
            Self::UnexpectedByte => "this byte is not allowed here by JSON",
            Self::Truncated => "the text ends before the event does; was it cut off?",
            Self::TrailingText => "text stands after the event's closing brace; give one event a call, or JSON lines to match_lines",
            Self::ControlCharacter => "a raw control character stands inside a string; write it as \\u00XX",
            Self::InvalidEscape => "JSON has no such escape; it knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX",
            Self::InvalidUtf8 => "the bytes are not UTF-8; JSON text must be",
            Self::InvalidNumber => "this is not a JSON number; no leading zeros or plus sign, digits on both sides of a point",
            Self::InvalidLiteral => "this is not a JSON value; expected true, false, null, a number, a string, an object or an array",
            Self::TooDeep => "the event is nested deeper than max_event_depth",
            Self::TooLarge => "the event is longer than max_event_bytes",
            Self::TooManyValues => "the event has more values on the rules' paths than max_event_values",
            Self::TooComplex => {
                "choosing consistent array elements took more than max_array_steps: large arrays that many rules look into, or one path through several arrays"
            }
            Self::UnsupportedType => "a value of this type has no JSON form; use dict, list, tuple, str, int, float, bool or None",
            Self::NotFinite => "NaN and infinities have no JSON form",
        }
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]: {} (byte {})", self.code.name(), self.code.sentence(), self.offset)
    }
}

impl std::error::Error for EventError {}
