//! Numbers of which only the neighbourhood counts. The constants and bounds that rules compare the numbers of one path
//! with cut the line of numbers into classes: all comparable numbers strictly between two neighbouring points meet the
//! same conditions. Of many numbers of one class one is enough, and to know a number's class its first digits do, unless
//! a point is so near that only the exact value tells.
//!
//! Must never put a number into a class when it may belong to another.

use super::number::{eight_of, value_of};
use std::sync::atomic::{AtomicU64, Ordering};

/// A path with more points is not sieved: finding the place would cost what it saves.
const MOST: usize = 16;
/// Points beyond are left out: no glance reads a number that large.
const FAR: f64 = 1e8;
/// Bounds are kept in units of 1e-8: products of a double below `FAR` and this are off by at most one.
const UNIT: f64 = 1e8;
/// So near to a point, in units, a number has no class: that covers the product's error and the number's own rounding.
const MARGIN: f64 = 2.0;

/// Bounds of a number or of numbers, in units of 1e-8. The default holds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Near {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Near {
    /// Whether everything within the other bounds lies strictly between these.
    #[inline(always)]
    pub fn holds(&self, other: Near) -> bool {
        self.low < other.low && other.high < self.high
    }
}

/// A class of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Class {
    /// Its number: twice as many as points lie below, and one more when it is itself a point.
    pub number: u32,
    /// Whether a range holds its numbers: then it matters whether a number is comparable.
    pub ranged: bool,
    /// Numbers strictly between these are of this class; nothing when it is a point.
    pub bounds: Near,
}

impl Class {
    /// Whether its numbers all equal a point.
    #[inline(always)]
    pub fn is_point(&self) -> bool {
        self.number & 1 != 0
    }
}

/// The points of one path.
#[derive(Clone, Debug, PartialEq)]
pub struct Sieve {
    /// In units of 1e-8, ascending.
    points: [f64; MOST],
    /// The doubles themselves.
    exact: [f64; MOST],
    len: usize,
    /// A bit for every class that lies in a range.
    ranged: u32,
}

/// What is asked of the numbers of one path.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    points: Vec<u64>,
    ranges: Vec<(u64, u64)>,
    /// A number's text is asked for.
    text: bool,
}

impl Asked {
    /// Whether a number equals this one.
    pub fn equal(&mut self, key: u64) {
        if self.points.len() <= 2 * MOST {
            self.points.push(key);
        }
    }

    /// Whether a number lies in this range.
    pub fn range(&mut self, lo: u64, hi: u64) {
        self.equal(lo);
        self.equal(hi);
        if self.ranges.len() <= 2 * MOST {
            self.ranges.push((lo, hi));
        }
    }

    /// Whether a number is spelled in a certain way.
    pub fn text(&mut self) {
        self.text = true;
    }

    /// Everything that the other asks, too.
    pub fn join(&mut self, other: &Asked) {
        other.points.iter().for_each(|key| self.equal(*key));
        self.ranges.extend(other.ranges.iter().take((2 * MOST + 1).saturating_sub(self.ranges.len())));
        self.text |= other.text;
    }

    /// Memory beyond the value itself, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.points.capacity() * 8 + self.ranges.capacity() * 16
    }

    /// The sieve, if there are few points.
    pub fn sieve(&self) -> Option<Sieve> {
        if self.text || self.points.len() > 2 * MOST || self.ranges.len() > 2 * MOST {
            return None;
        }
        let mut near: Vec<f64> = self.points.iter().map(|key| value_of(*key)).filter(|v| v.abs() < FAR).collect();
        near.sort_by(f64::total_cmp);
        near.dedup();
        if near.len() > MOST {
            return None;
        }
        let mut points = [0.0; MOST];
        points.iter_mut().zip(&near).for_each(|(point, value)| *point = value * UNIT);
        let mut ranged = 0;
        for &(lo, hi) in &self.ranges {
            let (lo, hi) = (value_of(lo), value_of(hi));
            // Class k lies between the points k - 1 and k.
            for class in 0..=near.len() {
                let from = if class == 0 { -FAR } else { near[class - 1] };
                let to = near.get(class).copied().unwrap_or(FAR);
                ranged |= ((lo <= from && to <= hi) as u32) << class;
            }
        }
        let mut exact = [0.0; MOST];
        exact[..near.len()].copy_from_slice(&near);
        Some(Sieve { points, exact, len: near.len(), ranged })
    }
}

