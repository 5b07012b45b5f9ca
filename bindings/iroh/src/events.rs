//! What is told to the host: a queue that it empties in batches, and one wake for each.

use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard};
use std::task::Waker;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::abi;
use crate::errors::Failure;

/// A lock holds no half-made state here, so a panic of another holder changes nothing.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[derive(Default)]
pub struct Event {
    pub kind: u32,
    pub code: i32,
    pub flags: u32,
    pub operation: u64,
    pub connection: u64,
    pub stream: u64,
    pub peer_code: u64,
    pub peer: [u8; 32],
    pub bytes: Bytes,
}

impl Event {
    pub fn new(kind: u32) -> Self {
        Event { kind, ..Default::default() }
    }

    /// As the host sees it. Valid as long as this event, wherever it is moved.
    pub fn view(&self) -> abi::Event {
        abi::Event {
            kind: self.kind,
            code: self.code,
            flags: self.flags,
            reserved: 0,
            operation: self.operation,
            connection: self.connection,
            stream: self.stream,
            peer_code: self.peer_code,
            peer: self.peer,
            bytes: self.bytes.as_ptr(),
            length: self.bytes.len(),
        }
    }

    pub fn failed(mut self, failure: &Failure) -> Self {
        self.code = failure.code;
        self.peer_code = failure.peer_code;
        self.bytes = Bytes::from(failure.text.clone());
        self
    }
}

/// The host's bell. It is rung from the runtime's thread.
pub struct Bell {
    pub ring: extern "C" fn(*mut c_void),
    pub ud: *mut c_void,
}

// The host promises that its bell may be rung from any thread.
unsafe impl Send for Bell {}
unsafe impl Sync for Bell {}

#[derive(Default)]
struct Waiting {
    events: Vec<Event>,
    /// The host has found nothing and must be woken for the next.
    asleep: bool,
    /// Readers that wait until there is room.
    stalled: Vec<Waker>,
}

pub struct Queue {
    waiting: Mutex<Waiting>,
    limit: usize,
    /// Wakes whoever rings the bell. That is a task, behind those that are ready already: so what
    /// one packet brings to many streams is one batch.
    ready: Notify,
    /// None once the host hears nothing any more.
    bell: Mutex<Option<Bell>>,
}

impl Queue {
    pub fn new(limit: usize, bell: Bell) -> Self {
        let waiting = Waiting { asleep: true, ..Default::default() };
        Queue {
            waiting: Mutex::new(waiting),
            limit,
            ready: Notify::new(),
            bell: Mutex::new(Some(bell)),
        }
    }

    pub fn push(&self, event: Event) {
        let mut waiting = lock(&self.waiting);
        waiting.events.push(event);
        if std::mem::take(&mut waiting.asleep) {
            drop(waiting);
            self.ready.notify_one();
        }
    }

    /// Whether a piece of a body must wait; then `waker` is woken once there is room.
    pub fn is_full(&self, waker: &Waker) -> bool {
        let mut waiting = lock(&self.waiting);
        let full = waiting.events.len() >= self.limit;
        if full {
            waiting.stalled.push(waker.clone());
        }
        full
    }

    /// Takes all there is, in place of `into`, which is empty.
    pub fn take(&self, into: &mut Vec<Event>) {
        let mut waiting = lock(&self.waiting);
        std::mem::swap(&mut waiting.events, into);
        waiting.asleep = into.is_empty();
        let stalled = std::mem::take(&mut waiting.stalled);
        drop(waiting);
        stalled.into_iter().for_each(Waker::wake);
    }

    /// Rings the bell whenever there is something to ring it for.
    pub async fn ring(&self) {
        loop {
            self.ready.notified().await;
            self.ring_now();
        }
    }

    pub fn ring_now(&self) {
        if let Some(bell) = &*lock(&self.bell) {
            (bell.ring)(bell.ud);
        }
    }

    /// Nobody rings behind this call, nor is just ringing.
    pub fn silence(&self) {
        *lock(&self.bell) = None;
    }

    /// For specifications: a panic that leaves the lock poisoned.
    pub fn panic_inside(&self) {
        let _waiting = lock(&self.waiting);
        panic!("asked for, with the lock of the events held");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    extern "C" fn count(ud: *mut c_void) {
        unsafe { &*(ud as *const AtomicUsize) }.fetch_add(1, Ordering::SeqCst);
    }

    #[tokio::test]
    async fn one_bell_for_a_batch() {
        let rung = AtomicUsize::new(0);
        let bell = Bell { ring: count, ud: &rung as *const _ as *mut c_void };
        let queue = std::sync::Arc::new(Queue::new(2, bell));
        let ringing = queue.clone();
        let task = tokio::spawn(async move { ringing.ring().await });
        let mut batch = Vec::new();

        for _ in 0..3 {
            queue.push(Event::new(1));
        }
        tokio::task::yield_now().await;
        assert_eq!(rung.load(Ordering::SeqCst), 1);
        queue.take(&mut batch);
        assert_eq!(batch.len(), 3);
        // The host is awake: it looks again before it sleeps.
        queue.push(Event::new(1));
        tokio::task::yield_now().await;
        assert_eq!(rung.load(Ordering::SeqCst), 1);
        batch.clear();
        queue.take(&mut batch);
        assert_eq!(batch.len(), 1);
        batch.clear();
        queue.take(&mut batch);
        queue.push(Event::new(1));
        tokio::task::yield_now().await;
        assert_eq!(rung.load(Ordering::SeqCst), 2);
        task.abort();
    }

    #[test]
    fn pieces_wait_when_it_is_full() {
        let bell = Bell { ring: count, ud: std::ptr::null_mut() };
        let queue = Queue::new(1, bell);
        let waker = Waker::noop();

        assert!(!queue.is_full(waker));
        queue.push(Event::new(1));
        assert!(queue.is_full(waker));
        let mut batch = Vec::new();
        queue.take(&mut batch);
        assert!(!queue.is_full(waker));
    }
}
