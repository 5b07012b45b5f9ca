//! What takes a while and ends with exactly one event: going online, dialling.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::Connection as Quic;
use iroh::{EndpointAddr, Watcher};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::abi;
use crate::endpoint::Shared;
use crate::errors::{Failure, Result, failure};
use crate::events::{Event, lock};

pub struct Operation {
    kind: u32,
    task: AbortHandle,
}

fn late<T>(ms: u32) -> Result<T> {
    Err(failure(abi::TIMEOUT, format!("nothing came of it within {ms} ms")))
}

impl Shared {
    /// Runs `work`; its event is made only when nobody has cancelled it before.
    fn begin<T: Send + 'static>(
        self: &Arc<Self>,
        kind: u32,
        work: impl Future<Output = Result<T>> + Send + 'static,
        event: impl FnOnce(&Arc<Shared>, T) -> Event + Send + 'static,
    ) -> u64 {
        lock(&self.operations).insert(|id| {
            let shared = self.clone();
            let task = self.spawn(async move {
                let result = work.await;
                if lock(&shared.operations).remove(id).is_none() {
                    return;
                }
                let event = match result {
                    Ok(value) => event(&shared, value),
                    Err(failure) => Event::new(kind).failed(&failure),
                };
                shared.events.push(Event { operation: id, ..event });
            });
            Operation { kind, task }
        })
    }

    /// Ends an operation before its time. Whether there was one.
    pub fn end_operation(&self, id: u64, failure: &Failure) -> bool {
        let Some(operation) = lock(&self.operations).remove(id) else {
            return false;
        };
        operation.task.abort();
        let event = Event { operation: id, ..Event::new(operation.kind) };
        self.events.push(event.failed(failure));
        true
    }

    pub fn online(self: &Arc<Self>, endpoint: iroh::Endpoint, ms: u32) -> u64 {
        let work = async move {
            match timeout(Duration::from_millis(ms.into()), endpoint.online()).await {
                Ok(()) => Ok(()),
                Err(_) => Err(why_offline(&endpoint, ms)),
            }
        };
        self.begin(abi::EVENT_ONLINE, work, |_, ()| Event::new(abi::EVENT_ONLINE))
    }

    pub fn connect(
        self: &Arc<Self>,
        endpoint: iroh::Endpoint,
        address: EndpointAddr,
        alpn: Vec<u8>,
        ms: u32,
    ) -> u64 {
        let shared = self.clone();
        let work = async move {
            let dialling = shared.dial(endpoint, address, alpn);
            match timeout(Duration::from_millis(ms.into()), dialling).await {
                Ok(result) => result,
                Err(_) => late(ms),
            }
        };
        self.begin(abi::EVENT_CONNECTED, work, |shared, quic: Quic| {
            shared.add_connection(quic, abi::EVENT_CONNECTED)
        })
    }

    /// For specifications.
    pub fn panic_in_operation(self: &Arc<Self>) {
        let work = async { panic!("asked for, in an operation") };
        self.begin(abi::EVENT_ONLINE, work, |_, ()| Event::new(abi::EVENT_ONLINE));
    }
}

/// What the relays said. A token is in none of these texts.
fn why_offline(endpoint: &iroh::Endpoint, ms: u32) -> Failure {
    let all = endpoint.home_relay_status().get();
    if let Some(reason) = all.iter().find_map(|relay| relay.auth_denied_reason()) {
        return failure(abi::RELAY_REFUSED, format!("the relay refused the token: {reason}"));
    }
    match all.iter().find_map(|relay| relay.last_error().map(|error| (relay.url(), error))) {
        Some((url, error)) => {
            failure(abi::RELAY_UNREACHABLE, format!("the relay {url} is not reached: {error}"))
        }
        None => failure(abi::RELAY_UNREACHABLE, format!("no relay was reached within {ms} ms")),
    }
}