impl Sieve {
    /// The class of all numbers within the bounds that a glance gave; `None` when they may be of several.
    #[inline]
    pub fn class(&self, near: Near) -> Option<Class> {
        let (mut below, mut up_to) = (0, 0);
        let points = &self.points[..self.len];
        for point in points {
            below += (*point + MARGIN < near.low) as usize;
            up_to += (*point - MARGIN <= near.high) as usize;
        }
        if below != up_to {
            // Up to 15 digits: the number is known, and is comparable.
            let value = near.low / UNIT;
            let point = self.exact[below..up_to].iter().position(|point| near.low == near.high && *point == value)?;
            return Some(Class { number: 2 * (below + point) as u32 + 1, ranged: false, bounds: Near::default() });
        }
        let low = if below == 0 { f64::NEG_INFINITY } else { points[below - 1] + MARGIN };
        let high = points.get(below).map_or(f64::INFINITY, |point| *point - MARGIN);
        Some(Class { number: 2 * below as u32, ranged: self.ranged >> below & 1 != 0, bounds: Near { low, high } })
    }
}

/// The sieves of all paths that have one; a path is named by its number in the trie.
#[derive(Clone, Debug, Default)]
pub struct Sieves {
    /// By path: index into `sieves`, or `NONE`.
    of_path: Vec<u16>,
    sieves: Vec<Sieve>,
    version: u64,
}

/// Numbers the sieves, so that what was learned of one is never used with another.
static NEXT_VERSION: AtomicU64 = AtomicU64::new(1);

const NONE: u16 = u16::MAX;

impl Sieves {
    /// Of what is asked of each path, in any order, no path twice.
    pub fn new<'a>(asked: impl IntoIterator<Item = (u32, &'a Asked)>) -> Self {
        let mut new = Self { version: NEXT_VERSION.fetch_add(1, Ordering::Relaxed), ..Self::default() };
        for (path, asked) in asked {
            if let Some(sieve) = asked.sieve().filter(|_| new.sieves.len() < NONE as usize) {
                if new.of_path.len() <= path as usize {
                    new.of_path.resize(path as usize + 1, NONE);
                }
                new.of_path[path as usize] = new.sieves.len() as u16;
                new.sieves.push(sieve);
            }
        }
        new
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sieves.len()
    }

    /// Names these sieves within the process; copies have the same name.
    #[inline(always)]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sieves.is_empty()
    }

    /// The number of a path's sieve.
    #[inline(always)]
    pub fn of(&self, path: u32) -> Option<usize> {
        self.of_path.get(path as usize).filter(|n| **n != NONE).map(|n| *n as usize)
    }

    /// A sieve by its number.
    #[inline(always)]
    pub fn get(&self, number: usize) -> &Sieve {
        &self.sieves[number]
    }

    /// Memory in bytes.
    pub fn size_bytes(&self) -> usize {
        self.of_path.capacity() * 2 + self.sieves.capacity() * size_of::<Sieve>()
    }
}

/// Bounds of a number of which the text's form is known: `[-]WHOLE[.PART]` without exponent, `whole` and `part` digits.
/// `bytes` begin at the sign; at most 7 whole digits. Equal when there are at most 8 digits after the point.
#[inline(always)]
pub fn glance(bytes: &[u8; 32], negative: bool, whole: usize, part: usize) -> Near {
    debug_assert!((1..=7).contains(&whole));
    let at = |i: usize| u64::from_le_bytes(*bytes[i..].first_chunk().expect("within the window"));
    let sign = negative as usize;
    let before = eight_of(at(sign) << (64 - 8 * whole));
    let after = match part {
        0 => 0,
        _ => eight_of(at(sign + whole + 1) & (!0 >> (64 - 8 * part.min(8)))),
    };
    let scaled = before * 100_000_000 + after;
    let (low, high) = (scaled as f64, (scaled + (part > 8) as u64) as f64);
    if negative { Near { low: -high, high: -low } } else { Near { low, high } }
}

/// The form of a number in a text: `[-]WHOLE[.PART]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form {
    /// Length in bytes.
    pub len: usize,
    /// Digits before the point; 0 for a number with an exponent, or a very long one.
    pub whole: u32,
    /// Digits after the point.
    pub part: u32,
}

/// First bytes that tell a class: numbers of one sign and as many digits before the point are ordered like their texts.
/// The default tells nothing.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// The lowest first bytes, as a number, and how far the highest are from them.
    low: u64,
    span: u64,
    /// How many of eight bytes do not count, in bits.
    shift: u32,
    /// Bytes before the point.
    point: u32,
    /// Least digits after the point, and how many more there may be.
    part: u32,
    more: u32,
}

impl Default for Heads {
    fn default() -> Self {
        Self { low: 0, span: 0, shift: 0, point: u32::MAX, part: 0, more: 0 }
    }
}

const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

