//! Stage 1 of every instruction set that this processor has, against readers of single bytes.

use super::*;
use crate::walk::Instructions;

/// An expression in which `$isa` is one of the available instruction sets.
macro_rules! with {
    ($instructions:expr, $isa:ident => $what:expr) => {{
        macro_rules! as_set {
            ($set:ty) => {{
                type $isa = $set;
                // SAFETY: the processor has it.
                unsafe { $what }
            }};
        }
        match $instructions {
            Instructions::Portable => as_set!(Portable),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => as_set!(crate::walk::x86::Avx2),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => as_set!(crate::walk::x86::Avx512),
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Instructions::Neon => as_set!(crate::walk::neon::Neon<false>),
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Instructions::NeonAes => as_set!(crate::walk::neon::Neon<true>),
            other => unreachable!("{other:?} is not available here"),
        }
    }};
}

/// The same, one byte after the other: what lies inside, the quotes, and the rest.
type Found = (Vec<u64>, Vec<u64>, Summary);

fn naive(text: &[u8]) -> Found {
    let blocks = text.len().div_ceil(64);
    let (mut inside, mut quotes) = (vec![0; blocks], vec![0; blocks]);
    let (mut within, mut escaped, mut summary) = (false, false, Summary::default());
    for i in 0..64 * blocks {
        let (b, bit) = (text.get(i).copied().unwrap_or(b' '), 1u64 << (i % 64));
        if b == b'"' && !escaped {
            quotes[i / 64] |= bit;
            within = !within;
        }
        if within {
            inside[i / 64] |= bit;
        }
        summary.backslash |= b == b'\\';
        summary.control |= within && b < 0x20;
        summary.high |= b > 0x7f;
        escaped = b == b'\\' && !escaped;
    }
    summary.unclosed = within;
    inside.push(SENTINEL.inside);
    quotes.push(SENTINEL.quotes);
    (inside, quotes, summary)
}

fn made(blocks: &Blocks) -> Found {
    (blocks.inside().to_vec(), blocks.quotes().iter().map(|word| u64::from_le(*word)).collect(), blocks.summary())
}

#[test]
fn every_instruction_set_sees_what_a_bytewise_reader_sees() {
    const COMMON: &[u8] = b"\"\\\\{}[]:,.a \x1f\x7f[{;Z";
    let mut seed = 7u64;
    let mut blocks = Blocks::default();
    for round in 0..4000 {
        let len = round % 260;
        let text: Vec<u8> = (0..len)
            .map(|_| {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let r = (seed >> 33) as usize;
                if r.is_multiple_of(11) { (r >> 8) as u8 } else { COMMON[(r >> 8) % COMMON.len()] }
            })
            .collect();
        let expected = naive(&text);
        // All at once, or in runs of some blocks.
        let run = [usize::MAX, 1, 3][round % 3];
        for instructions in Instructions::available() {
            blocks.clear();
            while blocks.len() < expected.0.len() {
                let before = blocks.len();
                with!(instructions, I => I::fill(&text, &mut blocks, before.saturating_add(run)));
                assert!(blocks.len() > before);
                let found = made(&blocks);
                assert_eq!((&found.0[..], &found.1[..]), (&expected.0[..blocks.len()], &expected.1[..blocks.len()]), "{instructions:?}");
            }
            assert_eq!(blocks.summary(), expected.2, "{instructions:?}");
        }
    }
}

#[test]
fn every_instruction_set_ends_a_line_at_its_newline() {
    const COMMON: &[u8] = b"\"\\{}a:,. \r\t\x1f";
    let mut seed = 5u64;
    let mut random = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize
    };
    let mut blocks = Blocks::default();
    for round in 0..4000 {
        // Lines and rests of any length, of bytes that are mostly plain or mostly not.
        let (len, plain) = (round % 260, round % 3 > 0);
        let mut text: Vec<u8> =
            (0..len).map(|_| if plain && !random().is_multiple_of(40) { b'a' } else { COMMON[random() % COMMON.len()] }).collect();
        let end = (random() % 3 > 0).then(|| random() % (len + 1)).filter(|end| *end < len);
        if let Some(end) = end {
            text[end] = b'\n';
            (0..random() % 3).for_each(|_| text[end + random() % (len - end)] = *b"\n\xff".get(random() % 2).unwrap_or(&b'a'));
            text[end] = b'\n';
        }
        let expected = naive(&text[..end.unwrap_or(len)]);
        for instructions in Instructions::available() {
            let found = with!(instructions, I => I::fill_line(&text, &mut blocks));
            let mut made = made(&blocks);
            // The bytes behind the line may count, too: then they are looked at once more.
            made.2.high &= expected.2.high;
            assert_eq!((found, made), (end, expected.clone()), "{instructions:?} {text:?}");
        }
    }
}

#[test]
fn every_instruction_set_knows_every_byte_at_every_place() {
    for byte in 0..=255u8 {
        for at in 0..64 {
            // Around it ASCII that is another by a bit, so that no neighbour's answer passes for its own.
            let bytes: [u8; 64] = std::array::from_fn(|i| if i == at { byte } else { (byte ^ 1 << (i % 7)) & 0x7f });
            let set = |of: &dyn Fn(u8) -> bool| (0..64).fold(0u64, |found, i| found | (of(bytes[i]) as u64) << i);
            let classes = [&b"\""[..], b"\\", b"{[", b"}]", b".", b"\n"].map(|class| set(&|b| class.contains(&b)));
            let (control, high) = (set(&|b| b < 0x20), set(&|b| b > 0x7f) != 0);
            let odd = classes[1] | control != 0 || high;
            for instructions in Instructions::available() {
                let (m, glance) = with!(instructions, I => (I::masks(&bytes), I::glance(&bytes)));
                let found = ([m.quote, m.backslash, m.open, m.close, m.dot, m.newline], m.control, m.high != 0);
                assert_eq!(found, (classes, control, high), "{instructions:?} {bytes:x?}");
                assert_eq!((glance.quote, glance.odd != 0), (classes[0], odd), "{instructions:?} {bytes:x?}");
            }
        }
    }
}

#[test]
fn every_instruction_set_knows_parities_tokens_and_digits() {
    let mut seed = 11u64;
    let mut random = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        seed >> 32
    };
    for _ in 0..4000 {
        // Between all zeros and all ones, as quotes are few.
        let bits = (0..random() % 5).fold(!0, |bits, _| bits & (random() << 32 | random()));
        let parity = (0..64).fold(0, |found, i| found | ((bits << (63 - i)).count_ones() as u64 & 1) << i);
        let bytes: [u8; 32] = std::array::from_fn(|_| if random() % 3 == 0 { random() as u8 } else { b'/' + (random() % 12) as u8 });
        let digits = (0..32).fold(0, |found, i| found | (bytes[i].is_ascii_digit() as u32) << i);
        let mut token = bytes;
        for _ in 0..random() % 3 {
            token[random() as usize % 32] ^= 1 << (random() % 8);
        }
        let mask = if random() % 2 == 0 { random() as u32 } else { !0 >> (random() % 32) };
        let same = (0..32).all(|i| mask >> i & 1 == 0 || bytes[i] == token[i]);
        for instructions in Instructions::available() {
            let found = with!(instructions, I => (I::prefix_parity(bits), I::digits(&bytes), I::same(&bytes, &token, mask)));
            assert_eq!(found, (parity, digits, same), "{instructions:?} {bits:x} {bytes:x?} {token:x?} {mask:x}");
        }
    }
}
