use std::time::Duration;

use keeper_registry::{CloseInstance, Command, LogTime, OpenInstance, Reply, Revision, Stamp, StateId};

use super::*;
use crate::acks::{Status, Verdict};
use crate::clock;
use crate::metrics::Applied;

const WANTED: Revision = Revision(50);

struct Run {
    state: State,
    revision: u64,
    crowd: Crowd,
    said: BTreeMap<Incarnation, Ack>,
    reading: Vec<Arc<Instance>>,
}

impl Run {
    fn of(names: &[&str]) -> Self {
        let (said, reading) = (BTreeMap::new(), Vec::new());
        let mut run = Self { state: State::default(), revision: 0, crowd: Crowd::default(), said, reading };
        run.take(Command::Found(StateId(7)));
        for name in names {
            let instance = run.open(name);
            run.reading.push(instance);
        }
        run
    }

    fn take(&mut self, command: Command) -> Reply {
        self.revision += 1;
        let at = Stamp { revision: Revision(self.revision), time: LogTime(self.revision) };
        self.state.apply(at, &command).reply.expect("it is taken")
    }

    fn open(&mut self, id: &str) -> Arc<Instance> {
        let open = OpenInstance {
            service: "room".to_owned(),
            id: id.to_owned(),
            zone: String::new(),
            ttl_ms: 10_000,
            endpoints: Vec::new(),
            weight: 0,
            labels: Vec::new(),
            version: String::new(),
            former_state: None,
            flush_total: 0,
            request: None,
        };
        let Reply::Opened { incarnation } = self.take(Command::OpenInstance(open)) else { panic!("it opens") };
        Arc::clone(self.state.instance(incarnation).expect("it is open"))
    }

    fn say(&mut self, at: usize, applied: Applied) {
        self.said.insert(self.reading[at].incarnation, Ack::new(WANTED, applied, "no"));
    }

    fn expire(&mut self, at: usize) {
        let gone = self.reading.remove(at).incarnation;
        self.take(Command::Expire(gone));
    }

    fn close(&mut self, at: usize) {
        let incarnation = self.reading.remove(at).incarnation;
        self.take(Command::CloseInstance(CloseInstance { incarnation, reason: String::new() }));
    }

    /// Who is gone, and whether the wait for all is over.
    fn look(&mut self) -> (Vec<(String, Leave)>, bool) {
        let wait = Wait { share_bps: 10_000, revision: WANTED, until: clock::now() + Duration::from_secs(60) };
        let standing = |instance: &Arc<Instance>| {
            let said = self.said.get(&instance.incarnation).cloned();
            let verdict = match said.as_ref().map(|ack| ack.applied) {
                None => Verdict::Waiting,
                Some(Applied::Yes) => Verdict::Applied,
                Some(Applied::Refused) => Verdict::Refused,
                Some(Applied::NeedsRestart) => Verdict::NeedsRestart,
            };
            let (instance, rollout, health) = (Arc::clone(instance), None, None);
            Standing { instance, wanted: WANTED, rollout, said, health, verdict }
        };
        let standings: Vec<_> = self.reading.iter().map(standing).collect();
        let gone = self.crowd.follow(&self.state, &standings, &wait, |it| self.said.get(&it).cloned());
        let named = gone.iter().map(|it| (it.instance.id.to_string(), it.how)).collect();
        let reached = standings.iter().filter(|it| wait.is_reached_by(it)).count();
        let status = Status { standings, gone, reached, ..Status::default() };
        (named, wait.is_over(&status))
    }
}

fn named(id: &str, how: Leave) -> (String, Leave) {
    (id.to_owned(), how)
}

/// Everybody died of the value, and 0 of 0 were enough.
#[test]
fn who_dies_without_a_word_is_waited_for_by_name() {
    let mut run = Run::of(&["a", "b"]);
    assert_eq!(run.look(), (vec![], false));
    run.say(0, Applied::Yes);
    run.expire(1);
    assert_eq!(run.look(), (vec![named("b", Leave::Expired)], false));
    let again = run.open("b");
    assert_eq!(run.look().0, [named("b", Leave::Expired)], "it has not said that it reads anything");
    run.reading.push(again);
    assert_eq!(run.look(), (vec![], false));
    run.say(1, Applied::Yes);
    assert_eq!(run.look(), (vec![], true));

    let mut run = Run::of(&["a"]);
    run.look();
    run.open("a");
    run.reading.clear();
    assert_eq!(run.look(), (vec![named("a", Leave::Replaced)], false), "it starts and dies, again and again");
}

#[test]
fn who_closes_in_order_is_told_and_not_waited_for_unless_nobody_is_left() {
    let mut run = Run::of(&["a", "b"]);
    run.look();
    run.close(1);
    assert_eq!(run.look(), (vec![named("b", Leave::Closed)], false));
    run.say(0, Applied::Yes);
    assert_eq!(run.look(), (vec![named("b", Leave::Closed)], true));
    let mut run = Run::of(&["a"]);
    run.look();
    run.close(0);
    assert_eq!(run.look(), (vec![named("a", Leave::Closed)], false));
    assert_eq!(Run::of(&[]).look(), (vec![], true), "there never was anybody");
}

/// `config status --wait` was over at once when everybody had ever applied anything.
#[test]
fn what_was_applied_before_is_not_what_is_wanted_now() {
    let wait = |revision| Wait { share_bps: 10_000, revision, until: clock::now() + Duration::from_secs(60) };
    let before = Ack::new(Revision(5), Applied::Yes, "");
    let applied = [Revision(0), Revision(4), Revision(5), Revision(6)].map(|it| wait(it).is_applied(&before));
    assert_eq!(applied, [false, true, true, false]);
}

#[test]
fn who_goes_after_its_word_has_given_it() {
    let mut run = Run::of(&["a", "b", "c"]);
    run.look();
    // Between two looks.
    run.say(2, Applied::Yes);
    run.expire(2);
    run.say(1, Applied::Refused);
    run.close(1);
    assert_eq!(run.look(), (vec![named("b", Leave::Closed)], true), "a refusal ends the wait");
}
