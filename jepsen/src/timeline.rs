//! A page that shows what happened around a violation: a row for each process, a bar for each operation, the faults on
//! top. One file, no script but the browser's own: it is read long after the run, anywhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use anyhow::{Context, Result};

use crate::{
    check::Violation,
    history::{Event, Kind, MONITOR, NEMESIS},
    operation::{NEVER, Operation, operations},
};

/// Violations shown.
const SHOWN_MAX: usize = 5;

/// Lines before the first and behind the last that a violation names.
const MARGIN_LINES: usize = 40;

const STYLE: &str = "body{font:13px sans-serif;margin:2em}table{border-collapse:collapse;width:100%}\
    td{border-bottom:1px solid #ddd;height:22px;padding:0}td:first-child{width:9em;white-space:nowrap}\
    .row{position:relative;height:22px}.bar{position:absolute;top:2px;height:18px;min-width:3px;overflow:hidden;\
    white-space:nowrap;font-size:11px;padding-left:2px;box-sizing:border-box;border-radius:2px}\
    .ok{background:#bfd8bf}.fail{background:#e0e0e0}.info{background:#f0dca8}.fault{background:#d8c4e4}\
    .named{outline:2px solid #c00;z-index:1}";

pub(crate) fn write(path: &Path, events: &[Event], violations: &[Violation]) -> Result<()> {
    let mut page = format!("<!doctype html><meta charset=\"utf-8\"><title>violations</title><style>{STYLE}</style>");
    for violation in violations.iter().take(SHOWN_MAX) {
        section(&mut page, events, violation)?;
    }
    fs::write(path, page).with_context(|| format!("{} cannot be written", path.display()))
}

fn section(page: &mut String, events: &[Event], violation: &Violation) -> Result<()> {
    let (first, last) = match (violation.lines.first(), violation.lines.last()) {
        (Some(first), Some(last)) => (*first, *last),
        _ => (1, events.len()),
    };
    let from = first.saturating_sub(MARGIN_LINES).max(1);
    let to = last.saturating_add(MARGIN_LINES).min(events.len());
    let window = Window {
        from,
        to,
        began: events.get(from - 1).map_or(0, |it| it.time),
        ended: events.get(to.saturating_sub(1)).map_or(1, |it| it.time),
        named: violation.lines.iter().copied().collect(),
    };
    write!(page, "<h3>{}</h3><table>", escaped(&violation.to_string()))?;
    let mut rows: BTreeMap<i64, String> = BTreeMap::new();
    for (line, event) in (1..).zip(events).filter(|(line, _)| (from..=to).contains(line)) {
        if event.process == NEMESIS || (event.process == MONITOR && window.named.contains(&line)) {
            let text = format!("{} {} {}", event.f, event.key, event.value);
            window.bar(
                rows.entry(event.process).or_default(),
                (line, line),
                (event.time, event.time),
                "fault",
                &text,
            )?;
        }
    }
    for operation in operations(events).iter().filter(|it| window.shows(it)) {
        let class = match operation.kind {
            Kind::Ok => "ok",
            Kind::Fail => "fail",
            Kind::Info | Kind::Invoke => "info",
        };
        let Operation { f, key, asked, answer, .. } = operation;
        let text = format!("{f} {key} {asked} → {answer}");
        let times = (operation.began_at, operation.ended_at);
        window.bar(
            rows.entry(operation.process).or_default(),
            (operation.began, operation.ended),
            times,
            class,
            &text,
        )?;
    }
    for (process, bars) in rows {
        let name = match process {
            NEMESIS => "faults".to_owned(),
            MONITOR => "nodes".to_owned(),
            _ => format!("process {process}"),
        };
        write!(page, "<tr><td>{name}<td><div class=\"row\">{bars}</div>")?;
    }
    page.push_str("</table>");
    Ok(())
}

/// What is shown of a history.
struct Window {
    from: usize,
    to: usize,
    began: u64,
    ended: u64,
    named: BTreeSet<usize>,
}

impl Window {
    /// An operation that never ended is shown where it began.
    fn shows(&self, operation: &Operation<'_>) -> bool {
        let end = if operation.ended == NEVER { operation.began } else { operation.ended };
        operation.began <= self.to && end >= self.from || self.named.contains(&operation.began)
    }

    fn bar(&self, row: &mut String, lines: (usize, usize), times: (u64, u64), class: &str, text: &str) -> Result<()> {
        let span = (self.ended.max(self.began + 1) - self.began) as f64;
        let at = |time: u64| (time.clamp(self.began, self.ended) - self.began) as f64 / span * 100.0;
        let (left, width) = (at(times.0), at(times.1) - at(times.0));
        let is_named = self.named.contains(&lines.0) || self.named.contains(&lines.1);
        let named = if is_named { " named" } else { "" };
        let text = escaped(text);
        let end = if lines.1 == NEVER { "?".to_owned() } else { lines.1.to_string() };
        write!(
            row,
            "<div class=\"bar {class}{named}\" style=\"left:{left:.2}%;width:{width:.2}%\" \
             title=\"lines {}-{end}: {text}\">{text}</div>",
            lines.0
        )?;
        Ok(())
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_lines_of_a_violation_are_marked_and_nothing_is_left_unescaped() {
        let event =
            |process, kind, value| Event { process, kind, f: "read".into(), key: "<key>".into(), value, time: 7 };
        let events = [
            event(NEMESIS, Kind::Info, json!(null)),
            event(0, Kind::Invoke, json!(null)),
            event(0, Kind::Ok, json!("a\"b")),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        write(&path, &events, &[Violation::new("C3", [3], "x < y".into())]).unwrap();
        let page = fs::read_to_string(&path).unwrap();
        assert_eq!(page.matches("class=\"bar ok named\"").count(), 1, "{page}");
        assert!(page.contains("x &lt; y") && !page.contains("<key>"), "{page}");
    }
}
