//! Iroh's errors as the codes of the header, and a line of text.

use std::error::Error;
use std::ffi::{c_char, c_int};

use iroh::endpoint::{
    ConnectError, ConnectWithOptsError, ConnectingError, ConnectionError, ReadError, WriteError,
};

use crate::abi;

/// What a TLS alert is in QUIC's numbers, with the alert for a protocol that is not offered.
const NO_SUCH_PROTOCOL: u64 = 0x100 + 120;

#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub code: i32,
    pub peer_code: u64,
    pub text: String,
}

pub type Result<T> = std::result::Result<T, Failure>;

pub fn failure(code: i32, text: impl Into<String>) -> Failure {
    Failure { code, peer_code: 0, text: text.into() }
}

pub fn bad_argument(text: impl Into<String>) -> Failure {
    failure(abi::BAD_ARGUMENT, text)
}

/// The chain of causes, joined by ": ", without what only repeats the one before.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let line = next.to_string();
        if !text.ends_with(&line) {
            text = text + ": " + &line;
        }
        cause = next.source();
    }
    text.replace(['\n', '\r'], " ")
}

impl Failure {
    /// Why a connection is gone, or was never there.
    pub fn of_connection(error: &ConnectionError) -> Self {
        let text = chain(error);
        match error {
            ConnectionError::TimedOut => failure(abi::TIMEOUT, text),
            ConnectionError::LocallyClosed => failure(abi::CLOSED, text),
            ConnectionError::ApplicationClosed(close) => {
                Failure { code: abi::CLOSED, peer_code: close.error_code.into_inner(), text }
            }
            ConnectionError::ConnectionClosed(close)
                if u64::from(close.error_code) == NO_SUCH_PROTOCOL =>
            {
                failure(abi::ALPN, "the other side does not offer this protocol")
            }
            ConnectionError::TransportError(error) if u64::from(error.code) == NO_SUCH_PROTOCOL => {
                failure(abi::ALPN, "the other side does not offer this protocol")
            }
            _ => failure(abi::LOST, text),
        }
    }

    pub fn of_connect(error: &ConnectError) -> Self {
        let text = chain(error);
        match error {
            ConnectError::Connect { source, .. } => match source {
                ConnectWithOptsError::SelfConnect { .. } => {
                    failure(abi::OWN_ID, "the address is the endpoint's own")
                }
                ConnectWithOptsError::NoAddress { .. } => failure(abi::NO_ADDRESS, text),
                ConnectWithOptsError::InvalidAlpn { .. } => failure(abi::ALPN, text),
                ConnectWithOptsError::EndpointClosed { .. } => failure(abi::CLOSED, text),
                _ => failure(abi::CONNECT, text),
            },
            ConnectError::Connecting { source, .. } => match source {
                ConnectingError::ConnectionError { source, .. } => Self::of_dialled(source),
                _ => failure(abi::CONNECT, text),
            },
            ConnectError::Connection { source, .. } => Self::of_dialled(source),
            _ => failure(abi::CONNECT, text),
        }
    }

    /// A connection that ends before it was there did not get lost.
    fn of_dialled(error: &ConnectionError) -> Self {
        let mut it = Self::of_connection(error);
        if it.code == abi::LOST || it.code == abi::CLOSED {
            it.code = abi::CONNECT;
        }
        it
    }

    pub fn of_read(error: &ReadError) -> Self {
        match error {
            ReadError::Reset(code) => Self::reset(code.into_inner()),
            ReadError::ConnectionLost(error) => Self::of_connection(error),
            _ => failure(abi::LOST, chain(error)),
        }
    }

    pub fn of_write(error: &WriteError) -> Self {
        match error {
            WriteError::Stopped(code) => Self::reset(code.into_inner()),
            WriteError::ConnectionLost(error) => Self::of_connection(error),
            _ => failure(abi::LOST, chain(error)),
        }
    }

    pub fn reset(peer_code: u64) -> Self {
        let text = format!("the other side gave the stream up with {peer_code}");
        Failure { code: abi::RESET, peer_code, text }
    }
}

/// Writes the text into the caller's buffer, cut where a character ends, and gives the code.
///
/// # Safety
/// `out` is NULL or has `size` bytes.
pub unsafe fn tell(failure: &Failure, out: *mut c_char, size: usize) -> c_int {
    if !out.is_null() && size > 0 {
        let mut length = failure.text.len().min(size - 1);
        while !failure.text.is_char_boundary(length) {
            length -= 1;
        }
        unsafe {
            std::ptr::copy_nonoverlapping(failure.text.as_ptr(), out.cast(), length);
            *out.add(length) = 0;
        }
    }
    failure.code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        let mut room = [1 as c_char; 4];
        let code = unsafe { tell(&failure(abi::LOST, "abé"), room.as_mut_ptr(), room.len()) };
        assert_eq!(code, abi::LOST);
        assert_eq!(room, [b'a' as c_char, b'b' as c_char, 0, 1]);
        assert_eq!(unsafe { tell(&failure(1, "x"), std::ptr::null_mut(), 9) }, 1);
    }

    #[test]
    fn a_chain_is_one_line() {
        let error = std::io::Error::other("one\ntwo");
        assert_eq!(chain(&error), "one two");
    }
}
