//! An endpoint: its thread, what its tasks share, and its end.

use std::future::Future;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, Once, OnceLock};
use std::time::Duration;

use iroh::{EndpointId, Watcher};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;

use crate::abi;
use crate::connections::{Connection, Door};
use crate::deadlines;
use crate::errors::{Failure, Result, failure};
use crate::events::{Event, Queue, lock};
use crate::guard::{self, Guarded};
use crate::ids::Slots;
use crate::operations::Operation;
use crate::settings::{Limits, Settings};
use crate::streams::Stream;

/// How long free() waits for the thread, and the thread for what blocks in it (name lookups).
const THREAD_ENDS: Duration = Duration::from_millis(1000);
const BLOCKED_ENDS: Duration = Duration::from_millis(500);

const OPENING: u8 = 0;
const OPEN: u8 = 1;
const CLOSING: u8 = 2;
const BROKEN: u8 = 3;

pub struct Shared {
    pub id: EndpointId,
    pub limits: Limits,
    pub events: Queue,
    pub operations: Mutex<Slots<Operation>>,
    pub connections: Mutex<Slots<Arc<Connection>>>,
    pub streams: Mutex<Slots<Arc<Stream>>>,
    /// Streams with which the next flush begins something.
    pub noted: Mutex<Vec<Arc<Stream>>>,
    pub permits: Arc<Semaphore>,
    pub door: Door,
    /// There is a stream, so there are deadlines.
    pub busy: Notify,
    flushed: Notify,
    stop: Notify,
    phase: AtomicU8,
    iroh: OnceLock<iroh::Endpoint>,
    runtime: Handle,
}

/// What the host holds.
pub struct Endpoint {
    pub shared: Arc<Shared>,
    /// What next() goes through, and what the host still looks at.
    batch: Mutex<Batch>,
    ended: Receiver<()>,
    forks: u32,
}

#[derive(Default)]
struct Batch {
    waiting: std::collections::VecDeque<Event>,
    fresh: Vec<Event>,
    handed: Vec<Event>,
}

/// How often this process is a forked one.
fn forks() -> u32 {
    static FORKS: AtomicU32 = AtomicU32::new(0);
    static ONCE: Once = Once::new();
    extern "C" fn forked() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    ONCE.call_once(|| {
        // Without memory for it, a forked child would not be told; nothing else depends on it.
        unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    });
    FORKS.load(Ordering::Relaxed)
}

