//! Hears what changes, as the reader the hub is at the moment.

use std::sync::Arc;

use keeper_proto::v1::{FollowRequest, Followed, GetConfigRequest, get_config_request};
use tokio::{
    sync::watch,
    time::{self, Duration, Instant, MissedTickBehavior},
};
use tonic::transport::Channel;

use super::{Hub, Trouble, announce::Announced};
use crate::{
    Error, Lost, Reader,
    config::{configs, follow::client, watch::Cursor},
    connection::{Aim, Backoff, Follow, Opening, Resumed},
    instance::{LeaseId, Life, wait_lost},
    limits,
};

/// What the stream is asked.
#[derive(Debug)]
struct Asked {
    paths: Vec<String>,
    whose: Whose,
    cursor: Cursor,
    at_least: u64,
    /// When a node last showed that it is up to date; none: none has since this is asked.
    heard_at: Option<Instant>,
    asked_at: Instant,
    /// It is asked before it was announced.
    is_premature: bool,
    /// How long an answer may take.
    patience: Duration,
    trouble: Arc<watch::Sender<Option<Trouble>>>,
}

/// For whom it is asked.
#[derive(Debug, Clone, PartialEq)]
enum Whose {
    /// An open incarnation's.
    Life(LeaseId),
    /// Of somebody like this.
    Reader(Reader),
    /// Nobody's: the values stay as they are.
    Nobody,
}

/// How the loop stands.
#[derive(Debug, Default)]
struct Course {
    joins: u64,
    /// An incarnation that is over, whatever its lease says.
    over: Option<LeaseId>,
    /// Until when the next one is waited for.
    wait_until: Option<Instant>,
    /// Until when an announcement is waited for.
    ready_by: Option<Instant>,
    /// Everything up to there has been told.
    known: Cursor,
}

impl Hub {
    pub(super) async fn follow(&self) {
        let mut lives = self.life.subscribe();
        let mut announced = self.announced.subscribe();
        let mut stream = Resumed::new(self.nodes.clone(), self.asked_nothing());
        let mut backoff = Backoff::new(self.nodes.random.clone());
        let mut course = Course::default();
        let mut refresh = time::interval(limits::KEPT_REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            lives.borrow_and_update();
            let life = self.open_life(course.over);
            if self.steer(&mut course, life.as_ref(), &mut stream.followed) {
                self.catch_up(&mut stream.followed).await;
                stream.reopen();
            }
            let is_asking = stream.followed.whose != Whose::Nobody && !stream.followed.paths.is_empty();
            let frame = tokio::select! {
                biased;
                () = self.joined.notified() => continue,
                _ = lives.changed() => continue,
                reason = lost(life.as_ref()), if life.is_some() => {
                    self.life_over(&mut course, life.map(|life| life.id), reason);
                    continue;
                }
                _ = announced.changed() => continue,
                () = waited(course.ready_by), if course.ready_by.is_some() => continue,
                () = waited(course.wait_until), if course.wait_until.is_some() => {
                    course.wait_until = None;
                    continue;
                }
                _ = refresh.tick() => {
                    self.confirm(&stream.followed);
                    continue;
                }
                frame = stream.frame(), if is_asking => frame,
            };
            match frame {
                Ok(frame) => {
                    backoff.reset();
                    self.hear(frame, &mut stream.followed);
                    course.known = stream.followed.cursor;
                }
                Err(error) => {
                    if is_over(&error)
                        && let Whose::Life(id) = stream.followed.whose
                    {
                        let is_foreign = error.reason() == "foreign-state";
                        let reason = if is_foreign { Lost::Rebuilt } else { Lost::Ended };
                        self.life_over(&mut course, Some(id), reason);
                        continue;
                    }
                    tracing::warn!(%error, "documents cannot be followed");
                    self.trouble.send_replace(Some(Trouble::Refusal(error)));
                    time::sleep(backoff.next(None)).await;
                }
            }
        }
    }

    fn asked_nothing(&self) -> Asked {
        Asked {
            paths: Vec::new(),
            whose: Whose::Nobody,
            cursor: Cursor::default(),
            at_least: 0,
            heard_at: None,
            asked_at: Instant::now(),
            is_premature: false,
            patience: self.nodes.settings.operation_timeout,
            trouble: self.trouble.clone(),
        }
    }

    /// Whether other things are to be asked than before; asks them, then.
    fn steer(&self, course: &mut Course, life: Option<&Life>, asked: &mut Asked) -> bool {
        let whose = match life {
            Some(life) => {
                course.wait_until = None;
                Whose::Life(life.id)
            }
            None if course.wait_until.is_some() => Whose::Nobody,
            None => Whose::Reader(Reader { id: String::new(), ..self.reader.clone() }),
        };
        if let Some(life) = life
            && self.acks.lock().life() != Some(life.id)
        {
            // What it is told from here on is acknowledged in its name.
            self.acks.lock().begin(life.id);
            self.acknowledging.notify_one();
            self.announcing.notify_one();
        }
        let book = self.book.lock();
        let announced = life.and_then(|life| self.announced(life.id, book.announcements));
        let said_at = match announced {
            Some(Announced::Done(_, revision)) => Some(revision),
            Some(Announced::Refused(_)) => None,
            // Nobody in particular has nothing to say.
            None => life.is_none().then_some(0),
        };
        let is_typed = asked.is_premature && said_at.is_some();
        if whose == asked.whose && book.joins == course.joins && !is_typed {
            course.ready_by = None;
            return false;
        }
        if announced.is_none() && said_at.is_none() {
            let ready_by = *course.ready_by.get_or_insert_with(|| Instant::now() + limits::ANNOUNCE_PATIENCE);
            if Instant::now() < ready_by {
                return false;
            }
        }
        course.ready_by = None;
        course.joins = book.joins;
        asked.paths = book.paths();
        asked.is_premature = said_at.is_none();
        drop(book);
        // From the beginning, but not from before what is known or was said.
        let opened_at = life.map_or(0, |life| life.revision);
        asked.at_least = course.known.revision.max(opened_at).max(said_at.unwrap_or(0));
        asked.cursor = Cursor { revision: 0, state_id: life.map_or(course.known.state_id, |life| life.id.state_id) };
        asked.whose = whose;
        asked.asked_at = Instant::now();
        asked.heard_at = None;
        // What was in the way of others need not be in the way of these.
        self.trouble.send_replace(None);
        true
    }

