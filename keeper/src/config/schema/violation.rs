//! What speaks against a value, in sentences.

use std::fmt;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value as Json;

use super::Field;
use crate::config::Step;
use crate::config::limits::{MESSAGE_BYTES_MAX, SHOWN_BYTES_MAX};

/// One thing that speaks against a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Where.
    pub field: Field,
    /// What: a sentence without a full stop.
    pub message: String,
}

impl Violation {
    /// What is wrong is not said, for it would take too much to find it.
    pub(super) fn somewhere() -> Self {
        let message = "does not fit, and is too large for so many alternatives to say where";
        Self { field: Field::default(), message: message.to_owned() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Tells an error: as one violation, as one for each field that should not be there, or as those of the one
/// alternative that was meant.
pub(super) fn told(error: &ValidationError<'_>, value: &Json, secrets: &[Field], found: &mut Vec<Violation>) {
    let field = Field::of_pointer(error.instance_path().as_str(), value);
    if let Kind::Required { property } = error.kind() {
        let name = property.as_str().unwrap_or_default();
        found.push(Violation { field: field.name(name), message: "the field is missing".to_owned() });
        return;
    }
    if let Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } = error.kind() {
        let stranger =
            |name: &String| Violation { field: field.name(name), message: "the field is not known".to_owned() };
        found.extend(unexpected.iter().map(stranger));
        return;
    }
    if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = error.kind()
        && let Some(errors) = meant(error, context)
    {
        errors.iter().for_each(|error| told(error, value, secrets, found));
        return;
    }
    found.push(Violation { message: sentence(error, secrets, &field), field });
}

/// The one alternative whose type the value has; none: there are several, or there is none.
fn meant<'e>(
    error: &ValidationError<'_>,
    alternatives: &'e [Vec<ValidationError<'static>>],
) -> Option<&'e [ValidationError<'static>]> {
    let place = error.instance_path();
    let is_other_type = |error: &ValidationError<'_>| {
        matches!(error.kind(), Kind::Type { .. }) && error.instance_path().as_str() == place.as_str()
    };
    let mut possible = alternatives.iter().filter(|errors| !errors.iter().any(is_other_type));
    possible.next().filter(|_| possible.next().is_none()).map(Vec::as_slice)
}

/// Why a schema is none: what its own schema says of a keyword.
pub(super) fn keyword(error: &ValidationError<'_>, field: &Field) -> String {
    if !matches!(error.kind(), Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } | Kind::Enum { .. }) {
        return sentence(error, &[], &Field::default());
    }
    let is_type = matches!(field.steps().last(), Some(Step::Name(name)) if name == "type");
    let known = if is_type { ": known are array, boolean, integer, null, number, object and string" } else { "" };
    let value = if is_long(error.instance()) { "the value".to_owned() } else { error.instance().to_string() };
    shortened(format!("{value} cannot stand here{known}"))
}

/// The crate's own sentence. A value that is a secret, holds one or lies in one is not shown, nor is a long one.
pub(super) fn sentence(error: &ValidationError<'_>, secrets: &[Field], field: &Field) -> String {
    let is_secret = secrets.iter().any(|secret| secret.covers(field) || field.covers(secret));
    let text = if is_secret {
        error.masked_with("the secret").to_string()
    } else if is_long(error.instance()) {
        error.masked_with("the value").to_string()
    } else {
        error.to_string()
    };
    shortened(text)
}

fn is_long(value: &Json) -> bool {
    match value {
        Json::String(text) => text.len() > SHOWN_BYTES_MAX,
        Json::Array(items) if items.len() > SHOWN_BYTES_MAX => true,
        Json::Object(fields) if fields.len() > SHOWN_BYTES_MAX => true,
        Json::Array(_) | Json::Object(_) => value.to_string().len() > SHOWN_BYTES_MAX,
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > MESSAGE_BYTES_MAX {
        let end = (0..=MESSAGE_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push_str(" ...");
    }
    text
}
