//! Properties of the decoder of chunked content, beside another that is simpler and slower.

use bytes::BytesMut;

use crate::base::limits;
use crate::http::headers::{is_field_value, is_token};
use crate::http1::chunked::Chunked;
use crate::http1::piece::Step;

/// Chunked content: a second, simpler decoder finds the same content and the same end, however the input is split.
pub fn chunked(data: &[u8]) {
    let expected = decode_simply(data);
    for split in [1, 2, 7, data.len().max(1)] {
        let (mut chunked, mut inbox) = (Chunked::default(), BytesMut::new());
        let (mut content, mut fed, mut result) = (Vec::new(), 0, None);
        while result.is_none() && fed < data.len() {
            let end = data.len().min(fed + split);
            inbox.extend_from_slice(&data[fed..end]);
            fed = end;
            result = loop {
                match chunked.decode(&mut inbox) {
                    Ok(Step::Content(bytes)) => content.extend_from_slice(&bytes),
                    Ok(Step::Starved) => break None,
                    Ok(Step::End) => break Some(Ok(fed - inbox.len())),
                    Err(_) => break Some(Err(())),
                }
            };
            assert!(result.is_some() || inbox.is_empty(), "a decoder that starves has taken everything");
        }
        match (&expected, result) {
            (Simply::End(wanted, end), Some(Ok(found))) => assert_eq!((wanted, *end), (&content, found)),
            (Simply::Starved(wanted), None) | (Simply::Wrong(wanted), Some(Err(()))) => assert_eq!(*wanted, content),
            // A line is judged byte by byte, and here only when it is complete.
            (Simply::Starved(wanted), Some(Err(()))) => assert_eq!(*wanted, content),
            (expected, found) => panic!("{expected:?}, not {found:?}: {}", data.escape_ascii()),
        }
    }
}

/// What a simple decoder makes of chunked content: the content, and where it ends.
#[derive(Debug)]
enum Simply {
    End(Vec<u8>, usize),
    Starved(Vec<u8>),
    Wrong(Vec<u8>),
}

/// Decodes chunks line by line, from the whole input, as RFC 9112 §7.1 has it.
fn decode_simply(data: &[u8]) -> Simply {
    let (mut content, mut at, mut overhead) = (Vec::new(), 0, 0);
    let line = |at: usize| data[at..].windows(2).position(|pair| pair == b"\r\n").map(|len| &data[at..at + len]);
    loop {
        let Some(size_line) = line(at) else { return Simply::Starved(content) };
        let digits = size_line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size = std::str::from_utf8(&size_line[..digits]).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
        overhead += size_line.len() - digits;
        let Some(size) = size.filter(|_| digits <= 16 && is_extensions(&size_line[digits..])) else {
            return Simply::Wrong(content);
        };
        if overhead > limits::CHUNK_OVERHEAD_BYTES_MAX {
            return Simply::Wrong(content);
        }
        at += size_line.len() + 2;
        if size == 0 {
            break;
        }
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        content.extend_from_slice(&data[at..at.saturating_add(len).min(data.len())]);
        at = at.saturating_add(len);
        match data.get(at..) {
            None | Some([] | b"\r") => return Simply::Starved(content),
            Some([b'\r', b'\n', ..]) => at += 2,
            Some(_) => return Simply::Wrong(content),
        }
    }
    loop {
        match line(at) {
            None => return Simply::Starved(content),
            Some(b"") => return Simply::End(content, at + 2),
            Some(field) => {
                overhead += field.len() + 1;
                let colon = field.iter().position(|byte| *byte == b':');
                let legal = colon.is_some_and(|at| is_token(&field[..at]) && field[at + 1..].iter().all(is_text));
                if !legal || overhead > limits::CHUNK_OVERHEAD_BYTES_MAX {
                    return Simply::Wrong(content);
                }
                at += field.len() + 2;
            }
        }
    }
}

fn is_text(byte: &u8) -> bool {
    is_field_value(&[*byte]) || matches!(byte, b' ' | b'\t')
}

/// Whether this is `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`.
fn is_extensions(mut rest: &[u8]) -> bool {
    fn blank(rest: &[u8]) -> &[u8] {
        &rest[rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()..]
    }
    fn token(rest: &[u8]) -> Option<&[u8]> {
        let len = rest.iter().take_while(|byte| is_token(&[**byte])).count();
        (len > 0).then(|| &rest[len..])
    }
    fn quoted(rest: &[u8]) -> Option<&[u8]> {
        let mut rest = rest.strip_prefix(b"\"")?;
        loop {
            rest = match rest {
                [b'"', after @ ..] => return Some(after),
                [b'\\', byte, after @ ..] | [byte, after @ ..] if is_text(byte) => after,
                _ => return None,
            };
        }
    }
    while !rest.is_empty() {
        let Some(named) = blank(rest).strip_prefix(b";").and_then(|rest| token(blank(rest))) else { return false };
        rest = match blank(named).strip_prefix(b"=") {
            None => named,
            Some(value) => match token(blank(value)).or_else(|| quoted(blank(value))) {
                Some(after) => after,
                None => return false,
            },
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    #[test]
    fn chunk_properties_hold_for_random_chunks() {
        const PIECES: [&[u8]; 20] = [
            b"0",
            b"1",
            b"5",
            b"a",
            b"ff",
            b"\r\n",
            b"\r\n",
            b"\r\n",
            b"\r\n0\r\n",
            b"\r\n\r\n",
            b";",
            b"; a",
            b"=",
            b"\"",
            b"\\",
            b" ",
            b"A: b\r\n",
            b"hello",
            b"\n",
            b"\r",
        ];
        let mut random = Random(0x5eed);
        for _ in 0..20_000 {
            let count = random.below(12);
            chunked(&(0..count).flat_map(|_| PIECES[random.below(20)]).copied().collect::<Vec<u8>>());
        }
        for extensions in [8_188, 8_189, 8_190, 8_191, 8_192, 8_193] {
            chunked(format!("1;a{}\r\nx\r\n0\r\n\r\n", "b".repeat(extensions)).as_bytes());
            chunked(format!("1;a\r\nx\r\n0\r\nA:{}\r\n\r\n", "b".repeat(extensions)).as_bytes());
        }
    }
}
