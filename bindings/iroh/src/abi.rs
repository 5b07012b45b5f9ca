//! What `tidelock_iroh.h` says, for Rust. `header_test` holds the two together.
// The names are those of the header, in capitals without their prefix.

use std::ffi::{c_char, c_int, c_void};

use crate::endpoint::Endpoint;

pub const ABI: u32 = 1;
pub const MAX_ADDRESS: usize = 4096;
pub const MAX_DIRECT: usize = 32;
pub const MAX_ALPN: usize = 255;
pub const MAX_ALPNS: usize = 16;
pub const MAX_RELAYS: usize = 16;
pub const MAX_TOKEN: usize = 4096;
pub const MAX_REASON: usize = 256;
pub const PIECE: usize = 65536;

pub const OK: i32 = 0;
pub const BAD_ARGUMENT: i32 = -1;
pub const STATE: i32 = -2;
pub const UNKNOWN_ID: i32 = -3;
pub const NO_SPACE: i32 = -4;
pub const CANCELLED: i32 = -5;
pub const TIMEOUT: i32 = -6;
pub const BAD_ADDRESS: i32 = -7;
pub const NO_ADDRESS: i32 = -8;
pub const OWN_ID: i32 = -9;
pub const ALPN: i32 = -10;
pub const CONNECT: i32 = -11;
pub const LOST: i32 = -12;
pub const CLOSED: i32 = -13;
pub const RESET: i32 = -14;
pub const TOO_LARGE: i32 = -15;
pub const BIND: i32 = -16;
pub const PANIC: i32 = -17;
pub const LIMIT: i32 = -18;
pub const RELAY_REFUSED: i32 = -19;
pub const RELAY_UNREACHABLE: i32 = -20;

pub const RESET_SLOW: u64 = 408;
pub const RESET_LARGE: u64 = 413;
pub const RESET_GONE: u64 = 499;
pub const RESET_FAULT: u64 = 500;
pub const RESET_NO_ANSWER: u64 = 504;

pub const RELAY_DISABLED: u32 = 0;
pub const RELAY_DEFAULT: u32 = 1;
pub const RELAY_STAGING: u32 = 2;
pub const RELAY_LIST: u32 = 3;

pub const LOOKUP_NONE: u32 = 0;
pub const LOOKUP_N0: u32 = 1;
pub const LOOKUP_MDNS: u32 = 2;

pub const EVENT_BOUND: u32 = 1;
pub const EVENT_ONLINE: u32 = 2;
pub const EVENT_CONNECTED: u32 = 3;
pub const EVENT_CLOSED: u32 = 4;
pub const EVENT_ACCEPTED: u32 = 5;
pub const EVENT_DISCONNECTED: u32 = 6;
pub const EVENT_PATH: u32 = 7;
pub const EVENT_REQUEST: u32 = 8;
pub const EVENT_DATA: u32 = 9;
pub const EVENT_WRITABLE: u32 = 10;
pub const EVENT_ENDED: u32 = 11;
pub const EVENT_ADDRESS: u32 = 12;
pub const EVENT_BROKEN: u32 = 13;

pub const FLAG_FIN: u32 = 1;
pub const FLAG_OVER: u32 = 2;
pub const FLAG_DIALLED: u32 = 4;
pub const FLAG_PREFERRED: u32 = 8;
pub const FLAG_RELAYED: u32 = 16;
pub const FLAG_UPGRADED: u32 = 32;
pub const FLAG_FELL_BACK: u32 = 64;

pub const FORM_JSON: u32 = 0;
pub const FORM_TICKET: u32 = 1;
pub const FORM_URI: u32 = 2;
pub const FORM_ID: u32 = 3;

#[repr(C)]
pub struct Bytes {
    pub bytes: *const u8,
    pub length: usize,
}

#[repr(C)]
pub struct Relay {
    pub url: *const c_char,
    pub quic_port: u32,
    pub reserved: u32,
    pub token: Bytes,
    pub root: Bytes,
}

