//! The load generator's end of one keep-alive HTTP/1.1 connection. It parses no more than it has to, so
//! that on a machine it shares with the server its own work counts as little as it can.

use crate::Failure;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// One connection, plain or TLS.
pub(crate) struct Connection<S> {
    stream: S,
    buffer: Vec<u8>,
}

/// An answer, in the connection's own buffer.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: &'a [u8],
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection over a stream that is connected.
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::with_capacity(64 * 1024),
        }
    }

    /// Sends a whole request, and reads the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, Failure> {
        self.stream.write_all(request).await?;
        // A TLS stream may keep a record back.
        self.stream.flush().await?;
        self.buffer.clear();
        let (head, status, length) = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some(head) = find(&self.buffer, b"\r\n\r\n") {
                let (status, length) = parse(&self.buffer[..head])?;
                break (head + 4, status, length);
            }
        };
        while self.buffer.len() < head + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection within a body".into());
            }
        }
        let body = &self.buffer[head..];
        if body.len() > length {
            return Err("the server sent more than it announced".into());
        }
        Ok(Answer { status, body })
    }
}

/// A whole request. `headers` come as lines without their end.
pub(crate) fn request(method: &str, path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        let length = body.len().to_string();
        for part in ["Content-Length: ", &length, "\r\n"] {
            text.push_str(part);
        }
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// Status code and body length.
fn parse(head: &[u8]) -> Result<(u16, usize), Failure> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    status
        .zip(length)
        .ok_or_else(|| format!("not an answer with a length: {head}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(parts: &'static [&'static str]) -> Result<(u16, String), Failure> {
        let (near, mut far) = tokio::io::duplex(64);
        tokio::spawn(async move {
            for part in parts {
                far.write_all(part.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut connection = Connection::new(near);
        let answer = connection.exchange(b"GET / HTTP/1.1\r\n\r\n").await?;
        Ok((answer.status, String::from_utf8(answer.body.to_vec())?))
    }

    #[tokio::test]
    async fn an_answer_may_come_in_any_pieces() {
        let whole = ["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"].as_slice();
        let pieces = [
            "HTTP/1.1 200 OK\r\ncontent-le",
            "ngth: 4\r\n\r",
            "\nbo",
            "dy",
        ]
        .as_slice();
        for parts in [whole, pieces] {
            assert_eq!(answer(parts).await.unwrap(), (200, "body".to_owned()));
        }
    }

    #[tokio::test]
    async fn half_an_answer_is_an_error() {
        for parts in [
            ["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbo"].as_slice(),
            ["HTTP/1.1 200 OK\r\n"].as_slice(),
            ["HTTP/1.1 200 OK\r\n\r\n"].as_slice(),
        ] {
            answer(parts).await.unwrap_err();
        }
    }
}
