//! What becomes of each thing in a source: a document with a path and a text, or what is left and why.
//!
//! Pure. Nothing is left out in silence: every item ends up on one of the two lists.

use std::collections::BTreeMap;

use keeper_client_sdk::Format;
use serde::Serialize;

use super::{
    apollo::{self, Namespace},
    item::{Item, Kind},
    properties::{Properties, Written},
};
use crate::{limits, nearest::nearest};

/// A document to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// As the source calls it.
    pub(super) name: String,
    pub(super) path: String,
    pub(super) format: Format,
    pub(super) text: String,
    /// What became of it on the way.
    pub(super) notes: Vec<String>,
}

/// What cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Left {
    pub(super) name: String,
    pub(super) why: String,
}

impl Left {
    /// Of an archive that holds several things of one name none is taken.
    pub(super) fn repeated(repeated: BTreeMap<String, usize>) -> Vec<Self> {
        let twice = |(name, count)| Self::new(name, format!("stands {count} times in the zip: which one is meant?"));
        repeated.into_iter().map(twice).collect()
    }

    pub(super) fn new(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), why: why.into() }
    }
}

/// How names become paths, and what is known of the texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    /// Taken off the beginning of a path; what does not begin so stays as it is.
    pub(super) strip: String,
    /// The folder that every path lies in, with or without its `/`.
    pub(super) prefix: String,
    /// Names of the source that have a path of their own.
    pub(super) renamed: BTreeMap<String, String>,
    /// How that is written of which nothing says it.
    pub(super) format: Option<Format>,
    /// Texts may be the items of Apollo's portal.
    pub(super) apollo: bool,
}

impl Rules {
    /// A path without its beginning. Paths have no `/` in front, which names may have that they are made of.
    fn stripped<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.strip.trim_start_matches('/'))
    }

    /// A path in its folder.
    fn placed(&self, path: &str) -> String {
        match self.prefix.trim_end_matches('/') {
            "" => path.to_owned(),
            folder => format!("{folder}/{path}"),
        }
    }

    /// Which of them say something of nothing in the source, and are likely misspelt.
    pub(super) fn unmatched(&self, items: &[Item]) -> Vec<String> {
        if items.is_empty() {
            return Vec::new();
        }
        let is_called = |name: &String| items.iter().any(|item| item.name == *name);
        let renames = self.renamed.keys().filter(|name| !is_called(name));
        let mut unmatched: Vec<_> = renames
            .map(|name| {
                let like = nearest(name, items.iter().map(|item| item.name.clone()));
                let like = if like.is_empty() { String::new() } else { format!("; is it {}?", like.join(", ")) };
                format!("`--rename`: nothing in the source is called {name:?}{like}")
            })
            .collect();
        if !self.strip.is_empty() && items.iter().all(|item| self.stripped(&item.path).is_none()) {
            let first = items.first().map(|item| item.path.as_str()).unwrap_or_default();
            unmatched.push(format!("`--strip`: nothing begins with {:?}; the first is {first:?}", self.strip));
        }
        unmatched
    }
}

/// Every item on one of the two lists, in the order of the source.
pub(super) fn plan(items: Vec<Item>, rules: &Rules) -> (Vec<Found>, Vec<Left>) {
    let (mut found, mut left) = (Vec::<Found>::new(), Vec::new());
    let mut taken = BTreeMap::new();
    for item in items {
        let name = item.name.clone();
        match document(item, rules) {
            Ok(document) => match taken.insert(document.path.clone(), name.clone()) {
                None => found.push(document),
                Some(first) => {
                    let why = format!("becomes {}, which {first} becomes already", document.path);
                    taken.insert(document.path, first);
                    left.push(Left::new(name, why));
                }
            },
            Err(why) => left.push(Left::new(name, why)),
        }
    }
    (found, left)
}

