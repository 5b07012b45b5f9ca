//! The calls of the header: pointers become slices here, panics become codes, and nothing else is done.

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::slice;
use std::time::{Duration, Instant};

use crate::abi::{self, Calls, ConnectionInfo, Event, Options, RequestOptions};
use crate::endpoint::Endpoint;
use crate::errors::{Failure, Result, bad_argument, failure, tell};
use crate::events::lock;
use crate::streams::{Stream, Wish};
use crate::{addresses, guard, metrics, settings};

static VERSION: &std::ffi::CStr = c"tidelock-iroh 0.1.0, iroh 1.4";

pub static CALLS: Calls = Calls {
    abi: abi::ABI,
    size: size_of::<Calls>() as u32,
    version: VERSION.as_ptr(),
    open,
    next,
    flush,
    close,
    free,
    id,
    address,
    convert,
    online,
    connect,
    cancel,
    accept,
    connection_close,
    connection_info,
    request,
    write,
    taken,
    reset,
    hold,
    metrics: figures,
    panic,
};

/// The one name that the library exports.
#[unsafe(no_mangle)]
pub extern "C" fn tl_iroh_plugin() -> *const Calls {
    &CALLS
}

/// Runs a call on an endpoint: the code of its failure, or what it gives.
unsafe fn with(at: *mut Endpoint, call: impl FnOnce(&Endpoint) -> Result<isize>) -> isize {
    let Some(endpoint) = (unsafe { at.as_ref() }) else {
        return abi::BAD_ARGUMENT as isize;
    };
    if endpoint.is_forked() {
        return abi::STATE as isize;
    }
    match guard::run(|| call(endpoint)) {
        Ok(Ok(value)) => value,
        Ok(Err(failure)) => failure.code as isize,
        Err(text) => {
            // The endpoint may be broken so that telling of it panics too.
            let _ = guard::run(|| endpoint.shared.broke(text));
            abi::PANIC as isize
        }
    }
}

unsafe fn done(at: *mut Endpoint, call: impl FnOnce(&Endpoint) -> Result<()>) -> c_int {
    unsafe { with(at, |endpoint| call(endpoint).map(|()| 0)) as c_int }
}

unsafe fn bytes<'a>(from: *const u8, length: usize, most: usize) -> Result<&'a [u8]> {
    if length == 0 {
        return Ok(&[]);
    }
    if from.is_null() || length > most {
        return Err(bad_argument(format!("a length of {most} at most, and bytes, are needed")));
    }
    Ok(unsafe { slice::from_raw_parts(from, length) })
}

/// A text and a zero, in the form of the header: its length comes out in any case.
unsafe fn put(text: &str, out: *mut c_char, length: *mut usize) -> Result<()> {
    let Some(room) = (unsafe { length.as_mut() }) else {
        return Err(bad_argument("no length"));
    };
    let had = std::mem::replace(room, text.len() + 1);
    if out.is_null() || had <= text.len() {
        return Err(failure(abi::NO_SPACE, "the buffer is too small"));
    }
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), out.cast(), text.len());
        *out.add(text.len()) = 0;
    }
    *room = text.len();
    Ok(())
}

unsafe fn give(out: *mut u64, id: u64) {
    if let Some(out) = unsafe { out.as_mut() } {
        *out = id;
    }
}

fn unknown() -> Failure {
    failure(abi::UNKNOWN_ID, "there is no such object any more")
}

fn stream_of(endpoint: &Endpoint, id: u64) -> Result<std::sync::Arc<Stream>> {
    lock(&endpoint.shared.streams).get(id).cloned().ok_or_else(unknown)
}

unsafe extern "C" fn open(
    options: *const Options,
    out: *mut *mut Endpoint,
    error: *mut c_char,
    size: usize,
) -> c_int {
    let made = guard::run(|| {
        if out.is_null() {
            return Err(bad_argument("nowhere to put the endpoint"));
        }
        let (settings, bell) = unsafe { settings::read(options) }?;
        Endpoint::open(settings, bell)
    });
    match made {
        Ok(Ok(endpoint)) => {
            unsafe { *out = Box::into_raw(endpoint) };
            abi::OK
        }
        Ok(Err(failure)) => unsafe { tell(&failure, error, size) },
        Err(text) => unsafe { tell(&failure(abi::PANIC, text), error, size) },
    }
}

unsafe extern "C" fn next(at: *mut Endpoint, events: *mut Event, capacity: usize) -> usize {
    let count = unsafe {
        with(at, |endpoint| {
            if events.is_null() || capacity == 0 {
                return Ok(0);
            }
            let room = slice::from_raw_parts_mut(events.cast::<MaybeUninit<Event>>(), capacity);
            Ok(endpoint.next(room) as isize)
        })
    };
    count.max(0) as usize
}

