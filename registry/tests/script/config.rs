//! Documents, who reads them, and how they are rolled out.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use keeper_registry::{
    AdvanceRollout, Announce, Command, Consumed, DocumentAction, DocumentChange, Format, Gates, HistoryPolicy,
    Incarnation, Instance, InstanceSelector, Keep, Policy, PromoteRollout, Publish, Revision, Rollout, SchemaHash,
    Stage, StartRollout, State, StepRollout, StopCause, StopRollout, VersionAt, Witness, limits, rollout_place,
};

use crate::{command::request, print, words::Line};

/// With `put` and `delete` lines for documents, and one for each thing it was judged by.
pub(crate) fn publish(line: &Line) -> Result<Publish> {
    let (mut changes, mut judged) = (Vec::new(), Vec::new());
    for line in &line.below {
        match line.verb.as_str() {
            "put" | "delete" => changes.push(change(line)?),
            "stage" => {}
            _ => judged.push(judged_by(line)?),
        }
    }
    Ok(Publish {
        changes,
        author: line.text("author"),
        message: line.text("message"),
        request: request(line)?,
        judged,
        forced: line.get("forced").map(str::to_owned),
    })
}

fn change(line: &Line) -> Result<DocumentChange> {
    let action = if line.verb == "put" {
        let text = Bytes::from(line.word(1)?.to_owned());
        DocumentAction::Put { format: format(line.get("format")), value: text.clone(), text, policy: None }
    } else {
        DocumentAction::Delete
    };
    let expected = line.optional("expected")?.map(Revision);
    Ok(DocumentChange { path: line.word(0)?.to_owned(), expected, action })
}

fn judged_by(line: &Line) -> Result<Witness> {
    let revision = Revision(line.number("at")?);
    let path = line.word_or_empty(0).to_owned();
    Ok(match line.verb.as_str() {
        "document" => Witness::Document { path, revision },
        "layers" => Witness::Layers { path, revision },
        "schemas" => Witness::Schemas { revision },
        "consumers" => Witness::Consumers { path, revision },
        verb => bail!("nothing is judged by {verb}"),
    })
}

fn format(name: Option<&str>) -> Format {
    match name {
        Some("yaml") => Format::Yaml,
        Some("json") => Format::Json,
        Some("ini") => Format::Ini,
        _ => Format::Toml,
    }
}

pub(crate) fn witness(witness: &Witness) -> String {
    match witness {
        Witness::Document { path, .. } => format!("document {path}"),
        Witness::Layers { path, .. } => format!("layers {path}"),
        Witness::Schemas { .. } => "schemas".to_owned(),
        Witness::Consumers { path, .. } => format!("consumers {path}"),
    }
}

/// `retain versions=3 age=60000`, with a `prefix` line each; `retain none` deletes the policy.
pub(crate) fn retain(line: &Line) -> Result<Command> {
    let keep = |line: &Line| {
        let versions_max = line.optional("versions")?.map(|versions| versions as u32);
        anyhow::Ok(Keep { versions_max, age_ms_max: line.optional("age")? })
    };
    let action = if line.word_or_empty(0) == "none" {
        DocumentAction::Delete
    } else {
        let prefixes = line.below.iter().map(|below| anyhow::Ok((Arc::from(below.word(0)?), keep(below)?)));
        let policy = HistoryPolicy { all: keep(line)?, prefixes: prefixes.collect::<Result<BTreeMap<_, _>>>()? };
        let text = line.get("text").map_or_else(|| Bytes::from(format!("{policy:?}")), |_| line.bytes("text"));
        let policy = Some(Policy::History(Arc::new(policy)));
        DocumentAction::Put { format: Format::Toml, value: text.clone(), text, policy }
    };
    let change = DocumentChange { path: limits::HISTORY_PATH.to_owned(), expected: None, action };
    Ok(Command::Publish(Publish { changes: vec![change], ..Publish::default() }))
}

/// `announce i1` with `reads PATH SCHEMA` lines, a schema being called by its text; `schemas=` are sent along.
pub(crate) fn announce(line: &Line) -> Result<Announce> {
    let documents = line.below.iter().map(|below| {
        let schema = Some(below.word_or_empty(1)).filter(|schema| !schema.is_empty());
        Ok(Consumed { path: below.word(0)?.into(), schema: schema.map(|text| SchemaHash::of(text.as_bytes())) })
    });
    let incarnation = line.incarnation(0)?;
    Ok(Announce { incarnation, documents: documents.collect::<Result<_>>()?, schemas: line.list("schemas") })
}

/// `consumers PATH`
pub(crate) fn consumers(state: &State, path: &str) -> Vec<String> {
    let each = state.consumers(path).map(|of| {
        let group = of.group();
        let schema = group.schema.map_or_else(
            || "anything".to_owned(),
            |hash| state.schema(hash).map_or_else(|| "a lost schema".to_owned(), |schema| print::text(schema)),
        );
        let mut incarnations: Vec<_> = of.incarnations().map(|one| one.0).collect();
        incarnations.sort_unstable();
        let (count, service, version) = (of.count(), &group.service, &group.version);
        format!("{count} of {service} {version} by {schema}: {incarnations:?}")
    });
    let mut lines: Vec<_> = each.collect();
    lines.push(format!("since r{}", state.consumers_revision(path).0));
    lines
}

/// `reads i1`
pub(crate) fn reads(state: &State, incarnation: Incarnation) -> Vec<String> {
    state.consumed_by(incarnation).iter().map(|consumed| consumed.path.to_string()).collect()
}

