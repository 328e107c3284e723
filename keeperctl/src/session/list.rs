//! `keeperctl session list`: a walk over live sessions, printed page by page.
//!
//! A walk may have a hundred million sessions, so no more than a page is held: each page of a table is aligned by
//! itself, and the JSON array is written as it grows.

use keeper_client_sdk as sdk;

use crate::{
    admin::Admin,
    args::ListSessions,
    console::Output,
    failure::{Failure, Kind},
    instance, limits,
    name::{Name, hex},
    render,
    session::row::{self, Row},
};

pub(crate) async fn list(admin: &mut Admin<'_, '_>, list: &ListSessions) -> Result<(), Failure> {
    let mut printer = Printer::new(admin.console.output);
    let mut left = if list.all { u64::MAX } else { u64::from(list.limit) };
    let mut token = list.after.as_ref().map(|token| token.bytes().to_vec()).unwrap_or_default();
    let next = loop {
        let limit = u32::try_from(left).unwrap_or(u32::MAX).min(limits::PAGE_SESSIONS_MAX);
        let page = match admin.keeper.sessions().list(request(list, token, limit)).await {
            Ok(page) => page,
            Err(error) => return Err(refused(admin, list, error.into()).await),
        };
        left = left.saturating_sub(page.sessions.len() as u64);
        let rows: Vec<Row> = page.sessions.into_iter().map(Row::from).collect();
        admin.console.write(printer.page(&rows)?.as_bytes())?;
        match page.next {
            Some(next) if left > 0 => token = next.to_vec(),
            next => break next,
        }
    };
    admin.console.write(printer.end().as_bytes())?;
    if let Some(next) = next {
        admin.console.say(format_args!("there may be more: `--after {}` goes on, `--all` shows all", hex(&next)));
    }
    if printer.printed == 0 {
        admin.console.say("no session is like that");
    }
    Ok(())
}

/// A refusal may be about the instance that was named; then the names are offered that were probably meant.
async fn refused(admin: &Admin<'_, '_>, list: &ListSessions, failure: Failure) -> Failure {
    match &list.instance {
        Some(name) if failure.kind == Kind::Refused => instance::find(admin, name).await.err().unwrap_or(failure),
        Some(_) | None => failure,
    }
}

fn request(list: &ListSessions, token: Vec<u8>, limit: u32) -> sdk::ListSessions {
    let bytes = |name: &Option<Name>| name.as_ref().map(|name| name.bytes().to_vec()).unwrap_or_default();
    sdk::ListSessions {
        token: token.into(),
        limit,
        instance: list.instance.as_ref().map(ToString::to_string).unwrap_or_default(),
        user_prefix: bytes(&list.prefix).into(),
        topic: bytes(&list.topic).into(),
    }
}

/// Pages as one text: headings once, or one array.
struct Printer {
    output: Output,
    printed: usize,
}

impl Printer {
    const fn new(output: Output) -> Self {
        Self { output, printed: 0 }
    }

    fn page(&mut self, rows: &[Row]) -> Result<String, Failure> {
        let text = match self.output {
            Output::Table => {
                let table = row::table(rows);
                let headings = if self.printed > 0 { table.find('\n').map_or(0, |end| end + 1) } else { 0 };
                table[headings..].to_owned()
            }
            Output::Json => {
                let mut text = String::new();
                for (index, row) in rows.iter().enumerate() {
                    text.push(if self.printed + index == 0 { '[' } else { ',' });
                    text.push_str(render::json_line(row)?.trim_end());
                }
                text
            }
        };
        self.printed += rows.len();
        Ok(text)
    }

    const fn end(&self) -> &'static str {
        match (self.output, self.printed) {
            (Output::Table, _) => "",
            (Output::Json, 0) => "[]\n",
            (Output::Json, _) => "]\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::row::tests::session;

    fn printed(output: Output, pages: &[&[&str]]) -> String {
        let mut printer = Printer::new(output);
        let mut text = String::new();
        for users in pages {
            let rows: Vec<Row> = users.iter().map(|user| session(user, "").into()).collect();
            text += &printer.page(&rows).expect("a page");
        }
        text + printer.end()
    }

    #[test]
    fn pages_share_their_headings() {
        let text = printed(Output::Table, &[&["ann", "bob"], &[], &["a-longer-name"]]);
        let firsts: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(firsts, ["USER", "ann", "bob", "a-longer-name"]);
    }

    #[test]
    fn pages_are_one_array() {
        for (pages, length) in [(&[&[][..]][..], 0), (&[&["a"][..], &[], &["b", "c"]][..], 3)] {
            let text = printed(Output::Json, pages);
            let array: Vec<serde_json::Value> = serde_json::from_str(&text).expect(&text);
            assert_eq!(array.len(), length);
            assert!(text.ends_with("]\n"));
        }
    }
}
