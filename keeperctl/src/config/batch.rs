//! Many changes in as few publishes as the limits of one allow.
//!
//! One publish is one revision or none; several are several. Whoever needs more than one has said so, and learns after
//! each what stands.

use keeper_client_sdk::{Edit, Error, Publish};

use crate::{admin::Admin, args::Reason, failure::Failure, limits};

/// A change and how much of a publish it takes.
#[derive(Debug, Clone)]
pub(super) struct Sized {
    pub(super) edit: Edit,
    pub(super) path: String,
    pub(super) text_bytes: usize,
}

/// In their order, each batch within the limits of a publish.
pub(super) fn batches(changes: Vec<Sized>) -> Vec<Vec<Sized>> {
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    let mut bytes = 0;
    for change in changes {
        let is_full =
            batch.len() == limits::PUBLISH_DOCUMENTS_MAX || bytes + change.text_bytes > limits::PUBLISH_BYTES_MAX;
        if is_full && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += change.text_bytes;
        batch.push(change);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

/// Publishes batch after batch, and tells what stands after each.
pub(super) async fn publish(
    admin: &mut Admin<'_, '_>,
    batches: Vec<Vec<Sized>>,
    reason: &Reason,
    mut stands: impl FnMut(&[String], u64),
) -> Result<(), Failure> {
    let all = batches.len();
    let mut progress = Progress::new("published", batches.iter().map(Vec::len).sum());
    for (at, batch) in batches.into_iter().enumerate() {
        let paths: Vec<_> = batch.iter().map(|change| change.path.clone()).collect();
        let publish = batch.into_iter().fold(Publish::default(), |publish, change| publish.and(change.edit));
        let publish = publish.author(admin.author.clone()).message(reason.message.clone());
        match admin.keeper.configs().publish(publish).await {
            Ok(published) => {
                stands(&paths, published.revision);
                progress.went(admin, paths.len());
            }
            Err(error) => {
                let failure = refused(error, &paths, "keeperctl config list");
                return Err(if at == 0 { failure } else { failure.remedy(partly(at, all)) });
            }
        }
    }
    Ok(())
}

/// How far something is that takes long.
#[derive(Debug)]
pub(super) struct Progress {
    what: &'static str,
    done: usize,
    all: usize,
}

impl Progress {
    pub(super) const fn new(what: &'static str, all: usize) -> Self {
        Self { what, done: 0, all }
    }

    /// So many more are done.
    pub(super) fn went(&mut self, admin: &mut Admin<'_, '_>, documents: usize) {
        let lines = |done: usize| done / limits::PROGRESS_DOCUMENTS;
        let before = self.done;
        self.done += documents;
        if lines(before) != lines(self.done) && self.done < self.all {
            admin.console.say(format_args!("{} {} of {}", self.what, self.done, self.all));
        }
    }
}

/// What stands between how much was published and the last revision.
pub(super) fn told(publishes: usize) -> String {
    if publishes > 1 { format!(" in {publishes} publishes, the last at ") } else { ", ".to_owned() }
}

/// Why several changes were refused; with the document, where the servers name the change by its place among them.
pub(super) fn refused(error: Error, paths: &[String], look: &str) -> Failure {
    let place = if let Error::Refused { field, .. } = &error { place(field) } else { None };
    let failure = Failure::of_change(error, look);
    match place.and_then(|place| paths.get(place)) {
        Some(path) => Failure { message: format!("{path}: {}", failure.message), ..failure },
        None => failure,
    }
}

/// As in `changes[3].put.text`.
fn place(field: &str) -> Option<usize> {
    let (place, _) = field.strip_prefix("changes[")?.split_once(']')?;
    place.parse().ok()
}

fn partly(done: usize, all: usize) -> String {
    format!("{done} of {all} publishes stand, this one and those after it do not; the same command goes on from there")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(text_bytes: &[usize]) -> Vec<usize> {
        let sized = |bytes: &usize| Sized { edit: Edit::delete("a"), path: "a".into(), text_bytes: *bytes };
        batches(text_bytes.iter().map(sized).collect()).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_refusal_names_the_document_it_is_about() {
        let refusal = |field: &str| {
            let (reason, message, field) = ("invalid".into(), "line 1, column 5: no value".into(), field.into());
            let error = Error::Refused { reason, message, field, details: Vec::new(), holder: None };
            refused(error, &["a.toml".into(), "b.toml".into()], "").message
        };
        assert_eq!(refusal("changes[1].put.text"), "b.toml: line 1, column 5: no value");
        assert_eq!(refusal("changes[7].put.text"), "line 1, column 5: no value");
        assert_eq!(refusal("author"), "line 1, column 5: no value");
    }

    #[test]
    fn a_batch_is_full_by_documents_or_by_bytes() {
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[1; 64]), [64]);
        assert_eq!(sizes(&[1; 130]), [64, 64, 2]);
        assert_eq!(sizes(&[1 << 20, 1 << 20, 1]), [2, 1]);
        assert_eq!(sizes(&[1 << 20, 1, 1 << 20]), [2, 1]);
    }
}
