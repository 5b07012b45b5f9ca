//! Looks after streams that stand still: one look at all, instead of a timer for each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::endpoint::Shared;

/// How much later than its deadline a stream may end.
const LOOK: Duration = Duration::from_millis(100);

pub async fn run(shared: Arc<Shared>) {
    loop {
        let streams = shared.streams_of(None);
        if streams.is_empty() {
            shared.busy.notified().await;
        }
        let now = Instant::now();
        let crowded = shared.permits.available_permits() == 0;
        for stream in streams {
            stream.look(now, crowded);
        }
        tokio::time::sleep(LOOK).await;
    }
}
