//! One slice of a kick by selector.
//!
//! Sessions end in the fixed order of a walk, or, when the selector names an instance alone, in the order of the
//! owner's list. Only registrations older than the kick are touched: an epoch says which those are, so that a device
//! that is back while the job still runs stays. A slice looks at a bounded number of rows, ends a bounded number of
//! sessions, and leaves its place in the job, for whichever leader proposes the next one.

use super::{RowId, index::Index, kick_job::KickJob, walk};
use crate::{Event, KickTarget, Kicked, Reply, ScanPosition, State, Walked, limits};

/// What a slice found.
struct Slice {
    ended: Vec<(RowId, Kicked)>,
    next: Next,
}

/// Where to go on.
enum Next {
    /// At the head of the owner's list.
    Head,
    After(ScanPosition),
    /// Nowhere: this was the last slice.
    Nothing,
}

impl State {
    pub(crate) fn kick_step(&mut self, events: &mut Vec<Event>) -> Reply {
        let Some(job) = self.kicks.first_under_way() else {
            return Reply::KickStepped { closed: 0, more: false };
        };
        let (number, reason, author) = (job.number, job.reason.clone(), job.author.clone());
        let Slice { ended, next } = self.slice(job);
        let gateways = self.end_by_kick(&ended, &reason, &author, events);
        self.kicks.add(number, gateways);
        match next {
            Next::Head => {}
            Next::After(position) => self.kicks.proceed(number, position),
            Next::Nothing => {
                self.kicks.finish(number, self.clock.time);
                events.push(Event::Kick);
            }
        }
        self.kicks.trim();
        Reply::KickStepped { closed: ended.len() as u32, more: self.kick_pending() }
    }

    fn slice(&self, job: &KickJob) -> Slice {
        let nothing = Slice { ended: Vec::new(), next: Next::Nothing };
        let KickTarget::Matching(selector) = &job.target else { return nothing };
        if job.incarnation.is_some_and(|incarnation| self.instances.id(incarnation).is_none()) {
            return nothing;
        }
        if selector.is_instance_alone() { self.slice_of_owner(job) } else { self.slice_of_walk(job).unwrap_or(nothing) }
    }

    fn slice_of_owner(&self, job: &KickJob) -> Slice {
        let mut slice = Slice { ended: Vec::new(), next: Next::Nothing };
        let owner = job.incarnation.and_then(|incarnation| self.instances.open(self.instances.id(incarnation)?));
        let rows = owner.into_iter().flat_map(|owner| self.sessions.links.rows(&owner.sessions));
        for row in rows {
            let Some(entry) = self.sessions.rows.get(row).filter(|entry| entry.row.epoch() < job.before) else { break };
            if slice.ended.len() >= limits::KICK_SLICE as usize {
                slice.next = Next::Head;
                break;
            }
            slice.ended.extend(self.kicked(entry).map(|kicked| (row, kicked)));
        }
        slice
    }

    fn slice_of_walk(&self, job: &KickJob) -> Option<Slice> {
        let KickTarget::Matching(selector) = &job.target else { return None };
        let matcher = self.matcher(selector, Walked::Live)?;
        let start = job.position.as_ref().map(|position| self.sessions.place_of(position));
        let (mut ended, mut looked_at, mut last) = (Vec::new(), 0, None);
        for shard in Index::shards_from(start.map_or(0, |(hash, ..)| hash)) {
            for (place, row, entry) in self.sessions.ordered(shard, start) {
                if ended.len() >= limits::KICK_SLICE as usize || looked_at >= limits::KICK_ROWS_MAX {
                    let next = last.map_or(Next::Nothing, |last| Next::After(walk::position(last)));
                    return Some(Slice { ended, next });
                }
                looked_at += 1;
                last = Some(place);
                if entry.row.epoch() < job.before && matcher.matches(entry) {
                    ended.extend(self.kicked(entry).map(|kicked| (row, kicked)));
                }
            }
        }
        Some(Slice { ended, next: Next::Nothing })
    }
}
