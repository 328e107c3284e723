//! `keeperctl config edit`: fetch, edit, check, publish.
//!
//! Promises: nothing is published that the servers find unsound, and nothing over somebody else's change, for the
//! publish expects the revision that was fetched. Whatever goes wrong once the text was edited, it is kept in a file
//! that is named.

use std::io::{self, IsTerminal};

use keeper_client_sdk::{Document, Edit, Format, Linted};
use serde_json::Value;

use crate::{
    admin::Admin,
    args::EditConfig,
    config::{
        absent,
        changes::{self, changes},
        draft::Draft,
        editor::Editor,
        excerpt,
        put::{self, Done},
    },
    console::Console,
    failure::{Failure, Kind},
};

pub(super) async fn edit(admin: &mut Admin<'_, '_>, edit: &EditConfig) -> Result<(), Failure> {
    let base = Base::fetch(admin, edit).await?;
    let draft = Draft::of(&edit.path, &base.text)?;
    match work(admin, edit, &base, &draft).await {
        Ok(Some(done)) => admin.console.print(&done),
        Ok(None) => {
            admin.console.say("nothing was edited, so nothing was published");
            Ok(())
        }
        Err(failure) if draft.differs_from(&base.text) => Err(draft.keep(failure)),
        Err(failure) => Err(failure),
    }
}

/// What the edit begins with.
#[derive(Debug, Default)]
struct Base {
    /// Zero: there is no document yet.
    revision: u64,
    format: Option<Format>,
    text: String,
    value: Option<Value>,
}

impl Base {
    async fn fetch(admin: &Admin<'_, '_>, edit: &EditConfig) -> Result<Self, Failure> {
        let configs = admin.keeper.configs();
        let present = configs.get(edit.path.clone()).await?.filter(|document| !document.deleted);
        match present {
            Some(document) => {
                let value = changes::value(&document)?;
                let Document { revision, format, text, .. } = document;
                Ok(Self { revision, format, text, value })
            }
            None if edit.create => Ok(Self { format: edit.format.map(Format::from), ..Self::default() }),
            None => {
                Err(absent::absent(&configs, &edit.path, "edit").await?.remedy("begin a new document with `--create`"))
            }
        }
    }
}

/// Edits until the text is sound, then publishes it; none when nothing was edited.
async fn work(
    admin: &mut Admin<'_, '_>,
    edit: &EditConfig,
    base: &Base,
    draft: &Draft,
) -> Result<Option<Done>, Failure> {
    let editor = Editor::of(|name| std::env::var(name).ok());
    let (text, linted) = loop {
        editor.open(draft.path()).await?;
        let text = draft.text()?;
        if text == base.text {
            return Ok(None);
        }
        match admin.keeper.configs().lint(edit.path.clone(), base.format, text.clone()).await {
            Ok(linted) => break (text, linted),
            Err(error) => {
                let failure = excerpt::beside(error.into(), &text);
                if failure.kind != Kind::Refused || !again(admin.console, &failure).await {
                    return Err(failure);
                }
            }
        }
    };
    show(admin.console, base, &linted)?;
    let mut change = Edit::put(edit.path.clone(), text).expecting(base.revision);
    if let Some(format) = base.format {
        change = change.format(format);
    }
    put::publish(admin, &edit.path, change, &edit.reason, "put").await.map(Some)
}

/// What will be published, before it is: words, for the data of this command is where the document stands afterwards.
fn show(console: &mut Console<'_>, base: &Base, linted: &Linted) -> Result<(), Failure> {
    let value: Value = serde_json::from_slice(&linted.canonical)
        .map_err(|error| Failure::failed(format!("the answer held no value: {error}")))?;
    let fields = changes(base.value.as_ref(), Some(&value));
    if fields.is_empty() {
        console.say("only the text differs: comments or layout");
    } else {
        console.say(changes::lines(&fields, "").trim_end());
    }
    Ok(())
}

/// Whether to open the editor once more. Without a terminal nobody can say so.
async fn again(console: &mut Console<'_>, failure: &Failure) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    console.say(&failure.message);
    failure.remedies.iter().for_each(|remedy| console.say(remedy));
    console.ask("edit again? [Y/n]");
    // Not on this thread, which keeps the connections to the cluster alive.
    let answer = tokio::task::spawn_blocking(|| io::stdin().lines().next()).await;
    let answer = answer.ok().flatten().and_then(Result::ok);
    answer.is_some_and(|answer| !answer.trim().to_ascii_lowercase().starts_with('n'))
}
