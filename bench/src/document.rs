//! The documents that are published: JSON of one size, with a number in it.

/// Bytes of one document.
pub(crate) const VALUE_BYTES: usize = 2_048;

/// What a document begins with, and its canonical value too.
const NUMBER: &str = "{\"number\":";

/// What documents have to be.
pub(crate) const SCHEMA: &str = r#"{"type":"object","required":["number","text"],"additionalProperties":false,
"properties":{"number":{"type":"integer","minimum":0},"text":{"type":"string","maxLength":65536}}}"#;

/// JSON of [`VALUE_BYTES`], with a number in it.
pub(crate) fn document(number: u64) -> String {
    document_of(number, VALUE_BYTES)
}

/// JSON of so many bytes, with a number in it.
pub(crate) fn document_of(number: u64, bytes: usize) -> String {
    let head = format!("{NUMBER}{number},\"text\":\"");
    let tail = "\"}";
    let filling = bytes.saturating_sub(head.len() + tail.len());
    format!("{head}{}{tail}", "keeper ".chars().cycle().take(filling).collect::<String>())
}

/// The number in a document, without reading the rest.
pub(crate) fn number_in(text: &str) -> Option<u64> {
    let rest = text.strip_prefix(NUMBER)?;
    rest.get(..rest.find(',')?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_its_size_and_its_number() {
        for number in [0, 7, u64::MAX] {
            let text = document(number);
            assert_eq!(text.len(), VALUE_BYTES);
            assert_eq!(number_in(&text), Some(number));
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["number"], number);
        }
        assert_eq!(number_in("{\"other\":1,"), None);
    }
}