unsafe extern "C" fn flush(at: *mut Endpoint) {
    unsafe {
        done(at, |endpoint| {
            endpoint.shared.flush();
            Ok(())
        })
    };
}

unsafe extern "C" fn close(
    at: *mut Endpoint,
    code: u64,
    reason: *const c_char,
    length: usize,
    ms: u32,
    out: *mut u64,
) -> c_int {
    unsafe {
        done(at, |endpoint| {
            let reason = bytes(reason.cast(), length, abi::MAX_REASON)?;
            let limit = Duration::from_millis(ms.into());
            give(out, endpoint.shared.close(code, reason, limit)?);
            Ok(())
        })
    }
}

unsafe extern "C" fn free(at: *mut Endpoint) {
    if !at.is_null() {
        // What panics on the way is lost with the endpoint; there is nobody left to tell.
        let _ = guard::run(|| unsafe { Box::from_raw(at) }.end());
    }
}

unsafe extern "C" fn id(at: *mut Endpoint, out: *mut u8) -> c_int {
    unsafe {
        done(at, |endpoint| {
            if out.is_null() {
                return Err(bad_argument("nowhere to put the id"));
            }
            let id = endpoint.shared.id;
            std::ptr::copy_nonoverlapping(id.as_bytes().as_ptr(), out, 32);
            Ok(())
        })
    }
}

unsafe extern "C" fn address(
    at: *mut Endpoint,
    form: u32,
    out: *mut c_char,
    length: *mut usize,
) -> c_int {
    unsafe {
        done(at, |endpoint| {
            let address = endpoint.shared.open()?.addr();
            put(&addresses::format(&address, form)?, out, length)
        })
    }
}

unsafe extern "C" fn convert(
    from: *const c_char,
    from_length: usize,
    form: u32,
    out: *mut c_char,
    length: *mut usize,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    guard::quiet();
    let converted = guard::run(|| {
        let address = addresses::parse(unsafe { address_text(from, from_length) }?)?;
        unsafe { put(&addresses::format(&address, form)?, out, length) }
    });
    match converted {
        Ok(Ok(())) => abi::OK,
        Ok(Err(failure)) => unsafe { tell(&failure, error, error_size) },
        Err(text) => unsafe { tell(&failure(abi::PANIC, text), error, error_size) },
    }
}

unsafe fn address_text<'a>(from: *const c_char, length: usize) -> Result<&'a str> {
    let bad = |text: &str| failure(abi::BAD_ADDRESS, text);
    if length > abi::MAX_ADDRESS {
        return Err(bad("the address is too long"));
    }
    let bytes = unsafe { bytes(from.cast(), length, abi::MAX_ADDRESS) }?;
    std::str::from_utf8(bytes).map_err(|_| bad("the address is no UTF-8"))
}

unsafe extern "C" fn online(at: *mut Endpoint, ms: u32, out: *mut u64) -> c_int {
    unsafe {
        done(at, |endpoint| {
            let iroh = endpoint.shared.open()?.clone();
            give(out, endpoint.shared.online(iroh, ms));
            Ok(())
        })
    }
}

unsafe extern "C" fn connect(
    at: *mut Endpoint,
    text: *const c_char,
    text_length: usize,
    alpn: *const u8,
    alpn_length: usize,
    ms: u32,
    out: *mut u64,
) -> c_int {
    unsafe {
        done(at, |endpoint| {
            let iroh = endpoint.shared.open()?.clone();
            let address = addresses::parse(address_text(text, text_length)?)?;
            let alpn = bytes(alpn, alpn_length, abi::MAX_ALPN)?.to_vec();
            if alpn.is_empty() || ms == 0 {
                return Err(bad_argument("a protocol and a time are needed"));
            }
            give(out, endpoint.shared.connect(iroh, address, alpn, ms));
            Ok(())
        })
    }
}

unsafe extern "C" fn cancel(at: *mut Endpoint, operation: u64) -> c_int {
    unsafe {
        done(at, |endpoint| {
            let why = failure(abi::CANCELLED, "cancelled");
            let was = endpoint.shared.end_operation(operation, &why);
            if was { Ok(()) } else { Err(unknown()) }
        })
    }
}

unsafe extern "C" fn accept(at: *mut Endpoint, on: c_int) -> c_int {
    unsafe {
        done(at, |endpoint| {
            endpoint.shared.door.set(on != 0);
            Ok(())
        })
    }
}