fn document(item: Item, rules: &Rules) -> Result<Found, String> {
    let Item { name, path, bytes, says } = item;
    if bytes.len() > limits::DOCUMENT_BYTES_MAX {
        return Err(format!("is longer than {} bytes, the limit of a document", limits::DOCUMENT_BYTES_MAX));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("is not UTF-8: byte {at} begins no character")
    })?;
    let kind = Kind::of_ending(&path).or(says).or_else(|| rules.format.map(Kind::Document));
    let kind = kind.ok_or("says nowhere how it is written: name it with `--format`")?;
    if rules.apollo && !apollo::is_namespace(&name) && !rules.renamed.contains_key(&name) {
        return Err("is no namespace of Apollo, which is called APP+CLUSTER+NAMESPACE.ENDING: `--rename` gives it a \
                    path, and `import folder` takes files as they are"
            .to_owned());
    }
    let text = if rules.apollo { apollo::namespace(&kind, &text)? } else { plain(&kind, text)? };
    let path = match rules.renamed.get(&name) {
        Some(path) => path.as_str(),
        None => rules.stripped(&path).unwrap_or(&path),
    };
    let path = rules.placed(path);
    let found = match (kind, text) {
        (Kind::Foreign(word), _) => return Err(format!("is {word}, which is no structure of names and values")),
        (_, Namespace::Properties(properties)) => of_properties(name, path, &properties),
        (Kind::Document(format), Namespace::Text(text)) => Found { name, path, format, text, notes: Vec::new() },
        (Kind::Properties, Namespace::Text(_)) => return Err("is no list of properties".to_owned()),
    };
    match unfit(&found.path) {
        Some(why) => Err(why),
        None => Ok(found),
    }
}

fn plain(kind: &Kind, text: String) -> Result<Namespace, String> {
    match kind {
        Kind::Properties => Properties::read(&text).map(Namespace::Properties),
        Kind::Document(_) | Kind::Foreign(_) => Ok(Namespace::Text(text)),
    }
}

/// The ending follows what is made of it: `.properties` would say nothing to whoever reads the path.
fn of_properties(name: String, path: String, properties: &Properties) -> Found {
    let repeated =
        properties.repeated().into_iter().map(|name| format!("{name:?} stands more than once: the last counts"));
    let mut notes: Vec<_> = repeated.collect();
    let (ending, format, text) = match properties.written() {
        Written::Ini(text) => ("ini", Format::Ini, text),
        Written::Json { text, because } => {
            notes.push(format!("JSON, without comments: {because}"));
            ("json", Format::Json, text)
        }
    };
    // Whoever gives it a path of its own may have named the ending already.
    let stem = path.strip_suffix(".properties").or_else(|| path.strip_suffix(ending)?.strip_suffix('.'));
    let path = format!("{}.{ending}", stem.unwrap_or(&path));
    Found { name, path, format, text, notes }
}

