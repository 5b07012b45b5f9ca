//! One request or answer with its two bodies: what the host gives goes out, what comes in is told,
//! and neither is read further than the host takes it.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use iroh::endpoint::{RecvStream, SendStream, VarInt, WriteError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;

use crate::abi;
use crate::connections::Connection;
use crate::endpoint::Shared;
use crate::errors::{Failure, Result, failure};
use crate::events::{Event, lock};

/// While every place is taken, a stream that waits for its other side keeps its own for so long
/// without moving, and a request that is not whole as long as it comes with so many bytes a second.
const CROWDED_STILL: Duration = Duration::from_millis(1000);
const CROWDED_RATE: f64 = 1024.0;

#[derive(PartialEq, Clone, Copy)]
enum Input {
    Reading,
    /// Its end is in the queue.
    Read,
    /// The host knows its end.
    Told,
}

struct State {
    send: Option<SendStream>,
    recv: Option<RecvStream>,
    task: Option<AbortHandle>,
    waker: Option<Waker>,

    output: VecDeque<Bytes>,
    queued: usize,
    /// The host has given all of its body.
    finished: bool,
    /// All of it, and its end, is QUIC's.
    sent: bool,
    /// The other side wants no more of it.
    unwanted: Option<Failure>,
    /// The host waits for room.
    blocked: bool,

    input: Input,
    /// How much more may be told before the host has taken something.
    credit: usize,
    received: u64,
    most: u64,

    ended: Option<Failure>,
    began: Instant,
    moved: Instant,
    patience: Duration,
    /// How much longer the other side may think before it answers.
    hold: Duration,
    /// Until then our host may think.
    held: Option<Instant>,
    /// Somebody waits for the other side's giving up.
    watched: bool,
    /// Of an incoming one: its place among those in work.
    permit: Option<OwnedSemaphorePermit>,
}

pub struct Stream {
    pub id: u64,
    pub connection: Arc<Connection>,
    shared: Arc<Shared>,
    incoming: bool,
    /// It is among those that the next flush begins.
    noted: AtomicBool,
    state: Mutex<State>,
}

/// What a request brings beside its body.
pub struct Wish {
    pub most: u64,
    pub patience: Duration,
    pub hold: Duration,
}

fn reason(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap_or(VarInt::MAX)
}

/// What the other side is told when it is over for such a reason.
fn reset_of(failure: &Failure) -> u64 {
    match failure.code {
        abi::TIMEOUT => abi::RESET_SLOW,
        abi::TOO_LARGE => abi::RESET_LARGE,
        abi::PANIC => abi::RESET_FAULT,
        _ => abi::RESET_GONE,
    }
}

impl State {
    fn new(window: usize, most: u64, patience: Duration) -> Self {
        State {
            send: None,
            recv: None,
            task: None,
            waker: None,
            output: VecDeque::new(),
            queued: 0,
            finished: false,
            sent: false,
            unwanted: None,
            blocked: false,
            input: Input::Reading,
            credit: window,
            received: 0,
            most,
            ended: None,
            began: Instant::now(),
            moved: Instant::now(),
            patience,
            hold: Duration::ZERO,
            held: None,
            watched: false,
            permit: None,
        }
    }

    /// Dropping a half finishes it, and half a body would pass for a whole one: so first the reset.
    fn quit(&mut self, code: u64) {
        if let Some(mut send) = self.send.take() {
            // It may be closed already, which is as good.
            let _ = send.reset(reason(code));
        }
        if let Some(mut recv) = self.recv.take() {
            let _ = recv.stop(reason(code));
        }
        if let Some(task) = self.task.take() {
            task.abort();
        }
        self.output.clear();
        self.queued = 0;
        self.permit = None;
    }

    fn output_done(&self) -> bool {
        self.finished || self.unwanted.is_some()
    }

    fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.output.push_back(Bytes::copy_from_slice(bytes));
            self.queued += bytes.len();
        }
        self.moved = Instant::now();
    }

    /// Whether the other side gave up a body that nobody reads just now.
    fn given_up(&mut self) -> Option<Failure> {
        let recv =
            self.recv.as_mut().filter(|_| self.input == Input::Reading && self.credit == 0)?;
        let mut context = Context::from_waker(Waker::noop());
        match pin!(recv.received_reset()).poll(&mut context) {
            Poll::Ready(Ok(Some(code))) => Some(Failure::reset(code.into_inner())),
            _ => None,
        }
    }

    /// Whether the other side takes longer than it may while others wait for a place.
    fn dawdles(&self, now: Instant) -> bool {
        let reads = self.input == Input::Reading && self.credit > 0;
        let age = now.saturating_duration_since(self.began);
        let is_still = now.saturating_duration_since(self.moved) >= CROWDED_STILL;
        let is_slow =
            age >= CROWDED_STILL && (self.received as f64) < age.as_secs_f64() * CROWDED_RATE;
        reads && is_slow || (reads || !self.output.is_empty()) && is_still
    }

    /// Writes until QUIC takes no more.
    fn move_output(&mut self, cx: &mut Context<'_>) -> std::result::Result<(), WriteError> {
        let Some(send) = self.send.as_mut() else {
            return Ok(());
        };
        while !self.output.is_empty() {
            // The buffers themselves become QUIC's: they are copied once, in the host's call.
            let mut rest = self.output.make_contiguous();
            let count = rest.len();
            let Poll::Ready(written) = pin!(send.write_many_chunks(&mut rest)).poll(cx) else {
                return Ok(());
            };
            let gone = count - rest.len();
            self.queued -= written?;
            self.output.drain(..gone);
            self.moved = Instant::now();
        }
        if self.finished && !self.sent {
            self.sent = true;
            // Closed already: the other side has stopped it, which reading will tell.
            let _ = send.finish();
        }
        Ok(())
    }

    /// One piece, of what is there without waiting. None: nothing is.
    fn read_piece(&mut self, cx: &mut Context<'_>) -> Result<Option<(Bytes, bool)>> {
        let Some(recv) = self.recv.as_mut() else {
            return Ok(None);
        };
        let limit = self.credit.min(abi::PIECE);
        let mut first = Bytes::new();
        let mut more = Vec::new();
        loop {
            let have = if more.is_empty() { first.len() } else { more.len() };
            if have >= limit {
                return Ok(Some((if more.is_empty() { first } else { more.into() }, false)));
            }
            let chunk = match pin!(recv.read_chunk(limit - have)).poll(cx) {
                Poll::Pending if have == 0 => return Ok(None),
                Poll::Pending => None,
                Poll::Ready(Ok(Some(chunk))) => Some(chunk),
                Poll::Ready(Ok(None)) => {
                    return Ok(Some((if more.is_empty() { first } else { more.into() }, true)));
                }
                // What came before the reset is of no use without the rest.
                Poll::Ready(Err(error)) => return Err(Failure::of_read(&error)),
            };
            match chunk {
                None => {
                    return Ok(Some((if more.is_empty() { first } else { more.into() }, false)));
                }
                Some(chunk) if have == 0 => first = chunk,
                Some(chunk) => {
                    if more.is_empty() {
                        more.reserve(abi::PIECE.min(limit));
                        more.extend_from_slice(&first);
                    }
                    more.extend_from_slice(&chunk);
                }
            }
        }
    }
}

