//! What a source holds, before anybody asks whether it is a document.

use keeper_client_sdk::Format;

/// One thing in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// As the source calls it.
    pub(super) name: String,
    /// Where it would go by that name.
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
    /// How it is written, if the source says so beside the text.
    pub(super) says: Option<Kind>,
}

/// How a text is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Document(Format),
    Properties,
    /// Something that is no structure, or none that is read here.
    Foreign(String),
}

impl Kind {
    /// By the ending of a name. None: it says nothing.
    pub(super) fn of_ending(name: &str) -> Option<Self> {
        let (stem, ending) = name.rsplit('/').next()?.rsplit_once('.')?;
        (!stem.is_empty()).then(|| Self::of_word(ending)).flatten()
    }

    /// By the words that Nacos, Apollo and endings of files have for it. None: `text`, which people also call what they
    /// did not name, and words of no format.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Document(Format::Toml)),
            "yaml" | "yml" => Some(Self::Document(Format::Yaml)),
            "json" => Some(Self::Document(Format::Json)),
            "ini" => Some(Self::Document(Format::Ini)),
            "properties" => Some(Self::Properties),
            foreign @ ("xml" | "html" | "htm") => Some(Self::Foreign(foreign.to_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_say_how_a_text_is_written() {
        assert_eq!(Kind::of_ending("a/b.YML"), Some(Kind::Document(Format::Yaml)));
        assert_eq!(Kind::of_ending("application.properties"), Some(Kind::Properties));
        assert_eq!(Kind::of_ending("logback.xml"), Some(Kind::Foreign("xml".into())));
        for nothing in ["a", "a.txt", ".json", "a.toml/b", "com.example.Service", ""] {
            assert_eq!(Kind::of_ending(nothing), None, "{nothing}");
        }
    }
}
