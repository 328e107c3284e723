//! `keeperctl config edit`: fetch, edit, check, publish.
//!
//! Promises: nothing is published that the servers find unsound or that its readers cannot read, and nothing over
//! somebody else's change, for the publish expects the revision that was fetched. Whoever was too late is offered both
//! changes merged; the publish then expects the other one's. A merge that costs anybody's comments is shown before it
//! is published, and is none where there is nobody to look at it. Whatever goes wrong once the text was edited, it is
//! kept in a file that is named.
//!
//! On a terminal a text that is refused opens again, with the reasons on top as comments that go by themselves. Without
//! one nobody can be asked: what is refused fails, and what is sound is published.

use keeper_client_sdk::{Comments, Configs, Document, Edit, Error, Format, Merge, Merged, Publish, Published};
use serde_json::Value;

use crate::{
    admin::Admin,
    args::EditConfig,
    config::{
        absent,
        ask::{self, Answer},
        changes::{self, changes},
        conflict,
        draft::Draft,
        editor::Editor,
        excerpt, folder, judging, put,
        verdict::Judged,
    },
    failure::{Failure, Kind},
    render,
};

pub(super) async fn edit(admin: &mut Admin<'_, '_>, typed: &EditConfig) -> Result<(), Failure> {
    let base = Base::fetch(admin, typed).await?;
    let draft = Draft::of(&typed.path, base.format.or_else(|| format_of(&typed.path)), &base.text)?;
    let begun = base.text.clone();
    let judges = judging::is_answered(admin).await?;
    match (Work { typed, base, draft: &draft, judges }).until_published(admin).await {
        Ok(Some(published)) => put::tell(admin, &typed.path, published).map(drop),
        Ok(None) => {
            admin.console.say("nothing was edited, so nothing was published");
            Ok(())
        }
        Err(failure) if draft.differs_from(&begun) => Err(draft.keep(failure)),
        Err(failure) => Err(failure),
    }
}

/// What the edit begins with, or goes on from after a merge.
#[derive(Debug, Default)]
struct Base {
    /// Zero: there is no document yet.
    revision: u64,
    format: Option<Format>,
    text: String,
    value: Option<Value>,
}

impl Base {
    async fn fetch(admin: &Admin<'_, '_>, typed: &EditConfig) -> Result<Self, Failure> {
        let configs = admin.keeper.configs();
        match configs.get(typed.path.clone()).await?.filter(|document| !document.deleted) {
            Some(document) => Self::of(document),
            None if typed.create => {
                let format = typed.format.map(Format::from);
                // Asked before anything is written in vain.
                if format.or_else(|| format_of(&typed.path)).is_none() {
                    return Err(Failure::refused(format!("the ending of {} says no format", typed.path))
                        .remedy("name it with `--format`: toml, yaml, json or ini"));
                }
                Ok(Self { format, ..Self::default() })
            }
            None => {
                Err(absent::absent(&configs, &typed.path, "edit").await?.remedy("begin a new document with `--create`"))
            }
        }
    }

    fn of(document: Document) -> Result<Self, Failure> {
        let value = changes::value(&document)?;
        let Document { revision, format, text, .. } = document;
        Ok(Self { revision, format, text, value })
    }
}

struct Work<'a> {
    typed: &'a EditConfig,
    base: Base,
    draft: &'a Draft,
    /// Whether the nodes say what a publish would do.
    judges: bool,
}

/// Why a text is not published.
enum Unfit {
    /// Somebody else changed the document meanwhile.
    Late(Error),
    Refused(Error),
    /// It was found in a dry run.
    Objected(Failure),
}

impl From<Error> for Unfit {
    fn from(error: Error) -> Self {
        if conflict::is_one(&error) { Self::Late(error) } else { Self::Refused(error) }
    }
}

/// What comes after a look at the text.
enum Next {
    Publish,
    OpenAgain,
    /// The text and what it lies on are others now, which nobody needs to edit.
    LookAgain,
}

