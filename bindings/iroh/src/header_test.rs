//! Holds `tidelock_iroh.h` and `abi.rs` together: a C compiler says what the header means.

use std::collections::BTreeMap;
use std::io::Write;
use std::mem::offset_of;
use std::process::{Command, Stdio};

use crate::abi;

const HEADER: &str = include_str!("../tidelock_iroh.h");
const RUST: &str = include_str!("abi.rs");

/// The names of all numbers in the header, without their prefix.
fn names_of_header() -> Vec<String> {
    let is_number = |line: &&str| line.contains('=') || line.starts_with("#define TL_IROH_");
    let lines = HEADER.lines().map(str::trim_start).filter(is_number);
    lines
        .flat_map(|line| line.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()))
        .filter_map(|word| word.strip_prefix("TL_IROH_"))
        .filter(|name| *name != "SYMBOL")
        .map(String::from)
        .collect()
}

fn numbers_of_rust() -> BTreeMap<String, i64> {
    let constants = RUST.lines().filter_map(|line| line.strip_prefix("pub const "));
    constants
        .map(|line| {
            let (name, rest) = line.split_once(':').unwrap();
            let value = rest.split_once("= ").unwrap().1.trim_end_matches(';');
            (name.to_string(), value.parse().unwrap())
        })
        .collect()
}

/// Compiles and runs a program that prints "name value" lines.
fn ask_c(body: &str) -> BTreeMap<String, i64> {
    let folder =
        std::env::temp_dir().join(format!("tl-iroh-{}-{}", std::process::id(), body.len()));
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("program");
    let source = format!(
        "#include <stdio.h>\n#include <tidelock_iroh.h>\nint main(void)\n{{\n{body}\treturn 0;\n}}\n"
    );
    let mut cc = Command::new("cc")
        .args([
            "-std=c11",
            "-Wall",
            "-Werror",
            "-x",
            "c",
            "-",
            "-I",
            env!("CARGO_MANIFEST_DIR"),
            "-o",
        ])
        .arg(&program)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    cc.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    assert!(cc.wait().unwrap().success());
    let output = Command::new(&program).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, value)| (name.to_string(), value.parse().unwrap()))
        .collect()
}

#[test]
fn every_number_is_the_same() {
    let names = names_of_header();
    let print =
        |name: &String| format!("\tprintf(\"{name} %lld\\n\", (long long)TL_IROH_{name});\n");
    assert_eq!(ask_c(&names.iter().map(print).collect::<String>()), numbers_of_rust());
}

#[test]
fn the_symbol_is_the_function() {
    assert!(HEADER.contains("#define TL_IROH_SYMBOL \"tl_iroh_plugin\""));
}

/// A struct's size, and where each member stands.
macro_rules! layout {
    ($all:ident, $rust:ident, $c:literal, $($member:ident)*) => {
        $all.insert(concat!($c, ".size").to_string(), size_of::<abi::$rust>() as i64);
        $($all.insert(
            concat!($c, "+", stringify!($member)).to_string(),
            offset_of!(abi::$rust, $member) as i64,
        );)*
    };
}

#[test]
fn every_member_stands_at_the_same_place() {
    let mut all = BTreeMap::new();
    layout!(all, Bytes, "tl_iroh_bytes", bytes length);
    layout!(all, Relay, "tl_iroh_relay", url quic_port reserved token root);
    layout!(all, Options, "tl_iroh_options", size secret_key alpns alpn_count bind relay_mode lookup
        relays relay_count wake ud max_connections max_handshakes max_streams
        max_streams_per_connection max_events stream_window handshake_ms idle_ms stream_ms path_ms);
    layout!(all, RequestOptions, "tl_iroh_request_options", size max_answer stream_ms hold_ms);
    layout!(all, Event, "tl_iroh_event", kind code flags reserved operation connection stream
        peer_code peer bytes length);
    layout!(all, ConnectionInfo, "tl_iroh_connection_info", size relayed paths round_trip_us sent
        received lost_packets path);
    layout!(all, Calls, "tl_iroh_calls", abi size version open next flush close free id address
        convert online connect cancel accept connection_close connection_info request write taken
        reset hold metrics panic);
    let mut body =
        String::from("#define AT(T, M) printf(#T \"+\" #M \" %zu\\n\", offsetof(T, M));\n");
    for name in all.keys() {
        body += &match name.split_once('+') {
            Some((name, member)) => format!("\tAT({name}, {member})\n"),
            None => {
                let name = name.trim_end_matches(".size");
                format!("\tprintf(\"{name}.size %zu\\n\", sizeof({name}));\n")
            }
        };
    }
    assert_eq!(ask_c(&body), all);
}