impl Heads {
    /// Of a class and the form of one of its numbers, whose text begins the bytes and has 1 to 7 digits before the point.
    pub fn new(class: Class, bytes: &[u8; 32], form: Form) -> Self {
        let (sign, whole) = ((bytes[0] == b'-') as u32, form.whole);
        // The digits that eight bytes have room for.
        let part = form.part.min(7u32.saturating_sub(sign + whole));
        let len = sign + whole + if part > 0 { 1 + part } else { 0 };
        let shift = 64 - 8 * len;
        let head = u64::from_be_bytes(*bytes.first_chunk().expect("thirty-two bytes")) >> shift;
        let some = Self { low: head, span: 0, shift, point: sign + whole, part, more: u32::MAX - part };
        if class.is_point() {
            // The same text once more.
            return if form.len == len as usize { Self { more: 0, ..some } } else { Self::default() };
        }
        // Heads are numbers in this unit, cut off below it.
        let unit = POWERS[8 - part as usize] as f64;
        let Near { low, high } = class.bounds;
        let (low, high) = if sign != 0 { (-high, -low) } else { (low, high) };
        // Conversions from infinity and from below zero saturate.
        let above = if low < 0.0 { 0 } else { (low / unit).floor() as u64 + 1 };
        let Some(below) = ((high / unit).ceil() as u64).checked_sub(2) else { return Self::default() };
        let digits = (whole + part) as usize;
        let power = |n: usize| POWERS.get(n).map_or_else(|| 10u64.pow(n as u32), |power| *power);
        let lowest = if whole == 1 { 0 } else { power(digits - 1) };
        let (first, last) = (above.max(lowest), below.min(power(digits) - 1));
        if first > last {
            return Self::default();
        }
        let text = |mut value: u64| {
            let mut text = 0;
            for n in 0..len {
                let byte = if part > 0 && n == part {
                    b'.'
                } else if n == len - 1 && sign != 0 {
                    b'-'
                } else {
                    let digit = (value % 10) as u8;
                    value /= 10;
                    b'0' + digit
                };
                text |= (byte as u64) << (8 * n);
            }
            text
        };
        let low = text(first);
        Self { low, span: text(last) - low, ..some }
    }

