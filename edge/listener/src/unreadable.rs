//! hyper answers a request that it cannot read by itself, without content. This finds such an answer among the bytes that
//! hyper writes, so that the application's own can take its place.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{
    Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH},
};

/// The status of hyper's own answer, if these bytes are one: an error whose only headers are those that hyper itself
/// writes. Answers of applications have at least a content type.
pub fn status_of_bare_error(bytes: &[u8]) -> Option<StatusCode> {
    let text = bytes.strip_prefix(b"HTTP/1.1 4").or_else(|| bytes.strip_prefix(b"HTTP/1.0 4"))?;
    let head = std::str::from_utf8(text).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = format!("4{}", lines.next()?.get(..2)?).parse().ok()?;
    lines.all(is_written_by_hyper).then_some(status)
}

fn is_written_by_hyper(line: &str) -> bool {
    ["connection: close", "content-length: 0"].contains(&line) || line.starts_with("date: ")
}

/// A whole answer as HTTP/1.1 writes it, after which the connection is closed.
pub fn write_last_answer(response: &Response<Bytes>) -> Bytes {
    let status = response.status();
    let mut bytes = BytesMut::new();
    let reason = status.canonical_reason().unwrap_or_default();
    bytes.put_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).as_bytes());
    for (name, value) in response.headers() {
        if *name != CONNECTION && *name != CONTENT_LENGTH {
            bytes.put_slice(name.as_str().as_bytes());
            bytes.put_slice(b": ");
            bytes.put_slice(value.as_bytes());
            bytes.put_slice(b"\r\n");
        }
    }
    let length = response.body().len();
    bytes.put_slice(format!("connection: close\r\ncontent-length: {length}\r\n\r\n").as_bytes());
    bytes.put_slice(response.body());
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_errors_are_found() {
        let date = "date: Sun, 06 Nov 1994 08:49:37 GMT";
        for (head, expected) in [
            (format!("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n{date}"), Some(400)),
            (format!("HTTP/1.1 431 Request\r\ncontent-length: 0\r\n{date}"), Some(431)),
            ("HTTP/1.1 414 URI Too Long".to_owned(), Some(414)),
            (format!("HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\n{date}"), None),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 5".to_owned(), None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0".to_owned(), None),
            ("HTTP/1.1 100 Continue".to_owned(), None),
            ("HTTP/1.1 4".to_owned(), None),
        ] {
            let found = status_of_bare_error(format!("{head}\r\n\r\n").as_bytes());
            assert_eq!(found.map(|status| status.as_u16()), expected, "{head}");
        }
        assert_eq!(status_of_bare_error(b"HTTP/1.1 400 Bad Request\r\n\r\nHTTP/1.1 4"), None);
    }

    #[test]
    fn an_answer_says_that_it_is_the_last() {
        let response = Response::builder()
            .status(431)
            .header("content-type", "text/plain")
            .header("content-length", "99")
            .body(Bytes::from_static(b"no"));
        assert_eq!(
            write_last_answer(&response.unwrap()),
            "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\n\
             connection: close\r\ncontent-length: 2\r\n\r\nno"
        );
    }
}
