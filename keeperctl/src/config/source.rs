//! Texts that come from files and standard input.

use std::{
    fs::File,
    io::{self, Read},
};

use crate::{failure::Failure, limits, render::printable};

/// What names standard input.
const STDIN: &str = "-";

/// The text of a file, or of standard input when it is named `-`. Never holds more than a document may have.
pub(super) fn read(name: &str) -> Result<String, Failure> {
    let bytes = take(name, limits::DOCUMENT_BYTES_MAX + 1)?;
    if bytes.len() > limits::DOCUMENT_BYTES_MAX {
        let message =
            format!("{} is longer than {} bytes, the limit of a document", called(name), limits::DOCUMENT_BYTES_MAX);
        return Err(Failure::failed(message).remedy("split it: a publish may hold several documents"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        Failure::failed(format!("{} is not UTF-8: byte {at}, in line {line}, begins no character", called(name)))
    })
}

/// What a file or standard input holds, which is no one document.
pub(super) fn bytes(name: &str, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let bytes = take(name, bytes_max + 1)?;
    if bytes.len() > bytes_max {
        return Err(Failure::failed(format!("{} is longer than {bytes_max} bytes, the limit", called(name))));
    }
    Ok(bytes)
}

/// The beginning of a file or of standard input, at most this much of it.
pub(super) fn take(name: &str, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let all = |source: &mut dyn Read| {
        let mut bytes = Vec::new();
        source.take(bytes_max as u64).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    let bytes = match name {
        STDIN => all(&mut io::stdin().lock()),
        name => File::open(name).and_then(|mut file| all(&mut file)),
    };
    bytes.map_err(|error| Failure::failed(format!("cannot read {}: {error}", called(name))))
}

fn called(name: &str) -> String {
    if name == STDIN { "standard input".to_owned() } else { printable(name) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read_file(content: &[u8]) -> Result<String, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(content).expect("room for it");
        let name = file.path().to_str().expect("plain").to_owned();
        read(&name).map_err(|failure| failure.message.replace(&name, "FILE"))
    }

    #[test]
    fn texts_are_read_as_they_are() {
        assert_eq!(read_file(b"a = 1\r\n# x\n"), Ok("a = 1\r\n# x\n".into()));
        assert_eq!(
            read_file(&vec![b'a'; limits::DOCUMENT_BYTES_MAX]).map(|it| it.len()),
            Ok(limits::DOCUMENT_BYTES_MAX)
        );
    }

    #[test]
    fn the_name_of_a_file_that_cannot_be_read_cannot_end_its_line() {
        let said = read("no/such\x1b[31m\nfile").expect_err("there is none").message;
        assert!(said.starts_with(r"cannot read no/such\u{1b}[31m\nfile: "), "{said}");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let refused = "FILE is not UTF-8: byte 4, in line 2, begins no character";
        assert_eq!(read_file(b"a\nb \xff"), Err(refused.into()));
        let refused = "FILE is longer than 1048576 bytes, the limit of a document";
        assert_eq!(read_file(&vec![b'a'; limits::DOCUMENT_BYTES_MAX + 1]), Err(refused.into()));
        assert!(read("no/such/file").is_err_and(|failure| failure.message.starts_with("cannot read no/such/file: ")));
    }
}