/// Why a document cannot have a path. The servers decide; what they would refuse is told here for each by name.
fn unfit(path: &str) -> Option<String> {
    if path.len() > limits::PATH_BYTES_MAX {
        return Some(format!("becomes a path of {} bytes; the limit is {}", path.len(), limits::PATH_BYTES_MAX));
    }
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    let is_sound = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(is_plain);
    if path.split('/').all(is_sound) {
        return None;
    }
    Some(format!("becomes {path:?}, which is no path: parts of [A-Za-z0-9._-] and `/`; `--rename` gives it one"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::import::etcd;

    fn item(path: &str, text: &str) -> Item {
        Item { name: path.into(), path: path.into(), bytes: text.into(), says: None }
    }

    fn told(items: Vec<Item>, rules: &Rules) -> (Vec<String>, Vec<String>) {
        let (found, left) = plan(items, rules);
        let found = found.iter().map(|it| format!("{} -> {} {}", it.name, it.path, it.format.as_str()));
        (found.collect(), left.iter().map(|it| format!("{} {}", it.name, it.why)).collect())
    }

    #[test]
    fn every_key_of_etcd_is_told_of() {
        let items = etcd::read(include_bytes!("samples/etcd.json")).expect("printed by etcdctl");
        let rules = Rules { strip: "config/".into(), ..Rules::default() };
        let (found, left) = told(items.clone(), &rules);
        let expected = [
            "/config/billing.json -> billing.json json",
            "/config/gate/routes.yaml -> gate/routes.yaml yaml",
            "/config/push/room.toml -> push/room.toml toml",
        ];
        assert_eq!(found, expected);
        let expected = [
            "/config/push/blob is not UTF-8: byte 1 begins no character",
            "/config/push/max_connections says nowhere how it is written: name it with `--format`",
            "/config/push/motd says nowhere how it is written: name it with `--format`",
            "/config/push/näme.toml becomes \"push/näme.toml\", which is no path: parts of [A-Za-z0-9._-] and `/`; \
             `--rename` gives it one",
        ];
        assert_eq!(left, expected);
        let renamed = BTreeMap::from([("/config/push/näme.toml".to_owned(), "push/name.toml".to_owned())]);
        let rules = Rules { prefix: "old/".into(), renamed, format: Some(Format::Json), ..rules };
        let (found, left) = told(items, &rules);
        assert_eq!((found.len(), left.len()), (6, 1));
        assert!(found.contains(&"/config/push/max_connections -> old/push/max_connections json".to_owned()));
        assert!(found.contains(&"/config/push/näme.toml -> old/push/name.toml toml".to_owned()));
    }

    #[test]
    fn options_that_match_nothing_are_told() {
        let items = [item("config/a.toml", ""), item("config/old name.toml", "")];
        let unmatched = |strip: &str, name: &str| {
            let renamed = BTreeMap::from([(name.to_owned(), "b.toml".to_owned())]);
            Rules { strip: strip.into(), renamed, ..Rules::default() }.unmatched(&items)
        };
        assert_eq!(unmatched("/config/", "config/old name.toml"), [""; 0]);
        let expected = [
            "`--rename`: nothing in the source is called \"old name.toml\"; is it config/old name.toml?",
            "`--strip`: nothing begins with \"confg/\"; the first is \"config/a.toml\"",
        ];
        assert_eq!(unmatched("confg/", "old name.toml"), expected);
        assert_eq!(Rules { strip: "x/".into(), ..Rules::default() }.unmatched(&[]), [""; 0]);
    }

    /// `--prefix zz` made `zza.toml`.
    #[test]
    fn a_prefix_is_a_folder() {
        for (prefix, path) in [("", "a.toml"), ("zz", "zz/a.toml"), ("zz/", "zz/a.toml"), ("zz/y", "zz/y/a.toml")] {
            let (found, _) = told(vec![item("a.toml", "")], &Rules { prefix: prefix.into(), ..Rules::default() });
            assert_eq!(found, [format!("a.toml -> {path} toml")], "{prefix}");
        }
    }

    #[test]
    fn a_file_that_is_no_namespace_needs_a_path() {
        let files = [("room.toml", "a = 1\n"), ("shop+default+a.properties", "a=1\n")];
        let items = || files.map(|(name, text)| apollo::item(name, text.into())).into();
        let rules = Rules { apollo: true, ..Rules::default() };
        let (found, left) = told(items(), &rules);
        assert_eq!((found.len(), left.len()), (1, 1));
        assert!(left[0].starts_with("room.toml is no namespace of Apollo"), "{left:?}");
        let renamed = ["room.toml", "shop+default+a.properties"];
        let renamed = renamed.map(|name| (name.to_owned(), "b.ini".to_owned()));
        let (found, left) = told(items(), &Rules { renamed: BTreeMap::from(renamed), prefix: "p/".into(), ..rules });
        assert_eq!(found, ["room.toml -> p/b.ini toml"]);
        assert_eq!(left, ["shop+default+a.properties becomes p/b.ini, which room.toml becomes already"]);
    }

    #[test]
    fn properties_become_ini_and_two_of_one_path_are_one_too_many() {
        let items = vec![
            item("app.properties", "a=1\na=2\n"),
            item("app.ini", "a = 1\n"),
            item("b.properties", "a=x\\ny\n"),
            item("logback.xml", "<configuration/>"),
        ];
        let (found, left) = plan(items, &Rules::default());
        assert_eq!((found[0].path.as_str(), found[0].text.as_str()), ("app.ini", "a = 2\n"));
        assert_eq!(found[0].notes, ["\"a\" stands more than once: the last counts"]);
        assert_eq!((found[1].path.as_str(), found[1].format), ("b.json", Format::Json));
        let expected = [
            Left::new("app.ini", "becomes app.ini, which app.properties becomes already"),
            Left::new("logback.xml", "is xml, which is no structure of names and values"),
        ];
        assert_eq!(left, expected);
    }

    #[test]
    fn what_is_too_large_is_left() {
        let (_, left) = told(vec![item("a.json", &" ".repeat(limits::DOCUMENT_BYTES_MAX + 1))], &Rules::default());
        assert_eq!(left, ["a.json is longer than 1048576 bytes, the limit of a document"]);
        let (_, left) = told(vec![item(&format!("{}.json", "a".repeat(300)), "1")], &Rules::default());
        assert!(left[0].ends_with("becomes a path of 305 bytes; the limit is 256"), "{left:?}");
    }
}
