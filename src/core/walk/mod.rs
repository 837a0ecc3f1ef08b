//! From an event's bytes to the leaves that rules ask for: one pass that makes bitmaps of quotes and brackets, one
//! walk along the trie that steps from bitmap to bitmap. No value is copied unless it holds an escape.

/// What stands at a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A string; the leaf's bytes are its text (WTF-8, unescaped, without quotes).
    String,
    /// A number; the leaf's bytes are its JSON text.
    Number,
    /// `true`.
    True,
    /// `false`.
    False,
    /// `null`.
    Null,
}

/// A value on a wanted path. Its bytes are `event[start..start + len]`, or the same range of `Leaves::unescaped`
/// when `copied` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The path (a wanted node of the trie).
    pub path: crate::path::PathId,
    /// First byte.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
    /// Index into `Leaves::trails`; 0 = not inside any array that matters.
    pub trail: u32,
    /// What it is.
    pub kind: Kind,
    /// Whether the bytes lie in `Leaves::unescaped`.
    pub copied: bool,
}

/// One step of a leaf's way through arrays: element `index` of array instance `array`, inside `parent`.
/// Only elements that are objects or arrays make a step; scalars of one array never exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trail {
    /// The trail around the array; 0 = none. Always smaller than this trail's own index.
    pub parent: u32,
    /// Number of the array instance, unique within the event, from 1.
    pub array: u32,
    /// The element.
    pub index: u32,
}

/// What a walk found; reused from event to event.
#[derive(Clone, Debug, Default)]
pub struct Leaves {
    /// In document order; values of duplicate keys already dropped (the last one counts).
    pub leaves: Vec<Leaf>,
    /// `trails[0]` is a placeholder for "none".
    pub trails: Vec<Trail>,
    /// Unescaped texts.
    pub unescaped: Vec<u8>,
}

/// How much of an event's text is checked; each level accepts every valid event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Validation {
    /// RFC 8259 in full: every token, UTF-8, depth, nothing after the object.
    Strict,
    /// All bytes: strings closed, control characters, UTF-8, brackets balanced in number, nothing after the object;
    /// the full grammar of every object and array that the rules' paths enter, always including the outermost.
    #[default]
    Checked,
    /// Nothing beyond memory safety; may stop reading when every wanted path was met. For events accepted before.
    Trusted,
}