    /// Whether a number is among those told: the bytes begin with its text, which has so many bytes before its point and
    /// so many digits behind it.
    #[inline(always)]
    pub fn hold(&self, bytes: &[u8; 32], point: u32, part: u32) -> bool {
        let head = u64::from_be_bytes(*bytes.first_chunk().expect("thirty-two bytes")) >> self.shift;
        head.wrapping_sub(self.low) <= self.span && point == self.point && part.wrapping_sub(self.part) <= self.more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::number::{self, key_of};

    fn random() -> impl FnMut(u64) -> u64 {
        let mut x = 88172645463325252u64;
        move |n| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 8) % n
        }
    }

    #[test]
    fn a_glance_holds_the_exact_number() {
        let mut next = random();
        for _ in 0..200_000 {
            let (whole, part) = (1 + next(7) as usize, next(18) as usize);
            let digits =
                |n: usize, next: &mut dyn FnMut(u64) -> u64| -> String { (0..n).map(|_| (b'0' + next(10) as u8) as char).collect() };
            let negative = next(2) == 0;
            let mut text = if negative { "-".to_owned() } else { String::new() };
            text += &digits(whole, &mut next);
            if part > 0 {
                text += &format!(".{}", digits(part, &mut next));
            }
            let mut bytes = [b'7'; 32];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            bytes[text.len()] = b',';
            let near = glance(&bytes, negative, whole, part);
            let exact = text.replace('.', "").parse::<i128>().unwrap() * 10i128.pow(20 - part as u32);
            let unit = 10i128.pow(12);
            assert!(near.low as i128 * unit <= exact && exact <= near.high as i128 * unit, "{text}: {near:?}");
            assert!(near.high - near.low == (part > 8) as u8 as f64, "{text}");
        }
    }

    #[test]
    fn numbers_of_one_class_meet_the_same_conditions() {
        let mut next = random();
        for _ in 0..3_000 {
            let some = |next: &mut dyn FnMut(u64) -> u64| next(40) as f64 / [1.0, 4.0, 1e9][next(3) as usize] - 5.0;
            let key = |v: f64| key_of(v);
            let mut asked = Asked::default();
            let equals: Vec<u64> = (0..next(4)).map(|_| key(some(&mut next))).collect();
            let ranges: Vec<(u64, u64)> = (0..next(4))
                .map(|_| {
                    let (a, b) = (key(some(&mut next)), key(some(&mut next)));
                    match next(4) {
                        0 => (key(f64::MIN), a),
                        1 => (a, key(f64::MAX)),
                        _ => (a.min(b), a.max(b)),
                    }
                })
                .collect();
            equals.iter().for_each(|k| asked.equal(*k));
            ranges.iter().for_each(|(lo, hi)| asked.range(*lo, *hi));
            let sieve = asked.sieve().expect("few points");
            let met = |k: u64| -> (Vec<bool>, Vec<bool>) {
                (equals.iter().map(|e| *e == k).collect(), ranges.iter().map(|(lo, hi)| (*lo..=*hi).contains(&k)).collect())
            };
            let mut of_class: Vec<Option<(Vec<bool>, Vec<bool>)>> = vec![None; 2 * MOST + 1];
            for _ in 0..60 {
                // Near a point or anywhere, with many digits or few.
                let text = format!("{:.*}", next(17) as usize, some(&mut next) + (next(9) as f64 - 4.0) * 1e-8 * (next(2) as f64));
                let bytes: [u8; 32] = std::array::from_fn(|i| *text.as_bytes().get(i).unwrap_or(&b','));
                let digits = text.trim_start_matches('-');
                let (whole, part) = digits.split_once('.').map_or((digits.len(), 0), |(whole, part)| (whole.len(), part.len()));
                let near = glance(&bytes, text.starts_with('-'), whole, part);
                let Some(class) = sieve.class(near) else { continue };
                let met = met(key(text.parse().unwrap()));
                if class.is_point() {
                    assert!(number::comparable(text.as_bytes()).is_some());
                } else {
                    assert!(class.bounds.holds(near));
                    assert!(!met.0.contains(&true), "an open class for a number that equals a point");
                    assert_eq!(met.1.contains(&true), class.ranged);
                }
                match &of_class[class.number as usize] {
                    Some(known) => assert_eq!(known, &met),
                    None => of_class[class.number as usize] = Some(met),
                }
            }
        }
    }

    #[test]
    fn heads_hold_only_numbers_of_the_class() {
        let mut next = random();
        let mut held = 0;
        for _ in 0..if cfg!(debug_assertions) { 3_000 } else { 30_000 } {
            let mut asked = Asked::default();
            let scale = [1.0, 7.0, 1e3, 1e6][next(4) as usize];
            for _ in 0..next(5) {
                let point = (next(2000) as f64 - 1000.0) * scale / [1.0, 8.0, 1e3, 1e9][next(4) as usize];
                asked.range(key_of(point), key_of(f64::MAX));
            }
            let sieve = asked.sieve().expect("few points");
            let numbers: Vec<_> = (0..30)
                .map(|_| {
                    let text =
                        format!("{:.*}", next(12) as usize, (next(2000) as f64 - 1000.0) * scale / [1.0, 8.0, 1e3][next(3) as usize]);
                    let end = *next_of(b",}]e \n", &mut next);
                    let bytes: [u8; 32] = std::array::from_fn(|i| *text.as_bytes().get(i).unwrap_or(&end));
                    let digits = text.trim_start_matches('-');
                    let (whole, part) = digits.split_once('.').map_or((digits.len(), 0), |(whole, part)| (whole.len(), part.len()));
                    (bytes, Form { len: text.len(), whole: whole as u32, part: part as u32 })
                })
                .filter(|(_, form)| form.whole <= 7)
                .collect();
            let class =
                |(bytes, form): &([u8; 32], Form)| sieve.class(glance(bytes, bytes[0] == b'-', form.whole as usize, form.part as usize));
            for number in &numbers {
                let Some(known) = class(number) else { continue };
                let heads = Heads::new(known, &number.0, number.1);
                for other in &numbers {
                    let point = (other.0[0] == b'-') as u32 + other.1.whole;
                    if heads.hold(&other.0, point, other.1.part) {
                        assert_eq!(class(other).map(|c| c.number), Some(known.number), "{number:?} {other:?} {sieve:?}");
                        held += 1;
                    }
                }
            }
        }
        assert!(held > 100_000, "{held}");
    }

    fn next_of<'a>(bytes: &'a [u8], next: &mut impl FnMut(u64) -> u64) -> &'a u8 {
        &bytes[next(bytes.len() as u64) as usize]
    }

    #[test]
    fn many_points_or_a_text_are_not_sieved() {
        let mut asked = Asked::default();
        (0..17).for_each(|n| asked.equal(key_of(n as f64)));
        assert_eq!(asked.sieve(), None);
        let mut asked = Asked::default();
        asked.text();
        assert_eq!(asked.sieve(), None);
        assert!(Asked::default().sieve().is_some());
        let sieves = Sieves::new([(3, &Asked::default()), (1, &asked)]);
        assert_eq!((sieves.of(3), sieves.of(1), sieves.of(9), sieves.len()), (Some(0), None, None, 1));
    }
}
