//! Walks, and rankings.

use anyhow::{Context, Result};
use keeper_registry::{Part, Revision, SessionFilter, State, Walked};

use crate::{kick, print, words::Line};

/// Pages until the end, sorted: the order of the walk depends on a hash.
pub(crate) fn walk(state: &State, line: &Line) -> Result<Vec<String>> {
    let limit = line.optional("limit")?.unwrap_or(100) as usize;
    let filter = SessionFilter {
        selector: kick::selector(line),
        since: Revision(line.optional("since")?.unwrap_or_default()),
        until: line.optional("until")?.map(Revision),
        part: part(line)?,
        walked: if line.word_or_empty(0) == "seen" { Walked::Seen } else { Walked::Live },
    };
    let (mut found, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let page = state.sessions_page(after.as_ref(), limit, &filter);
        found.extend(page.sessions.iter().map(|view| print::key(&view.key())));
        pages += 1;
        after = page.next;
        if after.is_none() {
            found.sort();
            return Ok(vec![format!("{} in {pages} pages", found.join(" "))]);
        }
    }
}

/// `part=0/2`
fn part(line: &Line) -> Result<Part> {
    let Some(text) = line.get("part") else { return Ok(Part::default()) };
    let (index, of) = text.split_once('/').context("a part is index/of")?;
    Part::new(index.parse()?, of.parse()?).context("there is no such part")
}

pub(crate) fn top(state: &State, line: &Line) -> Result<Vec<String>> {
    let topics = state.top_topics(line.optional("limit")?.unwrap_or(20) as usize);
    let each = |topic: &keeper_registry::TopicSize| {
        let live: u64 = state.count_by_instance(Some(&topic.name)).iter().map(|(_, count)| count).sum();
        format!("{} {} rows, {live} live", print::text(&topic.name), topic.rows)
    };
    Ok(topics.iter().map(each).collect())
}
