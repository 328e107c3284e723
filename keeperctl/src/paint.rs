//! Colours of differences, on terminals alone: what a pipe, a file or a test reads has none.

use std::io::{self, IsTerminal};

use crate::console::Colour;

const GONE: &str = "\u{1b}[31m";
const NEW: &str = "\u{1b}[32m";
const CHANGED: &str = "\u{1b}[33m";
const PLACE: &str = "\u{1b}[36m";
const END: &str = "\u{1b}[0m";

/// Whether standard output is for eyes that like colours; `variable` is the environment.
pub(crate) fn wanted(variable: impl Fn(&str) -> Option<String>) -> Colour {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
    if io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb { Colour::Coloured } else { Colour::Plain }
}

/// Each line by the mark it begins with.
pub(crate) fn diff(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> String {
    let colour = match line.trim_start().as_bytes() {
        [b'@', b'@', ..] => PLACE,
        [b'+', ..] => NEW,
        [b'-', ..] => GONE,
        [b'~', ..] => CHANGED,
        _ => return line.to_owned(),
    };
    let (content, end) = line.strip_suffix('\n').map_or((line, ""), |content| (content, "\n"));
    format!("{colour}{content}{END}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_have_colours_and_the_rest_has_none() {
        let painted = diff("a.toml changed\n  ~ a: 1 -> 2\n  + b: 1\n@@ -1 +1 @@\n-x");
        let expected = "a.toml changed\n\u{1b}[33m  ~ a: 1 -> 2\u{1b}[0m\n\u{1b}[32m  + b: 1\u{1b}[0m\n\
                        \u{1b}[36m@@ -1 +1 @@\u{1b}[0m\n\u{1b}[31m-x\u{1b}[0m";
        assert_eq!(painted, expected);
    }

    #[test]
    fn nobody_is_coloured_who_asked_not_to_be() {
        assert_eq!(wanted(|name| (name == "NO_COLOR").then(|| "1".to_owned())), Colour::Plain);
    }
}
