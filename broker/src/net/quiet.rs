//! Sockets on which little happens, and who is told when something does.
//!
//! The runtime keeps 256 bytes for the readiness of each socket, in lines of their own, so that two cores do not meet there. A socket
//! that is read a thousand times a second is worth them; most clients of a broker say something once a minute. Those are watched
//! together: the runtime watches one selector, and the selector all of them. Each has a place of 32 bytes, which stands for a timer,
//! too.

use std::io::{self, Read};
use std::mem;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Registry, Token};
use parking_lot::Mutex;
use slab::Slab;
use tokio::io::ReadBuf;
use tokio::io::unix::AsyncFd;
use tokio::task::{AbortHandle, coop};
use tokio::time::MissedTickBehavior;

use super::foreign::watched;
use crate::clock;

/// What is told of at a time.
const EVENTS_MAX: usize = 256;
/// No tick.
const NEVER: u32 = u32::MAX;
/// Who is heard more often than this within a tick is not quiet.
const HEARD_MAX: u8 = 8;
/// An alarm rings up to so much too late.
const TICK: Duration = Duration::from_secs(1);
/// What is read of a quiet socket at a time; where there is as much, there may be more.
const READ_MAX: usize = 4 * 1024;

/// All quiet sockets.
#[derive(Debug)]
pub struct QuietSockets {
    registry: Registry,
    places: Arc<Mutex<Places>>,
    begun_at: Instant,
    tasks: [AbortHandle; 2],
}

#[derive(Debug, Default)]
struct Places {
    all: Slab<Place>,
    /// Ticks from the beginning.
    now: u32,
    /// No alarm is due before.
    earliest: u32,
}

/// What is known of one of them.
#[derive(Debug)]
struct Place {
    /// The task that waits for it.
    waker: Option<Waker>,
    /// The tick at which it is woken in any case.
    alarm: u32,
    has_rung: bool,
    /// There may be something to read.
    is_ready: bool,
    /// Behind all that there is to read is the end. It is told of once, maybe together with what comes before it.
    has_ended: bool,
    /// The tick at which it was last heard, and how often within it.
    heard_at: u32,
    heard: u8,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            waker: None,
            alarm: NEVER,
            has_rung: false,
            is_ready: false,
            has_ended: false,
            heard_at: 0,
            heard: 0,
        }
    }
}

impl Place {
    fn take_readiness(&mut self) -> Option<()> {
        (mem::take(&mut self.is_ready) || self.has_ended).then_some(())
    }

    /// Something has come, maybe the end.
    fn note(&mut self, has_ended: bool) -> Option<Waker> {
        self.is_ready = true;
        self.has_ended |= has_ended;
        self.waker.take()
    }

    /// There was nothing to read: the end, if one was told of, was another socket's, unless it has come since.
    fn note_exhausted(&mut self) {
        self.has_ended &= self.is_ready;
    }
}

impl QuietSockets {
    /// Watches for as long as there is anybody who may have sockets to watch. To be called on the runtime.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn watch() -> io::Result<Arc<Self>> {
        let selector = mio::Poll::new()?;
        let registry = selector.registry().try_clone()?;
        let places = Arc::default();
        let begun_at = clock::now();
        let watching = tokio::spawn(watch(watched(selector)?, Arc::clone(&places)));
        let ticking = tokio::spawn(tick(begun_at, Arc::clone(&places)));
        Ok(Arc::new(Self {
            registry,
            places,
            begun_at,
            tasks: [watching.abort_handle(), ticking.abort_handle()],
        }))
    }

    /// Watches this one, too. It must not block.
    pub(super) fn add(self: &Arc<Self>, socket: TcpStream) -> io::Result<Quiet> {
        let place = self.places.lock().all.insert(Place::default());
        // From here on the place is given back, whatever comes of it.
        let quiet = Quiet {
            socket,
            seat: Seat {
                place,
                among: Arc::clone(self),
            },
        };
        self.registry.register(
            &mut SourceFd(&quiet.socket.as_raw_fd()),
            Token(place),
            Interest::READABLE,
        )?;
        Ok(quiet)
    }

    /// How many are watched.
    #[cfg(test)]
    pub(super) fn watched(&self) -> usize {
        self.places.lock().all.len()
    }
}

impl Drop for QuietSockets {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Wakes whoever waits for a socket on which something has come.
async fn watch(mut selector: AsyncFd<mio::Poll>, places: Arc<Mutex<Places>>) {
    let mut events = Events::with_capacity(EVENTS_MAX);
    let mut woken = Vec::new();
    loop {
        // That fails when the runtime ends.
        let Ok(mut readable) = selector.readable_mut().await else {
            return;
        };
        if let Err(error) = readable.get_inner_mut().poll(&mut events, Some(Duration::ZERO)) {
            tracing::error!("cannot watch sockets: {error}");
            tokio::time::sleep(TICK).await;
            continue;
        }
        if events.iter().count() < EVENTS_MAX {
            readable.clear_ready();
        }
        places.lock().note(&events, &mut woken);
        woken.drain(..).for_each(Waker::wake);
        coop::consume_budget().await;
    }
}

/// Wakes whoever has set an alarm.
async fn tick(begun_at: Instant, places: Arc<Mutex<Places>>) {
    let mut ticks = tokio::time::interval_at((begun_at + TICK).into(), TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let now = ticks.tick().await.into_std();
        let woken = places.lock().ring(ticks_until(begun_at, now));
        woken.into_iter().for_each(Waker::wake);
    }
}

/// Whole ticks.
fn ticks_until(begun_at: Instant, at: Instant) -> u32 {
    let ticks = at.saturating_duration_since(begun_at).as_secs() / TICK.as_secs();
    u32::try_from(ticks).unwrap_or(NEVER)
}

impl Places {
    fn set_alarm(&mut self, place: usize, at: u32) {
        self.earliest = self.earliest.min(at);
        if let Some(place) = self.all.get_mut(place) {
            place.alarm = at;
            place.has_rung = false;
        }
    }

