//! `keeperctl config convert`: a file in another format.

use std::path::Path;

use keeper_client_sdk::Format;
use serde::Serialize;

use crate::{
    admin::Admin,
    args::ConvertConfig,
    config::{excerpt, folder, source},
    failure::Failure,
    render::Report,
};

pub(super) async fn convert(admin: &mut Admin<'_, '_>, typed: &ConvertConfig) -> Result<(), Failure> {
    let text = source::read(&typed.file)?;
    let name = Path::new(&typed.file).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let from = typed.from.map(Format::from).or_else(|| folder::format_of(&name));
    let from = from.ok_or_else(|| {
        let message = format!("the ending of {} names no format", typed.file);
        Failure::failed(message).remedy("name it with `--from`: toml, yaml, json or ini")
    })?;
    let to = Format::from(typed.to);
    let converted = admin.keeper.configs().convert(text.clone(), from, to).await;
    let converted = converted.map_err(|error| excerpt::beside(error.into(), &text))?;
    admin.console.print(&Converted { format: to.as_str(), text: converted })
}

#[derive(Debug, Serialize)]
struct Converted {
    format: &'static str,
    text: String,
}

impl Report for Converted {
    fn table(&self) -> String {
        self.text.clone()
    }
}