    /// Asks how far the cluster is, where no entry of the log says so: what was published before is to be seen,
    /// whichever node answers. While nobody can say, documents are followed nevertheless.
    async fn catch_up(&self, asked: &mut Asked) {
        let is_said = matches!(asked.whose, Whose::Life(_)) && !asked.is_premature;
        let Some(path) = asked.paths.first().filter(|_| !is_said) else { return };
        let consistency = get_config_request::Consistency::Linearizable.into();
        let request = GetConfigRequest { path: path.clone(), consistency, ..GetConfigRequest::default() };
        let until = Instant::now() + limits::ANNOUNCE_PATIENCE;
        let mut backoff = Backoff::new(self.nodes.random.clone());
        loop {
            let method = |channel, request| async move { configs::client(channel).get(request).await };
            let patience = until.saturating_duration_since(Instant::now());
            let error = match self.nodes.try_once("config get", &Aim::Any, patience, request.clone(), &method).await {
                Ok(reply) => return asked.at_least = asked.at_least.max(reply.revision),
                Err(failure) => failure.error,
            };
            let pause = backoff.next(None);
            let is_final = !error.is_retryable() || Instant::now() + pause >= until;
            self.trouble.send_replace(Some(Trouble::Silence(error)));
            if is_final {
                return;
            }
            self.nodes.pause(pause).await;
        }
    }

    fn hear(&self, frame: Followed, asked: &mut Asked) {
        asked.cursor = Cursor { revision: frame.cursor, state_id: frame.state_id };
        asked.heard_at = Some(Instant::now());
        let life = match asked.whose {
            Whose::Life(id) => Some(id),
            Whose::Reader(_) | Whose::Nobody => None,
        };
        self.book.lock().hear(frame.documents, frame.reset.then_some(&asked.paths), life);
        self.trouble.send_replace(None);
        self.take_due();
    }

    /// The incarnation has ended: the next one is waited for.
    fn life_over(&self, course: &mut Course, id: Option<LeaseId>, reason: Lost) {
        course.over = id;
        course.wait_until = Some(Instant::now() + limits::LIFE_GRACE);
        if reason == Lost::Rebuilt {
            // Revisions of another history say nothing about the next.
            course.known = Cursor::default();
        }
        self.acks.lock().end();
        self.acknowledged.send_modify(|count| *count += 1);
    }

    /// What is on disk is still what the cluster says.
    fn confirm(&self, asked: &Asked) {
        let is_fresh = asked.heard_at.is_some_and(|at| at.elapsed() < limits::WATCH_SILENCE_MAX);
        if is_fresh {
            let settled = self.book.lock().settled();
            settled.iter().filter_map(|slot| slot.save()).for_each(|save| self.keeping.save(save));
        }
    }
}

/// What a refusal says about the incarnation it was sent for.
pub(super) fn is_over(error: &Error) -> bool {
    matches!(error.reason(), "incarnation-closed" | "foreign-state")
}

async fn lost(life: Option<&Life>) -> Lost {
    match life {
        Some(life) => wait_lost(life.lost.clone()).await,
        None => std::future::pending().await,
    }
}

async fn waited(until: Option<Instant>) {
    match until {
        Some(until) => time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

impl Follow for Asked {
    type Frame = Followed;

    const NAME: &'static str = "config follow";

    fn open(&self, channel: Channel) -> Opening<Followed> {
        let (incarnation, reader) = match &self.whose {
            Whose::Life(id) => (id.incarnation, None),
            Whose::Reader(reader) => (0, Some(reader.to_proto())),
            Whose::Nobody => (0, None),
        };
        let request = FollowRequest {
            paths: self.paths.clone(),
            incarnation,
            reader,
            cursor: self.cursor.revision,
            state_id: self.cursor.state_id,
            at_least_revision: self.at_least,
        };
        Box::pin(async move { client(channel).follow(request).await })
    }

    fn quiet(&mut self, frame: &Followed) -> bool {
        let is_quiet = !frame.reset && frame.documents.is_empty();
        if is_quiet {
            self.cursor = Cursor { revision: frame.cursor, state_id: frame.state_id };
            self.heard_at = Some(Instant::now());
        }
        is_quiet
    }

    fn troubled(&mut self, error: &Error) {
        self.trouble.send_replace(Some(Trouble::Silence(error.clone())));
        let is_anybodys = matches!(self.whose, Whose::Reader(_));
        if is_anybodys && self.heard_at.is_none() && self.asked_at.elapsed() > self.patience {
            // A cluster that was founded anew never gets to where the former one was.
            self.at_least = 0;
        }
    }

    fn is_partial(frame: &Followed) -> bool {
        frame.more
    }

    fn join(whole: &mut Followed, next: Followed) {
        whole.documents.extend(next.documents);
        (whole.cursor, whole.state_id) = (next.cursor, next.state_id);
    }
}