    fn note_heard(&mut self, place: usize, may_be_more: bool) -> bool {
        let Some(place) = self.all.get_mut(place) else {
            return false;
        };
        place.is_ready |= may_be_more;
        if place.heard_at != self.now {
            place.heard_at = self.now;
            place.heard = 0;
        }
        place.heard = place.heard.saturating_add(1);
        place.heard > HEARD_MAX
    }

    /// Something has come.
    fn note(&mut self, events: &Events, woken: &mut Vec<Waker>) {
        for event in events {
            // Where it is gone, another one may be, who then looks in vain.
            if let Some(place) = self.all.get_mut(event.token().0) {
                woken.extend(place.note(event.is_read_closed() || event.is_error()));
            }
        }
    }

    /// It is that late.
    fn ring(&mut self, now: u32) -> Vec<Waker> {
        self.now = now;
        let mut woken = Vec::new();
        if now < self.earliest {
            return woken;
        }
        self.earliest = NEVER;
        for (_, place) in &mut self.all {
            if place.alarm <= now {
                place.alarm = NEVER;
                place.has_rung = true;
                woken.extend(place.waker.take());
            }
            self.earliest = self.earliest.min(place.alarm);
        }
        woken
    }
}

/// A socket that is watched with all others.
#[derive(Debug)]
pub(super) struct Quiet {
    socket: TcpStream,
    seat: Seat,
}

/// The place of a socket, for as long as it is quiet.
#[derive(Debug)]
struct Seat {
    place: usize,
    among: Arc<QuietSockets>,
}

impl Quiet {
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether there may be something to read; if not, the task is woken when there is.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.seat
            .poll(cx, |place| (place.is_ready || place.has_ended).then_some(()))
    }

    /// Reads what there is. True with it if it is heard too often for a quiet socket.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let room = buf.remaining().min(READ_MAX);
        loop {
            // Before it is read: what comes from here on is told of.
            ready!(self.seat.poll(cx, Place::take_readiness));
            match (&self.socket).read(buf.initialize_unfilled_to(room)) {
                Ok(read) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(self.seat.note_heard(read == room)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.seat.note_exhausted(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// There may be something to read that was not told of yet.
    pub(super) fn look_again(&self) {
        if let Some(place) = self.seat.among.places.lock().all.get_mut(self.seat.place) {
            place.is_ready = true;
        }
    }

    /// Sets its alarm; the last one is off.
    pub(super) fn set_alarm(&self, at: Option<Instant>) {
        let Seat { place, among } = &self.seat;
        // Not before that moment.
        let at = at.map_or(NEVER, |at| ticks_until(among.begun_at, at).saturating_add(1));
        among.places.lock().set_alarm(*place, at);
    }

    /// Whether the alarm has rung.
    pub(super) fn poll_alarm(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.seat.poll(cx, |place| place.has_rung.then_some(()))
    }

    /// It is quiet no longer.
    pub(super) fn leave(self) -> io::Result<(TcpStream, Arc<QuietSockets>)> {
        let Self { socket, seat } = self;
        seat.among
            .registry
            .deregister(&mut SourceFd(&socket.as_raw_fd()))?;
        Ok((socket, Arc::clone(&seat.among)))
    }
}

impl Seat {
    /// What is found in the place; the task is woken when it is to look again.
    fn poll<T>(&self, cx: &Context<'_>, find: impl FnOnce(&mut Place) -> Option<T>) -> Poll<T> {
        let mut places = self.among.places.lock();
        let Some(place) = places.all.get_mut(self.place) else {
            return Poll::Pending;
        };
        if let Some(found) = find(place) {
            return Poll::Ready(found);
        }
        let is_known = place
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()));
        let last = (!is_known).then(|| place.waker.replace(cx.waker().clone()));
        // Unlocked: it may be the last that holds a task.
        drop(places);
        drop(last);
        Poll::Pending
    }

    /// There was nothing to read, not even an end.
    fn note_exhausted(&self) {
        if let Some(place) = self.among.places.lock().all.get_mut(self.place) {
            place.note_exhausted();
        }
    }

    /// Something was read; there may be more. True if that is so often.
    fn note_heard(&self, may_be_more: bool) -> bool {
        self.among.places.lock().note_heard(self.place, may_be_more)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let place = self.among.places.lock().all.try_remove(self.place);
        // Unlocked: it may hold the last of its task.
        drop(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There are as many as there are connections.
    #[test]
    fn a_place_is_small() {
        let bytes = size_of::<Place>();
        assert!(bytes <= 32, "{bytes}");
    }

    #[test]
    fn an_end_that_comes_while_nothing_is_found_is_not_forgotten() {
        let mut place = Place::default();
        place.note(true);
        assert!(place.take_readiness().is_some());
        place.note_exhausted();
        assert!(place.take_readiness().is_none(), "it was another socket's");
        place.note(false);
        assert!(place.take_readiness().is_some());
        place.note(true);
        place.note_exhausted();
        assert!(place.take_readiness().is_some(), "what comes before the end");
        assert!(place.take_readiness().is_some(), "the end");
    }
}
