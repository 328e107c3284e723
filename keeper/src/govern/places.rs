//! A bound on streams that are open at once, whose places are not kept for readers who are away.
//!
//! A stream whose reader takes nothing is never polled, so that nothing it holds could end it; nor does it cost any
//! work. What it holds is its place. So whoever comes next and finds none takes that of the reader who has been idle
//! for longest, once that is long enough. The stream finds out when its reader is back, and ends with a token to go on
//! from. As long as there is room, nobody is disturbed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;

use crate::clock;
use crate::govern::Drain;
use crate::problem::Problem;

/// Admits up to a number of streams.
#[derive(Debug)]
pub struct Places {
    what: &'static str,
    places_max: usize,
    idle_max: Duration,
    refused: Counter,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    last: u64,
    /// Since when the reader of each has taken nothing; none: it waits for more.
    idle_since: BTreeMap<u64, Option<Instant>>,
    drain: Drain,
}

/// Where a stream is; free when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Place {
    places: Arc<Places>,
    number: u64,
}

impl Places {
    /// All free. `what` is counted, as in "the lane of scans".
    #[must_use]
    pub fn new(what: &'static str, places_max: usize, idle_max: Duration, refused: Counter) -> Arc<Self> {
        Arc::new(Self { what, places_max, idle_max, refused, held: Mutex::default() })
    }

    /// A place for a stream whose reader waits for it.
    ///
    /// # Errors
    /// [`Problem::Full`]: every place is taken, and its reader is there.
    pub fn enter(self: &Arc<Self>) -> Result<Place, Problem> {
        let now = clock::now();
        let mut held = self.held.lock();
        let taken = held.idle_since.len();
        if taken >= self.places_max && !held.free_idle(self.idle_max, now) {
            self.refused.inc();
            let retry_after_ms = held.drain.retry_after_ms(taken, now);
            return Err(Problem::Full { what: self.what, limit: self.places_max as u64, retry_after_ms });
        }
        held.last += 1;
        let number = held.last;
        held.idle_since.insert(number, None);
        Ok(Place { places: Arc::clone(self), number })
    }
}

impl Held {
    /// Frees the place whose reader has been idle for longest, if that is long enough.
    fn free_idle(&mut self, idle_max: Duration, now: Instant) -> bool {
        let idle = self.idle_since.iter().filter_map(|(number, since)| Some(((*since)?, *number)));
        match idle.min() {
            Some((since, number)) if since + idle_max <= now => {
                self.free(number, now);
                true
            }
            Some(_) | None => false,
        }
    }

    fn free(&mut self, number: u64, now: Instant) {
        if self.idle_since.remove(&number).is_some() {
            self.drain.release(1, now);
        }
    }
}

impl Place {
    /// Its reader is there, and waits for more.
    ///
    /// # Errors
    /// [`Problem::Idle`]: it was away for so long that another one has the place.
    pub fn wake(&self) -> Result<(), Problem> {
        self.set(None)
    }

    /// Its reader has something to take; idle from here on until it wants more.
    ///
    /// # Errors
    /// As [`wake`](Self::wake).
    pub fn rest(&self) -> Result<(), Problem> {
        self.set(Some(clock::now()))
    }

    fn set(&self, idle_since: Option<Instant>) -> Result<(), Problem> {
        let mut held = self.places.held.lock();
        let idle = self.places.idle_max;
        let mine = held.idle_since.get_mut(&self.number).ok_or(Problem::Idle { idle })?;
        *mine = idle_since;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.held.lock().free(self.number, clock::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(10);

    fn places(places_max: usize) -> (Arc<Places>, Counter) {
        let refused = Counter::default();
        (Places::new("the lane of tests", places_max, IDLE, refused.clone()), refused)
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_when_its_stream_has_ended() {
        let (places, refused) = places(1);
        let first = places.enter().expect("there is room");
        let full = places.enter().expect_err("it is full");
        assert!(matches!(full, Problem::Full { what: "the lane of tests", limit: 1, .. }), "{full:?}");
        assert_eq!(refused.get(), 1);
        drop(first);
        drop(places.enter().expect("room was made"));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_takes_the_place_of_the_longest_idle_reader_and_of_nobody_who_waits() {
        let (places, _) = places(3);
        let [waiting, idle, longer] = [(); 3].map(|()| places.enter().expect("there is room"));
        longer.rest().expect("a place");
        tokio::time::advance(Duration::from_secs(1)).await;
        idle.rest().expect("a place");
        tokio::time::advance(IDLE - Duration::from_millis(1_001)).await;
        assert!(places.enter().is_err(), "nobody has been idle for long enough");
        tokio::time::advance(Duration::from_millis(1)).await;
        let new = places.enter().expect("one has");
        assert!(places.enter().is_err(), "the other one not yet");
        assert_eq!(longer.wake(), Err(Problem::Idle { idle: IDLE }));
        assert_eq!([waiting.wake(), idle.wake(), new.wake()], [Ok(()), Ok(()), Ok(())]);
        // Back in time, and so nobody can take it.
        tokio::time::advance(IDLE * 2).await;
        assert!(places.enter().is_err(), "all of them wait");
        // A place that was taken is not freed a second time.
        drop(longer);
        assert!(places.enter().is_err(), "all of them are still there");
        drop((waiting, idle));
        drop(new);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_reader_is_left_alone_while_there_is_room() {
        let (places, _) = places(2);
        let idle = places.enter().expect("there is room");
        idle.rest().expect("a place");
        tokio::time::advance(IDLE * 100).await;
        let _other = places.enter().expect("there is room");
        assert_eq!(idle.wake(), Ok(()));
    }
}