impl Stream {
    fn new(
        id: u64,
        shared: &Arc<Shared>,
        connection: &Arc<Connection>,
        incoming: bool,
        state: State,
    ) -> Arc<Self> {
        Arc::new(Stream {
            id,
            connection: connection.clone(),
            shared: shared.clone(),
            incoming,
            noted: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    /// One of ours. It is opened with the next flush.
    pub fn request(
        id: u64,
        shared: &Arc<Shared>,
        connection: &Arc<Connection>,
        wish: Wish,
        body: &[u8],
        finish: bool,
    ) -> Arc<Self> {
        let mut state = State::new(shared.limits.window, wish.most, wish.patience);
        state.push(body);
        state.finished = finish;
        state.hold = wish.hold;
        Self::new(id, shared, connection, false, state)
    }

    /// One that the other side has opened.
    pub fn incoming(
        id: u64,
        shared: &Arc<Shared>,
        connection: &Arc<Connection>,
        halves: (SendStream, RecvStream),
        permit: OwnedSemaphorePermit,
    ) -> Arc<Self> {
        let mut state = State::new(shared.limits.window, u64::MAX, shared.limits.stream);
        (state.send, state.recv) = (Some(halves.0), Some(halves.1));
        state.permit = Some(permit);
        Self::new(id, shared, connection, true, state)
    }

    /// The next flush begins something with it.
    pub fn note(self: &Arc<Self>) {
        if !self.noted.swap(true, Ordering::AcqRel) {
            lock(&self.shared.noted).push(self.clone());
        }
    }

    /// Begins what was noted. On the runtime's thread.
    pub fn go(self: &Arc<Self>) {
        self.noted.store(false, Ordering::Release);
        let mut state = lock(&self.state);
        match (&state.task, &state.waker) {
            _ if state.ended.is_some() => {}
            (None, _) => {
                let stream = self.clone();
                state.task = Some(self.shared.spawn(async move { stream.run().await }));
            }
            (_, Some(waker)) => waker.wake_by_ref(),
            _ => {}
        }
    }

    async fn run(self: Arc<Self>) {
        if !self.incoming {
            match self.connection.quic.open_bi().await {
                Ok(halves) => {
                    let mut state = lock(&self.state);
                    (state.send, state.recv) = (Some(halves.0), Some(halves.1));
                    state.moved = Instant::now();
                }
                Err(error) => return self.fail(Failure::of_connection(&error)),
            }
        }
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.ended.is_some() {
            return Poll::Ready(());
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        let moved = self.move_output(&mut state, cx).and_then(|()| self.move_input(&mut state, cx));
        if let Err(failure) = moved {
            self.end(&mut state, failure);
            return Poll::Ready(());
        }
        if state.input == Input::Reading || !(state.sent || state.unwanted.is_some()) {
            return Poll::Pending;
        }
        (state.send, state.recv, state.permit) = (None, None, None);
        Poll::Ready(())
    }

    fn move_output(&self, state: &mut State, cx: &mut Context<'_>) -> Result<()> {
        match state.move_output(cx) {
            Ok(()) => {}
            // It may have answered early: the answer still counts.
            Err(WriteError::Stopped(code)) if !self.incoming => {
                state.unwanted = Some(Failure::reset(code.into_inner()));
                state.output.clear();
                state.queued = 0;
            }
            Err(error) => return Err(Failure::of_write(&error)),
        }
        if state.blocked && state.queued <= self.shared.limits.window / 2 {
            state.blocked = false;
            self.tell(Event::new(abi::EVENT_WRITABLE));
        }
        Ok(())
    }

    fn move_input(&self, state: &mut State, cx: &mut Context<'_>) -> Result<()> {
        while state.input == Input::Reading && state.credit > 0 {
            if self.shared.events.is_full(cx.waker()) {
                return Ok(());
            }
            let first = state.received == 0;
            let Some((bytes, fin)) = state.read_piece(cx)? else {
                return Ok(());
            };
            state.received += bytes.len() as u64;
            state.credit -= bytes.len();
            state.moved = Instant::now();
            if state.received > state.most {
                let text = format!("the answer has more than {} bytes", state.most);
                return Err(failure(abi::TOO_LARGE, text));
            }
            if fin {
                state.input = Input::Read;
                state.held = None;
            }
            let is_request = self.incoming && first;
            let kind = if is_request { abi::EVENT_REQUEST } else { abi::EVENT_DATA };
            let flags = if fin { abi::FLAG_FIN } else { 0 };
            self.tell(Event { bytes, flags, ..Event::new(kind) });
        }
        Ok(())
    }

    fn tell(&self, event: Event) {
        let (stream, connection) = (self.id, self.connection.id);
        self.shared.events.push(Event { stream, connection, ..event });
    }

    fn end(&self, state: &mut State, failure: Failure) {
        if state.ended.is_none() {
            self.tell(Event::new(abi::EVENT_ENDED).failed(&failure));
            state.quit(reset_of(&failure));
            state.ended = Some(failure);
        }
    }

    /// Tells the host that it has ended. The other side hears nothing of it before `let_go`.
    pub fn conclude(&self, failure: &Failure) {
        let mut state = lock(&self.state);
        if state.ended.is_none() {
            self.tell(Event::new(abi::EVENT_ENDED).failed(failure));
            state.ended = Some(failure.clone());
        }
    }

    pub fn let_go(&self, code: u64) {
        lock(&self.state).quit(code);
    }

    pub fn fail(&self, failure: Failure) {
        self.end(&mut lock(&self.state), failure);
    }

    /// The end of the input reaches the host. Whether the stream is over with it.
    pub fn told_end(&self) -> bool {
        let mut state = lock(&self.state);
        state.input = Input::Told;
        state.output_done()
    }

    /// How much was taken, and whether the stream is over.
    pub fn write(self: &Arc<Self>, bytes: &[u8], finish: bool) -> Result<(usize, bool)> {
        let mut state = lock(&self.state);
        if let Some(failure) = state.ended.as_ref().or(state.unwanted.as_ref()) {
            return Err(failure.clone());
        }
        if state.finished {
            return Err(failure(abi::STATE, "the body was finished before"));
        }
        let room = self.shared.limits.window.saturating_sub(state.queued);
        let taken = bytes.len().min(room);
        state.push(&bytes[..taken]);
        state.blocked = taken < bytes.len();
        state.finished = finish && !state.blocked;
        self.note();
        Ok((taken, state.finished && state.input == Input::Told))
    }

    pub fn taken(self: &Arc<Self>, length: usize) {
        let mut state = lock(&self.state);
        state.credit = state.credit.saturating_add(length).min(self.shared.limits.window);
        state.moved = Instant::now();
        if state.input == Input::Reading {
            self.note();
        }
    }

    /// The host gives it up; nothing is told.
    pub fn reset(&self, code: u64) {
        let mut state = lock(&self.state);
        if state.ended.is_none() {
            state.quit(code);
            state.ended = Some(failure(abi::CANCELLED, "given up by the host"));
        }
    }

    pub fn hold(&self, until: Instant) {
        lock(&self.state).held = Some(until);
    }

    /// Ends it when it has stood still for too long, and looks whether somebody still waits for
    /// the host's answer. `crowded`: others wait for a place.
    pub fn look(self: &Arc<Self>, now: Instant, crowded: bool) {
        let mut state = lock(&self.state);
        if state.ended.is_some() || state.sent && state.input != Input::Reading {
            return;
        }
        if let Some(failure) = state.given_up() {
            return self.end(&mut state, failure);
        }
        if crowded && self.incoming && state.dawdles(now) {
            let text = "others wait for the place of a stream that is slow";
            return self.end(&mut state, failure(abi::TIMEOUT, text));
        }
        let is_hosts = state.input != Input::Reading && state.output.is_empty() && !state.finished;
        if self.incoming && is_hosts && !state.watched {
            state.watched = true;
            self.watch(&state);
        }
        let is_paused = state.input == Input::Reading && state.credit == 0;
        let host_pauses = is_paused || state.output.is_empty() && !state.output_done();
        let thinks = if self.incoming || state.received > 0 { Duration::ZERO } else { state.hold };
        let since = state.held.unwrap_or(state.moved).max(state.moved + thinks);
        if now.saturating_duration_since(since) < state.patience || host_pauses && !self.incoming {
            return;
        }
        let text = format!("the stream has not moved for {} ms", state.patience.as_millis());
        if is_hosts {
            state.quit(abi::RESET_NO_ANSWER);
        }
        self.end(&mut state, failure(abi::TIMEOUT, text));
    }

    fn watch(self: &Arc<Self>, state: &State) {
        let Some(send) = state.send.as_ref() else {
            return;
        };
        let (stopped, stream) = (send.stopped(), Arc::downgrade(self));
        self.shared.spawn(async move {
            let stopped = stopped.await;
            if let (Ok(Some(code)), Some(stream)) = (stopped, stream.upgrade()) {
                stream.fail(Failure::reset(code.into_inner()));
            }
        });
    }
}
