//! The pattern's text to its tree: objects, fields, `$or`. One pass, own stack, so that nesting costs no call stack.
//! Relies on `cursor` for JSON and on `matcher` for the values arrays.
//!
//! `$or` is the operator if it is an array of objects that hold fields; an object, or an array of nothing but literals
//! and matchers, makes it a plain field (specification, section 10). No operator's name may be a field inside `$or`
//! branches, so nothing is both.

use super::{
    catalogue as code,
    complexity::exceeds,
    cursor::{Cursor, Kind, Value},
    fault::{Fault, Parsed, fault, lossy, shown},
    is_operator, is_reserved, jackson, matcher, paths,
    tree::{Field, Item, Pattern},
};
use crate::{error::PatternError, limits::PatternLimits};

/// No limit allows more nesting than this: trees are dropped and compared by recursion.
const DEPTH_CEILING: usize = 4096;

/// Parses a pattern, or says what is wrong with it.
///
/// All fields are kept in document order, also those whose path comes again (which of them counts is decided when the
/// pattern is compiled). COST: about 1 µs for a pattern of 150 bytes.
///
/// # Errors
/// The first mistake in document order; every code is listed in [`super::catalogue`]. `aws_message` is the first line of
/// what AWS would have said; where AWS has nothing to say (text after the pattern, an empty list inside anything-but),
/// it is a sentence in the same style.
///
/// ```
/// use rulebus_core::{limits::PatternLimits, pattern};
/// let limits = PatternLimits::default();
/// let tree = pattern::parse(br#"{"detail": {"total": [{"numeric": [">", 100]}]}}"#, &limits).unwrap();
/// assert_eq!(pattern::print(&tree), r#"{"detail.total":[{"numeric":[">",100]}]}"#);
///
/// let error = pattern::parse(br#"{"total": [{"numeric": ["=>", 100]}]}"#, &limits).unwrap_err();
/// assert_eq!((error.code, error.pointer.as_str(), error.column), ("numeric-operator", "/total/0/numeric/0", 25));
/// ```
pub fn parse(text: &[u8], limits: &PatternLimits) -> Result<Pattern, PatternError> {
    let mut parser = Parser {
        c: Cursor { text, pos: 0 },
        frames: Vec::new(),
        items: Vec::new(),
        path: Vec::new(),
        fields: 0,
        plain_or: None,
        operator_or: false,
        max_depth: limits.max_pattern_depth.min(DEPTH_CEILING),
    };
    parser.document(limits).map_err(|mut flaw| {
        // AWS's compiler stops at a `$or` that is not the operator, whatever comes after it.
        if let Some(plain) = parser.plain_or.take() {
            flaw.aws = plain.aws;
        }
        flaw.into_error(text)
    })
}

/// An object or `$or` array under way.
struct Frame {
    kind: FrameKind,
    /// Offset of its bracket.
    open: usize,
    /// Members or elements so far.
    count: usize,
    /// Length of the path around it.
    path: usize,
    /// Whether its members' paths begin with a path (so that an empty key is not taken for none).
    nested: bool,
    /// Whether it lies inside a `$or`, where names are reserved.
    inside_or: bool,
}

enum FrameKind {
    /// An object whose fields belong to the conjunction under way.
    Object,
    /// An object that is an alternative of `$or`: a conjunction of its own.
    Branch,
    /// The array of `$or`: the conjunction around it, and the alternatives so far.
    Or { around: Vec<Item>, branches: Vec<Vec<Item>> },
}

/// A `$or` that is a plain field, and what AWS says to it.
struct PlainOr {
    at: usize,
    end: usize,
    aws: String,
}

/// The refusal of a valid pattern that would have to be expanded into too many branches (decided by `compile`).
pub fn too_many_branches(text: &[u8], limits: &PatternLimits) -> PatternError {
    let top = text.iter().position(|b| *b == b'{').unwrap_or(0);
    let what = format!("expanding $or makes more than max_or_branches = {} branches", limits.max_or_branches);
    fault(code::TOO_MANY_BRANCHES, top, top + 1, what, "Rule is too complex").into_error(text)
}

struct Parser<'a> {
    c: Cursor<'a>,
    frames: Vec<Frame>,
    /// The conjunction under way.
    items: Vec<Item>,
    /// Keys so far, joined.
    path: Vec<u8>,
    fields: usize,
    plain_or: Option<PlainOr>,
    operator_or: bool,
    max_depth: usize,
}

