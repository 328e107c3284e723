//! Sessions page by page, as one text.
//!
//! A walk may have a hundred million sessions, so no more than a page is held: each page of a table is aligned by
//! itself, and JSON is written as it grows.

use crate::{
    console::Output,
    failure::Failure,
    render,
    session::row::{self, Row},
};

/// How JSON holds many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Json {
    /// One array: what ends by itself.
    Array,
    /// One object a line: what is read as it comes.
    Lines,
}

/// Pages as one text: headings once, or one array.
pub(super) struct Printer {
    output: Output,
    json: Json,
    pub(super) printed: u64,
}

impl Printer {
    pub(super) const fn new(output: Output, json: Json) -> Self {
        Self { output, json, printed: 0 }
    }

    pub(super) fn page(&mut self, rows: &[Row]) -> Result<String, Failure> {
        let text = match (self.output, self.json) {
            (Output::Table, _) => {
                let table = row::table(rows);
                let headings = if self.printed > 0 { table.find('\n').map_or(0, |end| end + 1) } else { 0 };
                table[headings..].to_owned()
            }
            (Output::Json, Json::Array) => {
                let mut text = String::new();
                for (index, row) in rows.iter().enumerate() {
                    text.push(if self.printed == 0 && index == 0 { '[' } else { ',' });
                    text.push_str(render::json_line(row)?.trim_end());
                }
                text
            }
            (Output::Json, Json::Lines) => rows.iter().map(render::json_line).collect::<Result<_, _>>()?,
        };
        self.printed += rows.len() as u64;
        Ok(text)
    }

    pub(super) const fn end(&self) -> &'static str {
        match (self.output, self.json, self.printed) {
            (Output::Table, ..) | (Output::Json, Json::Lines, _) => "",
            (Output::Json, Json::Array, 0) => "[]\n",
            (Output::Json, Json::Array, _) => "]\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::row::tests::session;

    fn printed(output: Output, json: Json, pages: &[&[&str]]) -> String {
        let mut printer = Printer::new(output, json);
        let mut text = String::new();
        for users in pages {
            let rows: Vec<Row> = users.iter().map(|user| session(user, "").into()).collect();
            text += &printer.page(&rows).expect("a page");
        }
        text + printer.end()
    }

    #[test]
    fn pages_share_their_headings() {
        let text = printed(Output::Table, Json::Array, &[&["ann", "bob"], &[], &["a-longer-name"]]);
        let firsts: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(firsts, ["USER", "ann", "bob", "a-longer-name"]);
    }

    #[test]
    fn pages_are_one_array() {
        for (pages, length) in [(&[&[][..]][..], 0), (&[&["a"][..], &[], &["b", "c"]][..], 3)] {
            let text = printed(Output::Json, Json::Array, pages);
            let array: Vec<serde_json::Value> = serde_json::from_str(&text).expect(&text);
            assert_eq!(array.len(), length);
            assert!(text.ends_with("]\n"));
        }
    }

    #[test]
    fn pages_are_lines() {
        let text = printed(Output::Json, Json::Lines, &[&["a"], &[], &["b", "c"]]);
        let users: Vec<_> =
            text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line)).collect();
        assert_eq!(users.iter().map(|it| &it["user"]).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(printed(Output::Json, Json::Lines, &[]), "");
    }
}
