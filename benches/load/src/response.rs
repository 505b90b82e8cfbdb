//! Where an answer ends. No more of HTTP than that: there is one answer at a time on a connection, and the harness has
//! looked at its content before.

/// Whether `received` is a whole answer with status 200; an error if it never will be.
pub fn is_complete(received: &[u8]) -> Result<bool, String> {
    let Some(head_len) = received.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else {
        return Ok(false);
    };
    let (head, content) = received.split_at(head_len);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200 ") {
        return Err(format!("answered {:?}", head.lines().next().unwrap_or_default()));
    }
    if let Some(length) = field(&head, "content-length") {
        let length: usize = length.parse().map_err(|_| format!("content-length {length:?}"))?;
        return Ok(content.len() >= length);
    }
    if field(&head, "transfer-encoding") == Some("chunked") {
        return Ok(content == b"0\r\n\r\n" || content.ends_with(b"\r\n0\r\n\r\n"));
    }
    Err("an answer without a length".to_owned())
}

/// The value of a field of a head in small letters.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At how many bytes an answer is taken for complete.
    fn completed_at(answer: &str) -> Option<usize> {
        (0..=answer.len()).find(|&length| is_complete(&answer.as_bytes()[..length]).unwrap())
    }

    #[test]
    fn an_answer_ends_after_its_length_or_last_chunk() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            assert_eq!(completed_at(answer), Some(answer.len()), "{answer}");
        }
    }

    #[test]
    fn other_answers_are_errors() {
        is_complete(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").unwrap_err();
        is_complete(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello").unwrap_err();
        is_complete(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n").unwrap_err();
    }
}
