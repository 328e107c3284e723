//! From a request to a draft: texts are parsed.

use std::sync::Arc;

use keeper_proto::v1 as wire;
use keeper_registry::{Format, Policy, Revision, limits};

use crate::config::{Field, history};
use crate::format::{self, Value};
use crate::policy;
use crate::problem::{Problem, excerpt};
use crate::publish::{Draft, DraftAction, DraftChange, Written};
use crate::rpc::from_proto::{self, invalid};

/// What a request asks for.
pub(in crate::rpc) fn draft(request: wire::PublishRequest) -> Result<Draft, Problem> {
    let text_bytes: usize = request.changes.iter().map(change_bytes).sum();
    // Judged before anything is parsed: parsing costs more than counting.
    let (given, limit) = (request.changes.len(), limits::PUBLISH_DOCUMENTS_MAX);
    if given > limit {
        return Err(invalid(
            "changes",
            format!("`changes` lists {given}; the limit is {limit}: publish less at a time"),
        ));
    }
    let limit = limits::PUBLISH_BYTES_MAX;
    if text_bytes > limit {
        let message =
            format!("`changes` have {text_bytes} bytes of text; the limit is {limit}: publish less at a time");
        return Err(invalid("changes.text", message));
    }
    let changes = request.changes.into_iter().enumerate().map(|(position, it)| change(position, it));
    Ok(Draft {
        changes: changes.collect::<Result<_, _>>()?,
        author: request.author,
        message: request.message,
        request: from_proto::request_id(&request.request_id)?,
        forced: (!request.forced.is_empty()).then_some(request.forced),
    })
}

fn change_bytes(change: &wire::publish_request::Change) -> usize {
    match &change.action {
        Some(wire::publish_request::change::Action::Put(put)) => put.text.len(),
        Some(wire::publish_request::change::Action::Delete(_)) | None => 0,
    }
}

/// One change of a request, by its place there.
fn change(position: usize, change: wire::publish_request::Change) -> Result<DraftChange, Problem> {
    use wire::publish_request::change::Action;
    let action = match change.action {
        None => return Err(invalid(format!("changes[{position}].action"), "neither `put` nor `delete` is given")),
        Some(Action::Delete(_)) => DraftAction::Delete,
        Some(Action::Put(put)) => {
            let format = named_format(put.format, &change.path)?;
            let field = format!("changes[{position}].put.text");
            let value = value(&field, format, &put.text)?;
            let policy = policy(&field, &change.path, format, &put.text)?;
            let named = put.secrets.into_iter().enumerate();
            let secrets = named.map(|(place, name)| {
                secret(&name, &value)
                    .map_err(|message| invalid(format!("changes[{position}].put.secrets[{place}]"), message))
            });
            let secrets = secrets.collect::<Result<_, _>>()?;
            DraftAction::Put(Box::new(Written { format, text: put.text, value, policy, secrets }))
        }
    };
    Ok(DraftChange { path: change.path, expected: change.expected_revision.map(Revision), action })
}

/// A field that is to be sealed. Nobody who misspells one means that it be published in the clear.
fn secret(name: &str, value: &Value) -> Result<Field, String> {
    let named = excerpt(name);
    let field = Field::parse(name)
        .ok_or_else(|| format!("`{named}` is no field: fields are written as push.token or rooms[3].name"))?;
    if field.of(value).is_none() {
        return Err(format!("there is no field `{named}` that could be sealed"));
    }
    Ok(field)
}

/// The format a caller names, or the one that the path's ending stands for.
pub(super) fn named_format(number: i32, path: &str) -> Result<Format, Problem> {
    match wire::Format::try_from(number) {
        Ok(wire::Format::Toml) => Ok(Format::Toml),
        Ok(wire::Format::Yaml) => Ok(Format::Yaml),
        Ok(wire::Format::Json) => Ok(Format::Json),
        Ok(wire::Format::Ini) => Ok(Format::Ini),
        Ok(wire::Format::Unspecified) => format::format_of_path(path).ok_or_else(|| {
            let path = excerpt(path);
            invalid("format", format!("`{path}` ends in none of .toml .yaml .yml .json .ini: name the format"))
        }),
        Err(_) => Err(invalid("format", format!("{number} is no format this version knows"))),
    }
}

/// What a text says.
pub(super) fn value(field: &str, format: Format, text: &str) -> Result<Value, Problem> {
    format::parse(format, text).map_err(|error| invalid(field, error.to_string()))
}

/// What a document of the cluster's own decides.
pub(super) fn policy(field: &str, path: &str, format: Format, text: &str) -> Result<Option<Policy>, Problem> {
    let wrong = |error: format::SyntaxError| invalid(field, error.to_string());
    match path {
        limits::POLICY_PATH => {
            let policy = policy::parse(format, text).map_err(wrong)?;
            Ok(Some(Policy::Sessions(Arc::new(policy))))
        }
        limits::HISTORY_PATH => {
            let policy = history::parse(format, text).map_err(wrong)?;
            Ok(Some(Policy::History(Arc::new(policy))))
        }
        // That they have no layers is said elsewhere.
        _ if path.starts_with(limits::OWN_PREFIX)
            && !path.starts_with(limits::SCHEMA_PREFIX)
            && !path.contains('@') =>
        {
            let message = format!(
                "`{}` would bind nothing: documents of the cluster's own are {}, {}, and schemas below {}",
                excerpt(path),
                limits::POLICY_PATH,
                limits::HISTORY_PATH,
                limits::SCHEMA_PREFIX
            );
            Err(invalid(field, message))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It was published, and bound nothing, without a word.
    #[test]
    fn a_misspelt_document_of_the_clusters_own_is_refused() {
        let of = |path: &str| policy("changes[0].put.text", path, Format::Json, "{}").map(|_| ());
        let refused = of("keeper/schema/push.json").expect_err("it binds nothing").to_string();
        assert!(refused.contains("schemas below keeper/schemas/"), "{refused}");
        assert_eq!(of("keeper/schemas/push.json").map_err(|it| it.to_string()), Ok(()));
        assert_eq!(of("push/room.json").map_err(|it| it.to_string()), Ok(()));
    }
}