impl Shared {
    /// Runs a task of ours. One that panics breaks the endpoint.
    pub fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let shared = self.clone();
        let task = self.runtime.spawn(async move {
            if let Err(text) = Guarded::new(work).await {
                shared.broke(text);
            }
        });
        task.abort_handle()
    }

    /// After a panic nothing is sure: everything open ends, and only closing is left.
    pub fn broke(self: &Arc<Self>, text: String) {
        if self.phase.swap(BROKEN, Ordering::AcqRel) == BROKEN {
            return;
        }
        let failure = failure(abi::PANIC, text);
        self.events.push(Event::new(abi::EVENT_BROKEN).failed(&failure));
        self.end_all(&failure, abi::RESET_FAULT, b"");
    }

    /// Ends whatever has a final event. Connections close before their streams are reset: a reset
    /// that arrives first tells the other side that this one stream was given up, and not why.
    fn end_all(&self, failure: &Failure, code: u64, reason: &[u8]) {
        let streams = self.streams_of(None);
        for stream in &streams {
            stream.conclude(failure);
        }
        let operations = lock(&self.operations).ids();
        for id in operations {
            self.end_operation(id, failure);
        }
        let connections: Vec<_> = lock(&self.connections).iter().cloned().collect();
        for connection in connections {
            connection.close(code, reason);
        }
        for stream in streams {
            stream.let_go(code);
        }
    }

    /// Lets go of what nobody will end any more: streams know us, so we would keep each other.
    fn forget(&self) {
        let (mut streams, mut noted) = (Slots::new(), Vec::new());
        std::mem::swap(&mut *lock(&self.streams), &mut streams);
        std::mem::swap(&mut *lock(&self.noted), &mut noted);
    }

    /// Those of one connection, or all. Without the lock, which ending them needs.
    pub fn streams_of(&self, connection: Option<u64>) -> Vec<Arc<Stream>> {
        let streams = lock(&self.streams);
        let wanted = |it: &&Arc<Stream>| connection.is_none_or(|id| it.connection.id == id);
        streams.iter().filter(wanted).cloned().collect()
    }

    /// Iroh's endpoint, while it can be used.
    pub fn open(&self) -> Result<&iroh::Endpoint> {
        let text = match self.phase.load(Ordering::Acquire) {
            OPEN => match self.iroh.get() {
                Some(endpoint) => return Ok(endpoint),
                None => "the endpoint is not bound yet",
            },
            OPENING => "the endpoint is not bound yet",
            CLOSING => "the endpoint is closing",
            _ => "the endpoint is broken",
        };
        Err(failure(abi::STATE, text))
    }

    pub fn flush(&self) {
        if !lock(&self.noted).is_empty() {
            self.flushed.notify_one();
        }
    }

    async fn begin_flushed(self: Arc<Self>) {
        loop {
            self.flushed.notified().await;
            let noted = std::mem::take(&mut *lock(&self.noted));
            for stream in noted {
                stream.go();
            }
        }
    }

    async fn tell_addresses(self: Arc<Self>, endpoint: iroh::Endpoint) {
        let mut watcher = endpoint.watch_addr();
        while watcher.updated().await.is_ok() {
            self.events.push(Event::new(abi::EVENT_ADDRESS));
        }
    }

    async fn run(self: Arc<Self>, settings: Settings) {
        let ringing = self.clone();
        self.spawn(async move { ringing.events.ring().await });
        match settings.bind().await {
            Ok(endpoint) => {
                let _ = self.iroh.set(endpoint.clone());
                self.phase.store(OPEN, Ordering::Release);
                self.spawn(self.clone().begin_flushed());
                self.spawn(deadlines::run(self.clone()));
                self.spawn(self.clone().tell_addresses(endpoint.clone()));
                self.spawn(self.clone().welcome(endpoint));
                self.events.push(Event::new(abi::EVENT_BOUND));
            }
            Err(failure) => self.events.push(Event::new(abi::EVENT_BOUND).failed(&failure)),
        }
        self.stop.notified().await;
    }

    /// Closes, and tells that it is done.
    pub fn close(self: &Arc<Self>, code: u64, reason: &[u8], limit: Duration) -> Result<u64> {
        let Some(endpoint) = self.iroh.get().cloned() else {
            return Err(failure(abi::STATE, "the endpoint is not bound"));
        };
        if self.phase.swap(CLOSING, Ordering::AcqRel) == CLOSING {
            return Err(failure(abi::STATE, "the endpoint is closing already"));
        }
        self.end_all(&failure(abi::CLOSED, "the endpoint is closed"), code, reason);
        // Beside the other operations, which have ended: this one is the last.
        let (shared, id) = (self.clone(), u64::MAX);
        self.spawn(async move {
            let event = match tokio::time::timeout(limit, endpoint.close()).await {
                Ok(()) => Event::new(abi::EVENT_CLOSED),
                Err(_) => {
                    let text = "others were not told in time";
                    Event::new(abi::EVENT_CLOSED).failed(&failure(abi::TIMEOUT, text))
                }
            };
            shared.events.push(Event { operation: id, ..event });
        });
        Ok(id)
    }

    /// For specifications: a task that nobody waits for.
    pub fn panic_in_task(self: &Arc<Self>) {
        self.runtime.spawn(async { panic!("asked for, in a task of its own") });
    }

    /// Whether the host is still to hear of an event, and what of it only this moment knows.
    fn hand_out(&self, event: &mut Event) -> bool {
        match event.kind {
            abi::EVENT_REQUEST | abi::EVENT_DATA => {
                let mut streams = lock(&self.streams);
                let Some(stream) = streams.get(event.stream) else {
                    return false;
                };
                if event.flags & abi::FLAG_FIN != 0 && stream.told_end() {
                    event.flags |= abi::FLAG_OVER;
                    streams.remove(event.stream);
                }
                true
            }
            abi::EVENT_WRITABLE => lock(&self.streams).get(event.stream).is_some(),
            abi::EVENT_ENDED => lock(&self.streams).remove(event.stream).is_some(),
            abi::EVENT_PATH => lock(&self.connections).get(event.connection).is_some(),
            abi::EVENT_DISCONNECTED => lock(&self.connections).remove(event.connection).is_some(),
            _ => true,
        }
    }
}