#[repr(C)]
pub struct Options {
    pub size: usize,
    pub secret_key: *const u8,
    pub alpns: *const Bytes,
    pub alpn_count: usize,
    pub bind: *const c_char,
    pub relay_mode: u32,
    pub lookup: u32,
    pub relays: *const Relay,
    pub relay_count: usize,
    pub wake: Option<extern "C" fn(*mut c_void)>,
    pub ud: *mut c_void,
    pub max_connections: u32,
    pub max_handshakes: u32,
    pub max_streams: u32,
    pub max_streams_per_connection: u32,
    pub max_events: u32,
    pub stream_window: u32,
    pub handshake_ms: u32,
    pub idle_ms: u32,
    pub stream_ms: u32,
    pub path_ms: u32,
}

#[repr(C)]
pub struct RequestOptions {
    pub size: usize,
    pub max_answer: u64,
    pub stream_ms: u32,
    pub hold_ms: u32,
}

#[repr(C)]
pub struct Event {
    pub kind: u32,
    pub code: i32,
    pub flags: u32,
    pub reserved: u32,
    pub operation: u64,
    pub connection: u64,
    pub stream: u64,
    pub peer_code: u64,
    pub peer: [u8; 32],
    pub bytes: *const u8,
    pub length: usize,
}

#[repr(C)]
pub struct ConnectionInfo {
    pub size: usize,
    pub relayed: u32,
    pub paths: u32,
    pub round_trip_us: u64,
    pub sent: u64,
    pub received: u64,
    pub lost_packets: u64,
    pub path: [u8; 256],
}

#[repr(C)]
pub struct Calls {
    pub abi: u32,
    pub size: u32,
    pub version: *const c_char,
    pub open: unsafe extern "C" fn(*const Options, *mut *mut Endpoint, *mut c_char, usize) -> c_int,
    pub next: unsafe extern "C" fn(*mut Endpoint, *mut Event, usize) -> usize,
    pub flush: unsafe extern "C" fn(*mut Endpoint),
    pub close:
        unsafe extern "C" fn(*mut Endpoint, u64, *const c_char, usize, u32, *mut u64) -> c_int,
    pub free: unsafe extern "C" fn(*mut Endpoint),
    pub id: unsafe extern "C" fn(*mut Endpoint, *mut u8) -> c_int,
    pub address: unsafe extern "C" fn(*mut Endpoint, u32, *mut c_char, *mut usize) -> c_int,
    pub convert: unsafe extern "C" fn(
        *const c_char,
        usize,
        u32,
        *mut c_char,
        *mut usize,
        *mut c_char,
        usize,
    ) -> c_int,
    pub online: unsafe extern "C" fn(*mut Endpoint, u32, *mut u64) -> c_int,
    pub connect: unsafe extern "C" fn(
        *mut Endpoint,
        *const c_char,
        usize,
        *const u8,
        usize,
        u32,
        *mut u64,
    ) -> c_int,
    pub cancel: unsafe extern "C" fn(*mut Endpoint, u64) -> c_int,
    pub accept: unsafe extern "C" fn(*mut Endpoint, c_int) -> c_int,
    pub connection_close:
        unsafe extern "C" fn(*mut Endpoint, u64, u64, *const c_char, usize) -> c_int,
    pub connection_info: unsafe extern "C" fn(*mut Endpoint, u64, *mut ConnectionInfo) -> c_int,
    pub request: unsafe extern "C" fn(
        *mut Endpoint,
        u64,
        *const c_void,
        usize,
        c_int,
        *const RequestOptions,
        *mut u64,
    ) -> c_int,
    pub write: unsafe extern "C" fn(*mut Endpoint, u64, *const c_void, usize, c_int) -> isize,
    pub taken: unsafe extern "C" fn(*mut Endpoint, u64, usize) -> c_int,
    pub reset: unsafe extern "C" fn(*mut Endpoint, u64, u64) -> c_int,
    pub hold: unsafe extern "C" fn(*mut Endpoint, u64, u32) -> c_int,
    pub metrics: unsafe extern "C" fn(*mut Endpoint, *mut c_char, *mut usize) -> c_int,
    pub panic: unsafe extern "C" fn(*mut Endpoint, u32) -> c_int,
}

// The version is a literal and the rest are functions.
unsafe impl Sync for Calls {}
