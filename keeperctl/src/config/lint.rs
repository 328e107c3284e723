//! `keeperctl config lint`: whether a text is sound, and what structure it is.

use std::path::Path;

use keeper_client_sdk::Format;
use serde::Serialize;
use serde_json::Value;

use crate::{
    admin::Admin,
    args::LintConfig,
    config::{
        excerpt, folder,
        get::Whole,
        source,
        verdict::{Judged, Told, told},
    },
    failure::Failure,
    render::Report,
};

pub(super) async fn lint(admin: &mut Admin<'_, '_>, lint: &LintConfig) -> Result<(), Failure> {
    let text = source::read(&lint.file)?;
    // Only its ending matters, and a directory may be named what no document can be.
    let name = Path::new(&lint.file).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let format = lint.format.map(Format::from);
    let configs = admin.keeper.configs();
    let linted = match &lint.path {
        None => configs.lint(name, format, text.clone()).await,
        Some(path) => configs.lint_and_judge(path, format.or_else(|| folder::format_of(&name)), text.clone()).await,
    };
    let linted = linted.map_err(|error| excerpt::beside(error.into(), &text))?;
    let value: Value = serde_json::from_slice(&linted.canonical)
        .map_err(|error| Failure::failed(format!("the answer held no value: {error}")))?;
    if lint.value {
        return admin.console.print(&Whole(value));
    }
    let format = linted.format.map(Format::as_str);
    admin.console.say(format_args!("{} is sound {}", lint.file, format.unwrap_or_default()));
    let judged =
        Judged { objections: told(linted.objections), objections_more: linted.objections_more, ..Judged::default() };
    let (against, words, lines) = (judged.against(), judged.against_words(), judged.objections());
    admin.console.print(&Sound { format, value, objections: judged.objections })?;
    if against == 0 {
        return Ok(());
    }
    let failure = Failure::refused(words);
    Err(lines.into_iter().fold(failure, Failure::remedy))
}

/// A sound text. For people the words say all there is to say.
#[derive(Debug, Serialize)]
struct Sound {
    format: Option<&'static str>,
    value: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    objections: Vec<Told>,
}

impl Report for Sound {
    fn table(&self) -> String {
        String::new()
    }
}