impl Endpoint {
    pub fn open(settings: Settings, bell: crate::events::Bell) -> Result<Box<Endpoint>> {
        guard::quiet();
        let forks = forks();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failure(abi::LIMIT, format!("no runtime: {error}")))?;
        let shared = Arc::new(Shared {
            id: settings.secret.public(),
            limits: settings.limits.clone(),
            events: Queue::new(settings.limits.events, bell),
            operations: Mutex::new(Slots::new()),
            connections: Mutex::new(Slots::new()),
            streams: Mutex::new(Slots::new()),
            noted: Mutex::default(),
            permits: Arc::new(Semaphore::new(settings.limits.streams)),
            door: Door::new(),
            busy: Notify::new(),
            flushed: Notify::new(),
            stop: Notify::new(),
            phase: AtomicU8::new(OPENING),
            iroh: OnceLock::new(),
            runtime: runtime.handle().clone(),
        });
        let ended = start(runtime, shared.clone(), settings)?;
        Ok(Box::new(Endpoint { shared, batch: Mutex::default(), ended, forks }))
    }

    pub fn is_forked(&self) -> bool {
        self.forks != forks()
    }

    /// Ends the thread. Whoever holds the endpoint in a forked child only forgets it: its thread is
    /// the parent's.
    pub fn end(self: Box<Self>) {
        if self.is_forked() {
            std::mem::forget(self);
            return;
        }
        self.shared.events.silence();
        self.shared.stop.notify_one();
        if self.ended.recv_timeout(THREAD_ENDS) == Err(RecvTimeoutError::Timeout) {
            // Something blocks in it. It rings no bell any more and ends by itself.
        }
    }

    /// Fills `out` and gives how many there are.
    pub fn next(&self, out: &mut [std::mem::MaybeUninit<abi::Event>]) -> usize {
        let mut batch = lock(&self.batch);
        let Batch { waiting, fresh, handed } = &mut *batch;
        handed.clear();
        while handed.len() < out.len() {
            let Some(mut event) = waiting.pop_front() else {
                self.shared.events.take(fresh);
                if fresh.is_empty() {
                    break;
                }
                waiting.extend(fresh.drain(..));
                continue;
            };
            if self.shared.hand_out(&mut event) {
                out[handed.len()].write(event.view());
                handed.push(event);
            }
        }
        handed.len()
    }
}

/// The endpoint's thread, and what tells that it has ended.
fn start(runtime: Runtime, shared: Arc<Shared>, settings: Settings) -> Result<Receiver<()>> {
    let (end, ended) = channel();
    let body = move || {
        let kept = shared.clone();
        let run = runtime.block_on(Guarded::new(shared.run(settings)));
        if let Err(text) = run {
            kept.broke(text);
            kept.events.ring_now();
        }
        runtime.shutdown_timeout(BLOCKED_ENDS);
        kept.forget();
        let _ = end.send(());
    };
    let thread = std::thread::Builder::new().name("tl-iroh".into()).spawn(body);
    thread.map_err(|error| failure(abi::LIMIT, format!("no thread: {error}")))?;
    Ok(ended)
}
