//! How far a walk in parts has come, and what to type to go on. Pure: pages in, words out.
//!
//! A part is told to the end of its last page: the token is kept once the page is printed, so that whoever goes on from
//! it neither misses a session nor meets one twice.

use serde::Serialize;

use crate::{
    args::{PartStanding, SelectSessions, Standing},
    console::Output,
    render::{self, Report},
};

/// What makes one scan the continuation of another.
#[derive(Debug, Clone, Default)]
pub(super) struct Typed {
    pub(super) select: SelectSessions,
    pub(super) rate: Option<u32>,
    /// One for all parts, or one for each; none: 0.
    pub(super) since: Vec<u64>,
    pub(super) output: Output,
}

/// How far a walk has come.
#[derive(Debug)]
pub(super) struct Progress {
    typed: Typed,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    standing: PartStanding,
    /// Since when registrations are left to the tail, once told.
    at_revision: Option<u64>,
    matched: u64,
}

impl Progress {
    pub(super) fn new(typed: Typed, standing: Standing) -> Self {
        let part = |standing| {
            let at_revision = if let PartStanding::Done(revision) = &standing { Some(*revision) } else { None };
            Part { standing, at_revision, matched: 0 }
        };
        Self { typed, parts: standing.0.into_iter().map(part).collect() }
    }

    /// A page of a part was printed.
    pub(super) fn told(&mut self, part: usize, at_revision: u64, matched: u64, next: Option<&[u8]>) {
        let Some(part) = self.parts.get_mut(part) else { return };
        part.at_revision = Some(at_revision);
        part.matched += matched;
        part.standing = next.map_or(PartStanding::Done(at_revision), |next| PartStanding::At(next.to_vec()));
    }

    /// How many sessions were told.
    pub(super) fn matched(&self) -> u64 {
        self.parts.iter().map(|part| part.matched).sum()
    }

    /// The command that goes on where this one stands.
    pub(super) fn resume(&self) -> String {
        let standing = Standing(self.parts.iter().map(|part| part.standing.clone()).collect());
        let mut line = self.command();
        if !self.typed.since.is_empty() {
            line += &format!(" --since {}", render::list(&self.typed.since));
        }
        format!("{line} --resume {standing}{}", self.typed.output.typed())
    }

    /// The command that walks over what was registered since; none before every part has begun.
    pub(super) fn tail(&self) -> Option<String> {
        let revisions: Vec<u64> = self.parts.iter().map(|part| part.at_revision).collect::<Option<_>>()?;
        let (first, others) = revisions.split_first()?;
        let since = if others.iter().all(|it| it == first) { first.to_string() } else { render::list(&revisions) };
        let parts = if others.is_empty() { String::new() } else { format!(" --parts {}", revisions.len()) };
        Some(format!("{}{parts} --since {since}{}", self.command(), self.typed.output.typed()))
    }

    pub(super) fn counted(&self) -> Counted {
        let of = self.parts.len();
        let part = |(index, part): (usize, &Part)| CountedPart {
            part: format!("{}/{of}", index + 1),
            at_revision: part.at_revision,
            sessions: part.matched,
        };
        Counted { sessions: self.matched(), parts: self.parts.iter().enumerate().map(part).collect() }
    }

    fn command(&self) -> String {
        let select = self.typed.select.to_string();
        let select = if select.is_empty() { select } else { format!(" {select}") };
        let rate = self.typed.rate.map(|rate| format!(" --rate {rate}")).unwrap_or_default();
        format!("keeperctl session scan{select}{rate}")
    }
}

/// How many sessions a walk met.
#[derive(Debug, Serialize)]
pub(super) struct Counted {
    sessions: u64,
    parts: Vec<CountedPart>,
}

#[derive(Debug, Serialize)]
struct CountedPart {
    part: String,
    at_revision: Option<u64>,
    sessions: u64,
}

impl Report for Counted {
    fn table(&self) -> String {
        let revision = |part: &CountedPart| part.at_revision.map(|it| it.to_string()).unwrap_or_default();
        let cells = |part: &CountedPart| [part.part.clone(), revision(part), part.sessions.to_string()];
        let total = ["TOTAL".to_owned(), String::new(), self.sessions.to_string()];
        render::table(["PART", "AT REVISION", "SESSIONS"], self.parts.iter().map(cells).chain([total]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(parts: usize, typed: Typed) -> Progress {
        Progress::new(typed, Standing(vec![PartStanding::New; parts]))
    }

    #[test]
    fn a_stopped_walk_says_how_to_go_on() {
        let select = SelectSessions { topic: Some("news".parse().expect("a topic")), ..SelectSessions::default() };
        let typed = Typed { select, rate: Some(50_000), since: vec![7], output: Output::Json };
        let mut progress = progress(3, typed);
        progress.told(0, 41, 10, Some(&[0xab]));
        progress.told(2, 42, 5, None);
        let expected = "keeperctl session scan --topic news --rate 50000 --since 7 --resume 0xab,new,done@42 -o json";
        assert_eq!(progress.resume(), expected);
        assert_eq!(progress.matched(), 15);
        assert_eq!(progress.tail(), None, "one part has no beginning yet");
    }

    #[test]
    fn the_tail_begins_where_each_part_began() {
        let mut progress = progress(2, Typed::default());
        progress.told(0, 41, 0, None);
        progress.told(1, 41, 0, None);
        assert_eq!(progress.tail().as_deref(), Some("keeperctl session scan --parts 2 --since 41"));
        progress.told(1, 43, 0, None);
        progress.typed.output = Output::Json;
        assert_eq!(progress.tail().as_deref(), Some("keeperctl session scan --parts 2 --since 41,43 -o json"));
    }

    #[test]
    fn a_resumed_walk_remembers_its_finished_parts() {
        let standing = "done@41,0x01".parse().expect("a token");
        let mut progress = Progress::new(Typed::default(), standing);
        progress.told(1, 42, 3, None);
        assert_eq!(progress.tail().as_deref(), Some("keeperctl session scan --parts 2 --since 41,42"));
        assert_eq!(progress.resume(), "keeperctl session scan --resume done@41,done@42");
    }

    #[test]
    fn parts_are_summed_up() {
        let mut progress = progress(2, Typed::default());
        progress.told(0, 41, 10, None);
        progress.told(1, 43, 5, None);
        let expected = "\
PART   AT REVISION  SESSIONS
1/2    41           10
2/2    43           5
TOTAL  -            15
";
        assert_eq!(progress.counted().table(), expected);
        let expected = concat!(
            r#"{"sessions":15,"parts":[{"part":"1/2","at_revision":41,"sessions":10},"#,
            r#"{"part":"2/2","at_revision":43,"sessions":5}]}"#,
            "\n"
        );
        assert_eq!(render::json_line(&progress.counted()), Ok(expected.to_owned()));
    }
}
