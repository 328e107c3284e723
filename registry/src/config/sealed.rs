//! Sealed fields, as far as the state knows of them: where one begins and ends in a text.
//!
//! What lies in it is nobody's business here. But the same secret is sealed otherwise each time, and a request that is
//! asked again is the same request.

/// What a sealed field begins with.
pub const SEALED_PREFIX: &str = "keeper-secret:v1:";

/// A text without what lies in its sealed fields, in pieces.
pub(crate) fn around_sealed(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some(at) = text.windows(SEALED_PREFIX.len()).position(|window| window == SEALED_PREFIX.as_bytes()) else {
            return Some(text);
        };
        let (piece, sealed) = text.split_at(at + SEALED_PREFIX.len());
        let end = sealed.iter().position(|byte| !is_sealed_byte(*byte)).unwrap_or(sealed.len());
        rest = Some(&sealed[end..]);
        Some(piece)
    })
}

/// The name of a key, and base64.
const fn is_sealed_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-' | b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_a_box_does_not_count() {
        let around = |text: &str| {
            let pieces = around_sealed(text.as_bytes()).map(|piece| String::from_utf8_lossy(piece).into_owned());
            pieces.collect::<Vec<_>>().join("|")
        };
        assert_eq!(around("a = 1\n"), "a = 1\n");
        let (one, other) = ("a = \"keeper-secret:v1:k:AA+/=\" # x\nb = \"keeper-secret:v1:k:BB\"\n", "k:CCCC");
        assert_eq!(around(one), "a = \"keeper-secret:v1:|\" # x\nb = \"keeper-secret:v1:|\"\n");
        assert_eq!(around(&one.replace("k:BB", other)), around(one));
    }
}
