//! One node of eidetica 0.2.0, led by JSON lines: `{"id":1,"verb":"create","with":{…}}` on standard
//! input, `{"id":1,"ok":…}` or `{"id":1,"error":"…"}` on standard output, in order. It ends with its
//! input. Everything runs on one thread: 0.2.0 may lock itself up on several.

mod data;
mod exchange;
mod node;
mod value;

use node::{Failure, Node};
use serde_json::{json, Value as Json};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

/// A command that waits is given up after so many seconds, or as many as its `seconds` say; one that
/// does not even wait ends the process a little later.
const COMMAND_SECONDS: u64 = 40;
const GRACE_SECONDS: u64 = 5;

/// Seconds that are left to the command under way; 0: none is.
static LEFT: AtomicU64 = AtomicU64::new(0);

fn watch() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let left = LEFT.load(Ordering::Relaxed);
        if left == 1 {
            eprintln!("a command stands still: locked up, or too slow");
            std::process::exit(3);
        }
        if left > 1 {
            let _ = LEFT.compare_exchange(left, left - 1, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

async fn answer(node: &mut Node, line: &str) -> Json {
    let command: Json = match serde_json::from_str(line) {
        Ok(command) => command,
        Err(error) => return json!({ "id": null, "error": error.to_string() }),
    };
    let id = command["id"].clone();
    let verb = command["verb"].as_str().unwrap_or("");
    let seconds = command["with"]["seconds"].as_u64().unwrap_or(COMMAND_SECONDS);
    LEFT.store(seconds + GRACE_SECONDS, Ordering::Relaxed);
    let work = node.run(verb, &command["with"]);
    let result = match tokio::time::timeout(Duration::from_secs(seconds), work).await {
        Ok(result) => result,
        Err(_) => Err(Failure::from(format!("no answer within {seconds} s"))),
    };
    LEFT.store(0, Ordering::Relaxed);
    match result {
        Ok(ok) => json!({ "id": id, "ok": ok }),
        Err(error) => json!({ "id": id, "error": error.to_string() }),
    }
}

async fn serve() -> Result<(), Failure> {
    let mut node = Node::open()?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = answer(&mut node, &line).await;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    std::thread::spawn(watch);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(serve());
    // What the engine still has under way is nobody's any more.
    runtime.shutdown_background();
    result
}
