//! `keeperctl control status`: who has answered what.

use keeper_client_sdk::{ControlState, ControlStatus};
use serde::Serialize;

use crate::{
    admin::Admin,
    failure::Failure,
    name::Name,
    render::{self, Report},
};

/// As the servers call it when an instance has not answered yet.
const WAITING: &str = "waiting";
/// As the servers call it when it was done.
const DONE: &str = "done";

pub(super) async fn show(admin: &mut Admin<'_, '_>, control: u64) -> Result<(), Failure> {
    let status = status(admin, control).await?;
    admin.console.print(&status)
}

pub(super) async fn status(admin: &Admin<'_, '_>, control: u64) -> Result<Status, Failure> {
    match admin.keeper.controls().get(control).await {
        Ok(status) => Ok(status.into()),
        Err(error) if error.reason() == "not-found" => Err(Failure::refused(format!("there is no control {control}"))
            .remedy("controls are forgotten an hour after their deadline")),
        Err(error) => Err(error.into()),
    }
}

/// A control and its answers, as they are printed.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    control: u64,
    action: String,
    argument: Name,
    author: String,
    sent_at: String,
    deadline_ms: u64,
    answers: Vec<Answer>,
}

#[derive(Debug, Serialize)]
struct Answer {
    instance: String,
    incarnation: u64,
    state: String,
    message: String,
}

impl Status {
    pub(super) fn waiting(&self) -> usize {
        self.answers.iter().filter(|answer| answer.state == WAITING).count()
    }

    /// Whether a script should go on: everybody has done it.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let not_done = self.answers.iter().filter(|answer| answer.state != DONE).count();
        match (not_done, self.waiting()) {
            (0, _) => Ok(()),
            (not_done, 0) => Err(Failure::refused(format!("{not_done} of {} did not do it", self.answers.len()))),
            (_, waiting) => Err(Failure::refused(format!(
                "{waiting} of {} did not answer within {} ms",
                self.answers.len(),
                self.deadline_ms
            ))),
        }
    }
}

impl From<ControlStatus> for Status {
    fn from(status: ControlStatus) -> Self {
        let mut answers: Vec<_> = status.answers.into_iter().map(Answer::from).collect();
        answers.sort_by(|a, b| (&a.instance, a.incarnation).cmp(&(&b.instance, b.incarnation)));
        Self {
            control: status.control,
            action: status.action,
            argument: Name::from(&status.argument[..]),
            author: status.author,
            sent_at: render::millisecond(status.sent_at_ms),
            deadline_ms: u64::try_from(status.deadline.as_millis()).unwrap_or(u64::MAX),
            answers,
        }
    }
}

impl From<ControlState> for Answer {
    fn from(state: ControlState) -> Self {
        Self {
            instance: format!("{}/{}", state.service, state.id),
            incarnation: state.incarnation,
            state: state.state,
            message: state.message,
        }
    }
}

impl Report for Status {
    fn table(&self) -> String {
        let head = render::fields([
            ("control", self.control.to_string()),
            ("action", self.action.clone()),
            ("argument", self.argument.to_string()),
            ("author", self.author.clone()),
            ("sent", self.sent_at.clone()),
            ("deadline", format!("{} ms", self.deadline_ms)),
        ]);
        let cells =
            |it: &Answer| [it.instance.clone(), it.incarnation.to_string(), it.state.clone(), it.message.clone()];
        let answers = render::table(["INSTANCE", "INCARNATION", "STATE", "MESSAGE"], self.answers.iter().map(cells));
        render::sections([head, answers])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn status(answers: &[(&str, &str, &str)]) -> Status {
        let answer = |(id, state, message): &(&str, &str, &str)| ControlState {
            service: "room".into(),
            id: (*id).into(),
            incarnation: 9,
            state: (*state).into(),
            message: (*message).into(),
        };
        let status = ControlStatus {
            control: 61,
            action: "log-level".into(),
            argument: "debug".into(),
            author: "ann@desk".into(),
            sent_at_ms: 1_795_361_762_345,
            deadline: Duration::from_secs(60),
            answers: answers.iter().map(answer).collect(),
        };
        status.into()
    }

    #[test]
    fn answers_in_columns() {
        let expected = "\
FIELD     VALUE
control   61
action    log-level
argument  debug
author    ann@desk
sent      2026-11-22T15:36:02.345Z
deadline  60000 ms

INSTANCE  INCARNATION  STATE    MESSAGE
room/a    9            done     -
room/b    9            refused  busy
";
        assert_eq!(status(&[("b", "refused", "busy"), ("a", "done", "")]).table(), expected);
    }

    #[test]
    fn answers_as_json() {
        let expected = concat!(
            r#"{"control":61,"action":"log-level","argument":"debug","author":"ann@desk","#,
            r#""sent_at":"2026-11-22T15:36:02.345Z","deadline_ms":60000,"#,
            r#""answers":[{"instance":"room/a","incarnation":9,"state":"done","message":""}]}"#,
            "\n"
        );
        assert_eq!(render::json_line(&status(&[("a", "done", "")])), Ok(expected.to_owned()));
    }

    #[test]
    fn who_has_not_done_it_is_counted() {
        let verdict = |answers: &[(&str, &str, &str)]| status(answers).verdict().map_err(|failure| failure.message);
        assert_eq!(verdict(&[("a", "done", "")]), Ok(()));
        assert_eq!(verdict(&[("a", "done", ""), ("b", "gone", "")]), Err("1 of 2 did not do it".into()));
        let late = verdict(&[("a", "waiting", ""), ("b", "refused", "busy")]);
        assert_eq!(late, Err("1 of 2 did not answer within 60000 ms".into()));
    }
}