impl Parser<'_> {
    fn document(&mut self, limits: &PatternLimits) -> Parsed<Pattern> {
        let text = self.c.text;
        if text.len() > limits.max_pattern_bytes {
            let what = format!("the pattern has {} bytes, more than max_pattern_bytes = {}", text.len(), limits.max_pattern_bytes);
            let aws = format!(
                "Value at 'eventPattern' failed to satisfy constraint: Member must have length less than or equal to {}",
                limits.max_pattern_bytes
            );
            return Err(fault(code::TOO_LONG, 0, 1, what, aws));
        }
        if let Err(at) = utf8(text) {
            let what = format!("byte 0x{:02x} is not UTF-8 here", text[at]);
            return Err(fault(code::INVALID_UTF8, at, at + 1, what, format!("Invalid UTF-8 start byte 0x{:x}", text[at])));
        }
        self.top()?;
        while let Some(frame) = self.frames.last_mut() {
            let first = frame.count == 0;
            frame.count += 1;
            if matches!(frame.kind, FrameKind::Or { .. }) { self.alternative(first)? } else { self.field(first)? }
        }
        self.c.skip_blanks();
        if self.c.peek().is_some() {
            let at = self.c.pos;
            let aws = jackson::unexpected(text, at, "text after the end of the event pattern");
            return Err(fault(code::TRAILING_TEXT, at, text.trim_ascii_end().len(), "text after the pattern's closing brace", aws));
        }
        if let (Some(plain), true) = (&self.plain_or, self.operator_or) {
            let what = "$or as a plain field beside $or as the operator";
            return Err(fault(code::OR_MIXED, plain.at, plain.end, what, plain.aws.clone()));
        }
        let pattern = Pattern { items: std::mem::take(&mut self.items) };
        self.check_limits(&pattern, limits)?;
        Ok(pattern)
    }

    fn check_limits(&self, pattern: &Pattern, limits: &PatternLimits) -> Parsed<()> {
        let top = self.c.text.len() - self.c.text.trim_ascii_start().len();
        if self.fields > limits.max_pattern_paths {
            let paths = paths::largest_branch(&pattern.items);
            if paths > limits.max_pattern_paths {
                let what = format!("{paths} paths on one branch, more than max_pattern_paths = {}", limits.max_pattern_paths);
                let aws = format!("Size of rule 'rule' exceeds max value of {}", limits.max_pattern_paths);
                return Err(fault(code::TOO_MANY_PATHS, top, top + 1, what, aws));
            }
        }
        if limits.max_wildcard_complexity.is_some_and(|most| exceeds(pattern, most)) {
            let what = format!(
                "the wildcards are more complex than max_wildcard_complexity = {}",
                limits.max_wildcard_complexity.unwrap_or_default()
            );
            let aws = "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a \
                       wildcard character";
            return Err(fault(code::WILDCARD_COMPLEXITY, top, top + 1, what, aws));
        }
        Ok(())
    }

    fn top(&mut self) -> Parsed<()> {
        self.c.skip_blanks();
        const AWS: &str = "Filter is not an object";
        match self.c.peek() {
            Some(b'{') => {
                self.items.reserve(4);
                self.frames.reserve(4);
                self.open(FrameKind::Object, 0, false, false)
            }
            None => Err(fault(code::NO_TEXT, 0, 0, "no text at all", AWS)),
            Some(_) => {
                let v = self.c.value("root")?;
                let what = format!("a pattern is an object, not {}", matcher::described(&self.c, v));
                Err(fault(code::NOT_AN_OBJECT, v.at, matcher::end_of(&self.c, v), what, AWS))
            }
        }
    }

    /// Enters the object or array at the cursor.
    fn open(&mut self, kind: FrameKind, path: usize, nested: bool, inside_or: bool) -> Parsed<()> {
        let open = self.c.pos;
        self.check_depth(1)?;
        self.c.pos += 1;
        self.frames.push(Frame { kind, open, count: 0, path, nested, inside_or });
        Ok(())
    }

    #[inline]
    fn check_depth(&self, more: usize) -> Parsed<()> {
        let depth = self.frames.len() + more;
        if depth <= self.max_depth {
            return Ok(());
        }
        let (at, most) = (self.c.pos, self.max_depth);
        let aws = format!(
            "Document nesting depth ({depth}) exceeds the maximum allowed ({most}, from `StreamReadConstraints.getMaxNestingDepth()`)"
        );
        Err(fault(code::TOO_DEEP, at, at + 1, format!("nested {depth} deep, more than max_pattern_depth = {most}"), aws))
    }

    /// Reads the next member of the object under way, or leaves it.
    fn field(&mut self, first: bool) -> Parsed<()> {
        let Some((key, v)) = self.c.member(first)? else { return self.leave(first) };
        let (around, nested, inside_or) = match self.frames.last() {
            Some(frame) => (frame.path, frame.nested, frame.inside_or),
            None => return Ok(()),
        };
        let name = self.c.borrowed(key);
        let (at, end) = (key.start - 1, key.end + 1);
        if name.as_ref() == b"$or" {
            if self.or(v, at, end)? {
                self.operator_or = true;
                let kind = FrameKind::Or { around: std::mem::take(&mut self.items), branches: Vec::with_capacity(2) };
                return self.open(kind, around, nested, true);
            }
        } else if inside_or && is_reserved(&name) {
            let aws = reserved(&name);
            return Err(fault(code::OR_RESERVED_NAME, at, end, format!("{} is a reserved name inside $or", shown(&name)), aws));
        }

        self.path.truncate(around);
        if nested {
            self.path.push(b'.');
        }
        self.path.extend_from_slice(&name);
        match v.kind {
            Kind::Object => self.open(FrameKind::Object, self.path.len(), true, inside_or),
            Kind::Array => {
                self.check_depth(1)?;
                let path = self.path.as_slice().into();
                let matchers = matcher::values(&mut self.c)?;
                self.fields += 1;
                self.items.push(Item::Field(Field { path, matchers }));
                Ok(())
            }
            _ => Err(self.scalar(&name, v)),
        }
    }

    /// Ends the object under way; the brace is read.
    fn leave(&mut self, empty: bool) -> Parsed<()> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        if empty {
            return Err(fault(code::EMPTY_OBJECT, frame.open, self.c.pos, "an empty object", "Empty objects are not allowed"));
        }
        if let (FrameKind::Branch, Some(Frame { kind: FrameKind::Or { branches, .. }, .. })) = (frame.kind, self.frames.last_mut()) {
            branches.push(std::mem::take(&mut self.items));
        }
        Ok(())
    }

    /// Reads the start of the next alternative of `$or`, or ends it.
    fn alternative(&mut self, first: bool) -> Parsed<()> {
        if let Some(v) = self.c.element(first)? {
            if v.kind != Kind::Object {
                let what = format!("an alternative of $or is {}", matcher::described(&self.c, v));
                let aws = "Only JSON object is allowed in array of $or relationship.";
                return Err(fault(code::OR_NOT_OBJECTS, v.at, matcher::end_of(&self.c, v), what, aws));
            }
            let (path, nested) = self.frames.last().map_or((0, false), |f| (f.path, f.nested));
            return self.open(FrameKind::Branch, path, nested, true);
        }
        let Some(Frame { kind: FrameKind::Or { around, branches }, open, .. }) = self.frames.pop() else { return Ok(()) };
        if branches.len() < 2 {
            let what = if branches.is_empty() { "$or without alternatives" } else { "$or with a single alternative" };
            return Err(fault(code::OR_TOO_FEW, open, self.c.pos, what, "There must have at least 2 Objects in $or relationship."));
        }
        self.items = around;
        self.items.push(Item::Or(branches));
        Ok(())
    }

    /// Whether the `$or` at hand is the operator. If it is a plain field, that is noted; the cursor stays at its value.
    fn or(&mut self, v: Value, at: usize, end: usize) -> Parsed<bool> {
        let aws = match v.kind {
            Kind::Object => "It must be an Array followed with $or.".to_owned(),
            Kind::Array => match self.plain_list() {
                Some(aws) => aws,
                None => return Ok(true),
            },
            _ => {
                let what = format!("$or is {}", matcher::described(&self.c, v));
                let aws = "It must be an Array followed with $or.";
                return Err(fault(code::OR_NOT_A_LIST, v.at, matcher::end_of(&self.c, v), what, aws));
            }
        };
        self.plain_or.get_or_insert(PlainOr { at, end, aws });
        Ok(false)
    }

    /// If the array at the cursor holds literals and matchers only: what AWS says to its first element.
    /// COST: the common case, an object with a field first, is seen at its first key.
    fn plain_list(&mut self) -> Option<String> {
        let start = self.c.pos;
        let answer = self.plain_list_from();
        self.c.pos = start;
        answer
    }

    fn plain_list_from(&mut self) -> Option<String> {
        let start = self.c.pos;
        self.c.pos += 1;
        let first = self.c.element(true).ok()??;
        let aws = match first.kind {
            Kind::Array => return None,
            Kind::Object => {
                self.c.pos += 1;
                let (key, _) = self.c.member(true).ok()??;
                let name = self.c.borrowed(key);
                if !is_operator(&name) {
                    return None;
                }
                reserved(&name)
            }
            _ => "Only JSON object is allowed in array of $or relationship.".to_owned(),
        };
        self.c.pos = start;
        matcher::values(&mut self.c).ok().map(|_| aws)
    }

    #[cold]
    fn scalar(&self, name: &[u8], v: Value) -> Box<Fault> {
        let what = format!("the value of {} is {}", shown(name), matcher::described(&self.c, v));
        let end = matcher::end_of(&self.c, v);
        let out = fault(code::FIELD_NOT_A_LIST, v.at, end, what, format!("\"{}\" must be an object or an array", lossy(name)));
        let text = String::from_utf8_lossy(&self.c.text[v.at..end]);
        if end - v.at > 40 {
            return out;
        }
        if is_operator(name) {
            return out.expecting(format!("an operator to stand inside a list: [{{{}: {text}}}]", shown(name)));
        }
        out.expecting(format!("a list of values, here [{text}], or an object"))
    }
}

fn reserved(name: &[u8]) -> String {
    format!("{} is Ruler reserved fieldName which cannot be used inside $or.", lossy(name))
}

/// Offset of the first byte that is not UTF-8.
fn utf8(text: &[u8]) -> Result<(), usize> {
    if text.is_ascii() || simdutf8::basic::from_utf8(text).is_ok() {
        return Ok(());
    }
    simdutf8::compat::from_utf8(text).map(|_| ()).map_err(|e| e.valid_up_to())
}
