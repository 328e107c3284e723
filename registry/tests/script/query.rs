//! Questions to the state.

use anyhow::{Result, bail};
use keeper_registry::{Addressed, AnswerState, Closing, Control, NoticeCursor, Notices, Revision, State};

use crate::{
    config, kick, presence, print, refill, walk,
    words::{Line, cursor},
};

pub(crate) fn ask(state: &State, line: &Line) -> Result<String> {
    let lines = match line.verb.as_str() {
        "session" => {
            let key = line.key(0)?;
            vec![state.session(&key.user, &key.slot).map_or_else(|| "nobody".to_owned(), |view| print::session(&view))]
        }
        "sessions" => state.sessions_of(line.word(0)?.as_bytes()).iter().map(print::session).collect(),
        "walk" => walk::walk(state, line)?,
        "top" => walk::top(state, line)?,
        "kicks" => kick::kicks(state),
        "formerly" => {
            let formerly = state.formerly_of(line.word(0)?.as_bytes());
            formerly.iter().map(|one| format!("{:?}: {}", one.state, print::session(&one.session))).collect()
        }
        "rebuild" => refill::rebuild(state),
        "presence" => presence::facts(state, line)?,
        "count" => count(state, line),
        "instances" => {
            let each = |one: &std::sync::Arc<_>| print_instance(state, one);
            state.instances().map(each).collect()
        }
        "changes" => changes(state, Revision(line.number_at(0)?)),
        "notices" => notices(state, line)?,
        "config" => {
            let document = match line.optional("at")? {
                None => state.config(line.word(0)?),
                Some(revision) => state.config_at(line.word(0)?, Revision(revision)),
            };
            vec![document.map_or_else(|| "no document".to_owned(), |document| print::document(document))]
        }
        "history" => state.history(line.word(0)?, 100).map(|document| print::document(document)).collect(),
        "configs" => state.configs(line.word_or_empty(0)).map(|document| print::document(document)).collect(),
        "layers" => config::layers(state, line)?,
        "effective" => config::effective(state, line)?,
        "version" => vec![config::version(state, line)?],
        "consumers" => config::consumers(state, line.word(0)?),
        "reads" => config::reads(state, line.incarnation(0)?),
        "rollouts" => config::rollouts(state),
        "stepped" => config::stepped(state, Revision(line.number_at(0)?)),
        "place" => vec![config::place(line)?],
        "schemas" => vec![format!("r{}", state.schemas_revision().0)],
        "revision" => vec![format!("r{}", state.layers_revision(line.word(0)?).0)],
        "changed" => changed(state, line)?,
        "control" => state.control(line.number_at(0)?).map_or_else(Vec::new, |one| control(state, one)),
        "controls" => {
            let controls = state.controls_for(line.incarnation(0)?);
            controls
                .map(|one| {
                    format!("#{} {} {}", one.number, one.action, print::text(&one.argument)).trim_end().to_owned()
                })
                .collect()
        }
        "sweeps" => {
            vec![state.next_sweep().map_or_else(|| "nothing to sweep".to_owned(), |due| format!("due at {} ms", due.0))]
        }
        "nodes" => vec![format!("up to {}", state.last_node())],
        "cluster" => vec![match &state.cluster().raised {
            None => format!("level {}", state.level()),
            Some(raised) => format!(
                "level {} since r{} at {} ms, by {}, needs {}",
                raised.level, raised.revision.0, raised.at.0, raised.author, raised.needs
            ),
        }],
        "clock" => vec![format!("r{} at {} ms", state.revision().0, state.time().0)],
        verb => bail!("{verb} is no question"),
    };
    Ok(if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n") })
}

fn print_instance(state: &State, instance: &keeper_registry::Instance) -> String {
    print::instance(instance, state.sessions_of_instance(instance.incarnation))
}

fn count(state: &State, line: &Line) -> Vec<String> {
    let topic = line.get("topic").map(str::as_bytes);
    let counts = state.count_by_instance(topic);
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    let mut lines: Vec<_> = counts.iter().map(|(instance, count)| format!("i{} {count}", instance.0)).collect();
    lines.push(format!("total {total}, live {}", state.sessions_live()));
    lines
}

fn changes(state: &State, since: Revision) -> Vec<String> {
    let Some(changes) = state.instances_changed_since(since) else { return vec!["reset".to_owned()] };
    let opened = changes.opened.iter().map(|instance| format!("opened {}", print_instance(state, instance)));
    let closed = changes.closed.iter().map(|Closing { service, id, incarnation, cause, reason, .. }| {
        format!("closed {service}/{id} i{} {cause:?} {reason}", incarnation.0).trim_end().to_owned()
    });
    opened.chain(closed).collect()
}

fn notices(state: &State, line: &Line) -> Result<Vec<String>> {
    let cursor = line.get("since").map_or(Ok(NoticeCursor::default()), cursor)?;
    let limit = line.optional("limit")?.unwrap_or(100) as usize;
    Ok(match state.notices_since(line.incarnation(0)?, cursor, limit) {
        Notices::Closed => vec!["closed".to_owned()],
        Notices::Reset { next } => vec![format!("reset, next {}", print::cursor(next))],
        Notices::Page { notices, next } => {
            let lines = notices.into_iter().map(print::notice);
            lines.chain([format!("next {}", print::cursor(next))]).collect()
        }
    })
}

fn changed(state: &State, line: &Line) -> Result<Vec<String>> {
    let selectors: Vec<_> = line.get("of").unwrap_or_default().split(',').collect();
    let changed = state.configs_changed_since(&selectors, Revision(line.number_at(0)?));
    Ok(match changed {
        None => vec!["reset".to_owned()],
        Some(documents) => documents.iter().map(|document| print::document(document)).collect(),
    })
}

fn control(state: &State, control: &Control) -> Vec<String> {
    let head = format!("{} {} until {} ms", control.service, control.action, control.deadline_at.0);
    let answers = control.answers.iter().map(|answer| {
        let said = match state.addressed(answer) {
            Addressed::Waiting | Addressed::Answered(AnswerState::Waiting) => "waiting".to_owned(),
            Addressed::Gone => "gone".to_owned(),
            Addressed::Answered(AnswerState::Done { message }) => format!("done {message}"),
            Addressed::Answered(AnswerState::Refused { message }) => format!("refused {message}"),
        };
        format!("  {} i{} {said}", answer.instance, answer.incarnation.0).trim_end().to_owned()
    });
    std::iter::once(head).chain(answers).collect()
}
