//! Connections: dialled and taken, their streams, and the way they take.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use futures_core::Stream as _;
use iroh::endpoint::{Connection as Quic, Incoming, RecvStream, SendStream, VarInt};
use iroh::{EndpointAddr, TransportAddr};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::abi;
use crate::endpoint::Shared;
use crate::errors::{Failure, failure};
use crate::events::{Event, lock};
use crate::streams::{Stream, Wish};

/// A place among the connections of others, from the first packet on.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(count: &Arc<AtomicUsize>, most: usize) -> Option<Place> {
        let place = Place(count.clone());
        (count.fetch_add(1, Ordering::AcqRel) < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How many there are of others, and whether more are taken.
pub struct Door {
    open: AtomicBool,
    places: Arc<AtomicUsize>,
    handshakes: Arc<AtomicUsize>,
}

/// Of the places of handshakes so many (one in) are for those who have not shown yet that they hear
/// us. Without, a few packets from nowhere would keep everybody out.
const UNSEEN: usize = 4;

impl Door {
    pub fn new() -> Self {
        Door { open: AtomicBool::new(true), places: Arc::default(), handshakes: Arc::default() }
    }

    /// Whether a newcomer has to come again with what we send it.
    fn asks_back(&self, incoming: &Incoming, most: usize) -> bool {
        self.handshakes.load(Ordering::Acquire) >= most / UNSEEN
            && !incoming.remote_addr_validated()
    }

    pub fn set(&self, open: bool) {
        self.open.store(open, Ordering::Release);
    }
}

pub struct Connection {
    pub id: u64,
    pub quic: Quic,
    dialled: bool,
    /// Set before our own close, so that its end is told as ours.
    gone: Notify,
    _place: Option<Place>,
}

/// Where a connection leads: the chosen path.
fn chosen(quic: &Quic) -> Option<TransportAddr> {
    quic.paths().iter().find(|path| path.is_selected()).map(|path| path.remote_addr().clone())
}

fn path_text(address: &TransportAddr) -> String {
    match address {
        TransportAddr::Ip(at) => at.to_string(),
        TransportAddr::Relay(url) => url.to_string(),
        _ => String::from("another transport"),
    }
}

impl Connection {
    pub fn close(&self, code: u64, reason: &[u8]) {
        self.quic.close(VarInt::from_u64(code).unwrap_or(VarInt::MAX), reason);
        self.gone.notify_one();
    }

    /// The event that tells of it.
    fn event(&self, shared: &Shared, kind: u32) -> Event {
        let (own, peer) = (shared.id, self.quic.remote_id());
        let mut flags = if self.dialled { abi::FLAG_DIALLED } else { 0 };
        if (own.as_bytes() < peer.as_bytes()) == self.dialled {
            flags |= abi::FLAG_PREFERRED;
        }
        let bytes = Bytes::copy_from_slice(self.quic.alpn());
        Event { connection: self.id, flags, peer: *peer.as_bytes(), bytes, ..Event::new(kind) }
    }

    pub fn info(&self, out: &mut abi::ConnectionInfo) {
        let paths = self.quic.paths();
        let stats = self.quic.stats();
        *out = abi::ConnectionInfo {
            size: size_of::<abi::ConnectionInfo>(),
            relayed: 0,
            paths: paths.len() as u32,
            round_trip_us: 0,
            sent: stats.udp_tx.bytes,
            received: stats.udp_rx.bytes,
            lost_packets: stats.lost_packets,
            path: [0; 256],
        };
        if let Some(path) = paths.iter().find(|path| path.is_selected()) {
            out.relayed = path.is_relay().into();
            out.round_trip_us = path.rtt().as_micros() as u64;
            let text = path_text(path.remote_addr());
            let length = text.len().min(out.path.len() - 1);
            out.path[..length].copy_from_slice(&text.as_bytes()[..length]);
        }
    }

    /// Tells of a way that is another one now.
    fn tell_path(&self, shared: &Shared, last: &mut Option<TransportAddr>) {
        let now = chosen(&self.quic);
        if now.is_none() || now == *last {
            return;
        }
        let relayed = now.as_ref().is_some_and(TransportAddr::is_relay);
        let mut flags = if relayed { abi::FLAG_RELAYED } else { 0 };
        match last.as_ref().map(TransportAddr::is_relay) {
            Some(true) if !relayed => flags |= abi::FLAG_UPGRADED,
            Some(false) if relayed => flags |= abi::FLAG_FELL_BACK,
            _ => {}
        }
        let bytes = Bytes::from(now.as_ref().map(path_text).unwrap_or_default());
        shared.events.push(Event {
            connection: self.id,
            flags,
            bytes,
            ..Event::new(abi::EVENT_PATH)
        });
        *last = now;
    }

    /// Takes a stream of the other side, when there is a place for one more in work.
    async fn take(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        halves: (SendStream, RecvStream),
    ) -> bool {
        // Only now: a place taken before there is a stream would make idle connections use them up.
        let permit = tokio::select! {
            permit = shared.permits.clone().acquire_owned() => permit,
            _ = self.quic.closed() => return false,
        };
        let Ok(permit) = permit else {
            return false;
        };
        let mut made = None;
        lock(&shared.streams).insert(|id| {
            let stream = Stream::incoming(id, shared, self, halves, permit);
            made.insert(stream).clone()
        });
        shared.busy.notify_one();
        if let Some(stream) = made {
            stream.go();
        }
        true
    }

    /// Until the connection is gone.
    async fn serve(self: &Arc<Self>, shared: &Arc<Shared>) -> Failure {
        let mut paths = self.quic.paths_stream();
        let mut last = None;
        let mut watching = true;
        loop {
            tokio::select! {
                stream = self.quic.accept_bi() => match stream {
                    Ok(halves) => {
                        if !self.take(shared, halves).await {
                            break;
                        }
                    }
                    Err(error) => return Failure::of_connection(&error),
                },
                change = poll_fn(|cx| std::pin::Pin::new(&mut paths).poll_next(cx)), if watching => {
                    watching = change.is_some();
                    self.tell_path(shared, &mut last);
                }
                _ = self.gone.notified() => break,
            }
        }
        match self.quic.close_reason() {
            Some(error) => Failure::of_connection(&error),
            None => failure(abi::CLOSED, "closed"),
        }
    }

    async fn run(self: Arc<Self>, shared: Arc<Shared>) {
        let failure = self.serve(&shared).await;
        self.quic.close(VarInt::from_u32(0), b"");
        for stream in shared.streams_of(Some(self.id)) {
            stream.fail(failure.clone());
        }
        let event = Event { connection: self.id, ..Event::new(abi::EVENT_DISCONNECTED) };
        shared.events.push(event.failed(&failure));
    }
}

impl Shared {
    /// Opens a stream with the next flush.
    pub fn request(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        wish: Wish,
        body: &[u8],
        finish: bool,
    ) -> u64 {
        let id = lock(&self.streams).insert(|id| {
            let stream = Stream::request(id, self, connection, wish, body, finish);
            stream.note();
            stream
        });
        self.busy.notify_one();
        id
    }

    /// Makes a connection known and gives the event that says so.
    pub fn add_connection(self: &Arc<Self>, quic: Quic, kind: u32) -> Event {
        self.add(quic, kind, None)
    }

    fn add(self: &Arc<Self>, quic: Quic, kind: u32, place: Option<Place>) -> Event {
        let dialled = place.is_none();
        let mut made = None;
        lock(&self.connections).insert(|id| {
            let gone = Notify::new();
            let connection = Connection { id, quic, dialled, gone, _place: place };
            made.insert(Arc::new(connection)).clone()
        });
        let Some(connection) = made else {
            return Event::new(kind);
        };
        let event = connection.event(self, kind);
        self.spawn(connection.run(self.clone()));
        event
    }

    pub async fn dial(
        self: &Arc<Self>,
        endpoint: iroh::Endpoint,
        address: EndpointAddr,
        alpn: Vec<u8>,
    ) -> Result<Quic, Failure> {
        let dialled = endpoint.connect(address, &alpn).await;
        dialled.map_err(|error| Failure::of_connect(&error))
    }

    /// Answers those who dial.
    pub async fn welcome(self: Arc<Self>, endpoint: iroh::Endpoint) {
        while let Some(incoming) = endpoint.accept().await {
            if self.door.asks_back(&incoming, self.limits.handshakes) {
                // One that cannot come again is dropped, and refused by that.
                let _ = incoming.retry();
                continue;
            }
            let places = Place::take(&self.door.places, self.limits.connections);
            let handshake = Place::take(&self.door.handshakes, self.limits.handshakes);
            // Looked at after the arrival: the switch may have been turned while we waited.
            match (self.door.open.load(Ordering::Acquire), places, handshake) {
                (true, Some(place), Some(handshake)) => {
                    self.spawn(self.clone().greet(incoming, place, handshake));
                }
                _ => incoming.refuse(),
            }
        }
    }

    async fn greet(self: Arc<Self>, incoming: Incoming, place: Place, handshake: Place) {
        // Who fails here never was a peer: there is nobody to tell of it.
        let Ok(accepting) = incoming.accept() else {
            return;
        };
        if let Ok(Ok(quic)) = timeout(self.limits.handshake, accepting).await {
            let event = self.add(quic, abi::EVENT_ACCEPTED, Some(place));
            self.events.push(event);
        }
        drop(handshake);
    }
}
