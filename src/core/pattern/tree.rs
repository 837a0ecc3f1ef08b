//! The tree of a parsed pattern: fields in document order with their full paths, `$or` kept as it stands.
//! All texts are WTF-8 bytes (UTF-8 that may hold lone surrogates).

use crate::value::ip::Cidr;

/// A WTF-8 text.
pub type Text = Box<[u8]>;

/// A parsed, valid pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// The items in document order; never empty.
    pub items: Vec<Item>,
}

/// One member of a conjunction.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A field and its alternatives.
    Field(Field),
    /// `$or`: two or more alternatives, each a conjunction, none empty. Paths inside are full paths.
    Or(Vec<Vec<Item>>),
}

/// A field: the event must have a value at `path` that one of `matchers` accepts.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Keys joined with "."; `{"a.b": …}` and `{"a": {"b": …}}` have the same path.
    pub path: Text,
    /// Alternatives, at least one.
    pub matchers: Vec<Matcher>,
}

/// A number literal: its text and, when it is comparable, its order-preserving key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    /// As written.
    pub text: Text,
    /// See `value::number::comparable`.
    pub key: Option<u64>,
}

/// A numeric range; both ends inclusive as keys (an open end is the next or previous representable key),
/// so `lo <= key(v) && key(v) <= hi` decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Range {
    /// Smallest accepted key.
    pub lo: u64,
    /// Largest accepted key.
    pub hi: u64,
}

impl Range {
    /// Every finite number.
    pub const ALL: Range = Range { lo: !(f64::MAX.to_bits() | 1 << 63), hi: f64::MAX.to_bits() | 1 << 63 };
}

/// A wildcard text, cut at its stars: `a*b` is ["a", "b"], `*b` is ["", "b"], `a*` is ["a", ""], `*` is ["", ""],
/// without a star one piece. Pieces in the middle are never empty. Escapes are resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wildcard {
    /// The pieces; at least one.
    pub pieces: Vec<Text>,
}

/// One alternative of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Matcher {
    /// A plain string. If it reads as an IP address it meets every spelling of that address.
    String(Text),
    /// `exactly`: a string, without IP treatment.
    Exactly(Text),
    /// A number literal.
    Number(Number),
    /// `true`.
    True,
    /// `false`.
    False,
    /// `null`.
    Null,
    /// `prefix`.
    Prefix(Text),
    /// `prefix` with `equals-ignore-case`.
    PrefixIgnoreCase(Text),
    /// `suffix`.
    Suffix(Text),
    /// `suffix` with `equals-ignore-case`.
    SuffixIgnoreCase(Text),
    /// `equals-ignore-case`.
    EqualsIgnoreCase(Text),
    /// `wildcard`.
    Wildcard(Wildcard),
    /// `numeric`, every form (`=` is a range of one key).
    Numeric(Range),
    /// `cidr`.
    Cidr(Cidr),
    /// `exists`.
    Exists(bool),
    /// `anything-but`.
    AnythingBut(AnythingBut),
}

/// What a value must not be; each list has at least one member.
#[derive(Clone, Debug, PartialEq)]
pub enum AnythingBut {
    /// None of these strings.
    Strings(Vec<Text>),
    /// None of these numbers (all comparable).
    Numbers(Vec<u64>),
    /// No string that starts with one of these.
    Prefix(Vec<Text>),
    /// No string that ends with one of these.
    Suffix(Vec<Text>),
    /// No string that equals one of these without regard to case.
    IgnoreCase(Vec<Text>),
    /// No string that one of these wildcards accepts.
    Wildcard(Vec<Wildcard>),
}