impl Work<'_> {
    /// Edits until the text is sound and wanted, then publishes it; none when nothing was edited.
    async fn until_published(mut self, admin: &mut Admin<'_, '_>) -> Result<Option<Published>, Failure> {
        let editor = Editor::of(|name| std::env::var(name).ok());
        let mut next = Next::OpenAgain;
        loop {
            if matches!(next, Next::OpenAgain) {
                editor.open(self.draft.path()).await?;
            }
            let text = self.draft.text()?;
            if text == self.base.text {
                return Ok(None);
            }
            let publish = self.publish(admin, text.clone());
            next = match self.look(admin, publish.clone(), &text).await {
                Ok(()) => self.ask(admin).await?,
                Err(unfit) => self.overcome(admin, unfit, &text).await?,
            };
            if !matches!(next, Next::Publish) {
                continue;
            }
            match admin.keeper.configs().publish(publish).await {
                Ok(published) => return Ok(Some(published)),
                Err(error) => next = self.overcome(admin, error.into(), &text).await?,
            }
        }
    }

    /// What comes after a text could not be published.
    async fn overcome(&mut self, admin: &mut Admin<'_, '_>, unfit: Unfit, text: &str) -> Result<Next, Failure> {
        let configs = admin.keeper.configs();
        match unfit {
            Unfit::Late(error) => {
                let failure = conflict::told(&configs, &self.typed.path, error, &self.again()).await;
                self.merge(admin, &configs, text.to_owned(), failure).await
            }
            Unfit::Refused(error) => {
                let failure = judging::refused(&configs, &self.typed.path, error, "put").await;
                self.explain(admin, excerpt::beside(failure, text)).await
            }
            Unfit::Objected(failure) => self.explain(admin, failure).await,
        }
    }

    fn publish(&self, admin: &Admin<'_, '_>, text: String) -> Publish {
        let mut edit = Edit::put(self.typed.path.clone(), text).expecting(self.base.revision);
        if let Some(format) = self.base.format {
            edit = edit.format(format);
        }
        judging::publish_of(admin, edit, &self.typed.reason, self.typed.force.as_ref())
    }

    /// Says what would change and for whom. These are words: the data of this command is where the document stands.
    async fn look(&self, admin: &mut Admin<'_, '_>, publish: Publish, text: &str) -> Result<(), Unfit> {
        if !self.judges {
            return self.lint(admin, text).await;
        }
        let judged = Judged::asked(admin.keeper.configs().dry_run(publish).await?);
        admin.console.say(judged.changes().trim_end());
        if judged.against() == 0 || self.typed.force.is_some() {
            return Ok(());
        }
        let failure = Failure::refused(judged.against_words());
        let failure = judged.objections().into_iter().fold(failure, Failure::remedy);
        Err(Unfit::Objected(failure.remedy("publish it all the same with `--force REASON`, which the history keeps")))
    }

    /// The same for nodes that only know whether a text is sound.
    async fn lint(&self, admin: &mut Admin<'_, '_>, text: &str) -> Result<(), Unfit> {
        let linted = admin.keeper.configs().lint(self.typed.path.clone(), self.base.format, text).await?;
        let value: Value = serde_json::from_slice(&linted.canonical)
            .map_err(|error| Unfit::Objected(Failure::failed(format!("the answer held no value: {error}"))))?;
        let fields = changes(self.base.value.as_ref(), Some(&value));
        if fields.is_empty() {
            admin.console.say("only the text differs: comments or layout");
        } else {
            admin.console.say(changes::lines(&fields, "").trim_end());
        }
        Ok(())
    }

    /// Whether it is to be published.
    async fn ask(&self, admin: &mut Admin<'_, '_>) -> Result<Next, Failure> {
        if self.typed.yes || !ask::is_possible() {
            return Ok(Next::Publish);
        }
        match ask::question(admin.console, "publish it? [Y]es, [n]o, [e]dit again", &['y', 'n', 'e']).await {
            Answer::Key('y') => Ok(Next::Publish),
            Answer::Key('e') => Ok(Next::OpenAgain),
            Answer::Key(_) | Answer::Nobody => Err(Failure::refused("it was not to be published")),
        }
    }

    /// Opens a text again that was refused, with why on top; the failure itself if nobody wants that.
    async fn explain(&self, admin: &mut Admin<'_, '_>, failure: Failure) -> Result<Next, Failure> {
        if failure.kind != Kind::Refused || !ask::is_possible() {
            return Err(failure);
        }
        failure.tell(admin.console);
        match ask::question(admin.console, "edit it again? [Y]es, [n]o", &['y', 'n']).await {
            Answer::Key('y') => {
                let why = [&failure.message].into_iter().chain(&failure.remedies);
                self.draft.explain(why.flat_map(|text| text.lines()), self.format())?;
                Ok(Next::OpenAgain)
            }
            Answer::Key(_) | Answer::Nobody => Err(failure),
        }
    }

    /// Takes somebody else's change into the text, if that is wanted.
    async fn merge(
        &mut self,
        admin: &mut Admin<'_, '_>,
        configs: &Configs,
        ours: String,
        failure: Failure,
    ) -> Result<Next, Failure> {
        if !self.typed.yes {
            failure.tell(admin.console);
            let question = "merge that change into yours? [Y]es, [n]o";
            if !ask::is_possible() || ask::question(admin.console, question, &['y', 'n']).await != Answer::Key('y') {
                return Err(failure);
            }
        }
        let Some(theirs) = configs.get(self.typed.path.clone()).await?.filter(|theirs| !theirs.deleted) else {
            return Err(failure);
        };
        let merge = Merge {
            path: self.typed.path.clone(),
            format: self.base.format.or(theirs.format),
            base: self.base.text.clone(),
            ours,
            theirs: theirs.text.clone(),
        };
        let Merged { text, conflicts, comments } = configs.merge(merge).await?;
        let loss = self.loss(comments);
        if loss.is_some() && conflicts.is_empty() && !ask::is_possible() {
            return Err(failure.remedy(
                "the two changes do not touch each other, but a text of both would lose comments, and nobody is here \
                 to look at it",
            ));
        }
        let format = self.format().or(theirs.format);
        self.base = Base::of(theirs)?;
        self.draft.write(&text)?;
        let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        let conflicting = conflicts.iter().map(|it| {
            let (base, ours, theirs) = (shown(&it.base), shown(&it.ours), shown(&it.theirs));
            render::printable(&format!("{}: was {base}, theirs is {theirs}; yours stands: {ours}", it.path))
        });
        let lines: Vec<_> = conflicting.chain(loss.map(str::to_owned)).collect();
        if lines.is_empty() {
            admin.console.say("merged: the two changes do not touch each other");
            return Ok(if self.typed.yes { Next::LookAgain } else { Next::OpenAgain });
        }
        if !ask::is_possible() {
            return Err(lines.into_iter().fold(failure, Failure::remedy));
        }
        lines.iter().for_each(|line| admin.console.say(line));
        self.draft.explain(lines.iter().map(String::as_str), format)?;
        Ok(Next::OpenAgain)
    }

    /// What a merge costs; JSON has nothing to lose but its layout.
    fn loss(&self, comments: Comments) -> Option<&'static str> {
        match comments {
            Comments::Both => None,
            _ if self.format() == Some(Format::Json) => None,
            Comments::Ours => Some("merged into your text: comments that they changed are not in it"),
            Comments::Nobodys => Some("merged, but written anew from its values: the comments of both are gone"),
        }
    }

    fn format(&self) -> Option<Format> {
        self.base.format.or_else(|| format_of(&self.typed.path))
    }

    /// What to type when it came too late.
    fn again(&self) -> String {
        format!("put {} FILE", self.typed.path)
    }
}

/// By the ending, which a layer has behind it.
fn format_of(path: &str) -> Option<Format> {
    folder::format_of(path.split('@').next().unwrap_or(path))
}