/// `version PATH at=REVISION`
pub(crate) fn version(state: &State, line: &Line) -> Result<String> {
    Ok(match state.version_at(line.word(0)?, Revision(line.number("at")?)) {
        VersionAt::Kept(document) => print::document(document),
        VersionAt::Never => "never".to_owned(),
        VersionAt::Pruned { oldest: None } => "pruned, nothing is kept".to_owned(),
        VersionAt::Pruned { oldest: Some(oldest) } => format!("pruned, the oldest kept is r{}", oldest.0),
    })
}

/// `layers PATH for=i1`
pub(crate) fn layers(state: &State, line: &Line) -> Result<Vec<String>> {
    let path = line.word(0)?;
    let Some(instance) = instance(state, line)? else {
        return Ok(state.layers(path).map(|(_, document)| print::document(document)).collect());
    };
    Ok(state.layers_of(path, instance).map(|(_, document)| print::document(document)).collect())
}

/// `effective PATH for=i1`
pub(crate) fn effective(state: &State, line: &Line) -> Result<Vec<String>> {
    let path = line.word(0)?;
    let instance = instance(state, line)?.context("for= is missing")?;
    let config = state.config_for(path, instance);
    let rollout = config.rollout.map_or_else(String::new, |rollout| format!(", rollout {rollout}"));
    let head = format!("r{}{rollout}", config.revision.0);
    let layers = config.layers.iter().map(|applied| {
        let candidate = applied.candidate_of.map_or("", |_| " candidate");
        let key = applied.layer.key(path);
        format!("  {key} r{}{candidate}: {}", applied.revision.0, print::text(applied.text))
    });
    Ok(std::iter::once(head).chain(layers).collect())
}

fn instance<'a>(state: &'a State, line: &Line) -> Result<Option<&'a Arc<Instance>>> {
    let Some(incarnation) = line.get("for") else { return Ok(None) };
    let incarnation = Incarnation(incarnation.trim_start_matches('i').parse()?);
    Ok(Some(state.instance(incarnation).context("it is not open")?))
}

/// Steps of a rollout: `start` as a publish with `stage` lines, `advance 3 from=0`, `pause 3`, `resume 3`,
/// `stop 3 failed`, `promote 3`.
pub(crate) fn rollout(line: &Line) -> Result<Command> {
    let author = line.text("author");
    if line.verb == "start" {
        let stages = line.below.iter().filter(|below| below.verb == "stage").map(stage);
        let stages = stages.collect::<Result<_>>()?;
        let applied = line.optional("applied")?.map(|applied_bps| Gates { applied_bps: applied_bps as u32 });
        let gates = applied.unwrap_or_default();
        return Ok(Command::StartRollout(StartRollout { publish: publish(line)?, stages, gates }));
    }
    let rollout = line.number_at(0)?;
    Ok(match line.verb.as_str() {
        "advance" => {
            Command::AdvanceRollout(AdvanceRollout { rollout, from_stage: line.number("from")? as u32, author })
        }
        "pause" => Command::PauseRollout(StepRollout { rollout, author }),
        "resume" => Command::ResumeRollout(StepRollout { rollout, author }),
        "stop" => {
            let cause = if line.word_or_empty(1) == "failed" { StopCause::Failed } else { StopCause::Aborted };
            Command::StopRollout(StopRollout { rollout, cause, reason: line.text("reason"), author })
        }
        "promote" => Command::PromoteRollout(PromoteRollout {
            rollout,
            from_stage: line.optional("from")?.map(|stage| stage as u32),
            judged: line.below.iter().map(judged_by).collect::<Result<_>>()?,
            forced: line.get("forced").map(str::to_owned),
            author,
        }),
        verb => bail!("{verb} is no step of a rollout"),
    })
}

fn stage(line: &Line) -> Result<Stage> {
    let part = |name| line.get(name).map(str::to_owned);
    let labels = line.list("labels").into_iter().map(|label| {
        let label = String::from_utf8_lossy(&label).into_owned();
        let (name, value) = label.split_once(':').unwrap_or((&label, ""));
        (name.to_owned(), value.to_owned())
    });
    let selector =
        InstanceSelector { service: part("service"), id: part("id"), zone: part("zone"), labels: labels.collect() };
    Ok(Stage { selector, share_bps: line.number_at(0)? as u32, hold_ms: line.optional("hold")? })
}

pub(crate) fn rollouts(state: &State) -> Vec<String> {
    state.rollouts().map(|rollout| describe(rollout)).collect()
}

/// `stepped SINCE`
pub(crate) fn stepped(state: &State, since: Revision) -> Vec<String> {
    let Some(changed) = state.rollouts_changed_since(since) else { return vec!["reset".to_owned()] };
    changed.iter().map(|rollout| describe(rollout)).collect()
}

fn describe(rollout: &Rollout) -> String {
    let Rollout { id, author, message, forced, candidates, stages, opened, state, changed, by, reason, .. } = rollout;
    let paths: Vec<_> = candidates.iter().map(|candidate| candidate.change().path.as_str()).collect();
    let forced = forced.as_ref().map_or_else(String::new, |reason| format!(" (forced: {reason})"));
    let opened: Vec<_> = opened.iter().map(|stamp| format!("r{} at {}", stamp.revision.0, stamp.time.0)).collect();
    let line = format!(
        "{id} by {author}: {message}{forced}; {} in {} stages, open {}; {state:?} r{} by {by}: {reason}",
        paths.join(" "),
        stages.len(),
        opened.join(", "),
        changed.revision.0
    );
    line.trim_end_matches([':', ' ']).to_owned()
}

/// `place room/a`
pub(crate) fn place(line: &Line) -> Result<String> {
    let (service, id) = line.word(0)?.split_once('/').context("service/id")?;
    Ok(rollout_place(service, id).to_string())
}