unsafe extern "C" fn connection_close(
    at: *mut Endpoint,
    connection: u64,
    code: u64,
    reason: *const c_char,
    length: usize,
) -> c_int {
    unsafe {
        done(at, |endpoint| {
            let reason = bytes(reason.cast(), length, abi::MAX_REASON)?;
            let found = lock(&endpoint.shared.connections).get(connection).cloned();
            found.ok_or_else(unknown)?.close(code, reason);
            Ok(())
        })
    }
}

unsafe extern "C" fn connection_info(
    at: *mut Endpoint,
    connection: u64,
    out: *mut ConnectionInfo,
) -> c_int {
    unsafe {
        done(at, |endpoint| {
            let out = out.as_mut().ok_or_else(|| bad_argument("nowhere to put it"))?;
            if out.size != size_of::<ConnectionInfo>() {
                return Err(bad_argument("the struct has another size"));
            }
            let found = lock(&endpoint.shared.connections).get(connection).cloned();
            found.ok_or_else(unknown)?.info(out);
            Ok(())
        })
    }
}

/// What the options wish, with the endpoint's own patience where they do not say.
unsafe fn wish(endpoint: &Endpoint, options: *const RequestOptions) -> Result<Wish> {
    let options = unsafe { options.as_ref() }.ok_or_else(|| bad_argument("no options"))?;
    if options.size != size_of::<RequestOptions>() {
        return Err(bad_argument("the options have another size"));
    }
    let patience = match options.stream_ms {
        0 => endpoint.shared.limits.stream,
        ms => Duration::from_millis(ms.into()),
    };
    let hold = Duration::from_millis(options.hold_ms.into());
    Ok(Wish { most: options.max_answer, patience, hold })
}

unsafe extern "C" fn request(
    at: *mut Endpoint,
    connection: u64,
    body: *const c_void,
    length: usize,
    finish: c_int,
    options: *const RequestOptions,
    out: *mut u64,
) -> c_int {
    unsafe {
        done(at, |endpoint| {
            let shared = &endpoint.shared;
            shared.open()?;
            let body = bytes(body.cast(), length, shared.limits.window)?;
            let wish = wish(endpoint, options)?;
            let connection = lock(&shared.connections).get(connection).cloned();
            let connection = connection.ok_or_else(unknown)?;
            give(out, shared.request(&connection, wish, body, finish != 0));
            Ok(())
        })
    }
}

unsafe extern "C" fn write(
    at: *mut Endpoint,
    stream: u64,
    from: *const c_void,
    length: usize,
    finish: c_int,
) -> isize {
    unsafe {
        with(at, |endpoint| {
            let body = bytes(from.cast(), length, isize::MAX as usize)?;
            let found = stream_of(endpoint, stream)?;
            let (taken, is_over) = found.write(body, finish != 0)?;
            if is_over {
                lock(&endpoint.shared.streams).remove(stream);
            }
            Ok(taken as isize)
        })
    }
}

unsafe extern "C" fn taken(at: *mut Endpoint, stream: u64, length: usize) -> c_int {
    unsafe {
        done(at, |endpoint| {
            stream_of(endpoint, stream)?.taken(length);
            Ok(())
        })
    }
}

unsafe extern "C" fn reset(at: *mut Endpoint, stream: u64, code: u64) -> c_int {
    unsafe {
        done(at, |endpoint| {
            let found = lock(&endpoint.shared.streams).remove(stream);
            found.ok_or_else(unknown)?.reset(code);
            Ok(())
        })
    }
}

unsafe extern "C" fn hold(at: *mut Endpoint, stream: u64, ms: u32) -> c_int {
    unsafe {
        done(at, |endpoint| {
            stream_of(endpoint, stream)?.hold(Instant::now() + Duration::from_millis(ms.into()));
            Ok(())
        })
    }
}

unsafe extern "C" fn figures(at: *mut Endpoint, out: *mut c_char, length: *mut usize) -> c_int {
    unsafe { done(at, |endpoint| put(&metrics::text(endpoint.shared.open()?)?, out, length)) }
}

unsafe extern "C" fn panic(at: *mut Endpoint, place: u32) -> c_int {
    unsafe {
        done(at, |endpoint| {
            match place {
                0 => panic!("asked for, in a call"),
                1 => endpoint.shared.panic_in_operation(),
                2 => endpoint.shared.panic_in_task(),
                3 => endpoint.shared.events.panic_inside(),
                _ => return Err(bad_argument("no such place")),
            }
            Ok(())
        })
    }
}
