//! The host's options, read once, and what Iroh is told of them.

use std::ffi::{CStr, c_char};
use std::net::SocketAddr;
use std::time::Duration;

use iroh::address_lookup::{DnsAddressLookup, PkarrPublisher, PkarrResolver};
use iroh::endpoint::{
    Builder, IdleTimeout, PortmapperConfig, QuicTransportConfig, RelayMode, VarInt, presets,
};
use iroh::tls::CaTlsConfig;
use iroh::{Endpoint, RelayConfig, RelayMap, SecretKey};
use iroh_mdns_address_lookup::MdnsAddressLookup;
use iroh_relay::RelayQuicConfig;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::abi;
use crate::addresses;
use crate::errors::{Result, bad_argument, chain, failure};
use crate::events::Bell;

/// What the other side may have on the way to us on one connection, in windows of a stream.
const CONNECTION_WINDOWS: u32 = 4;
/// Under this idle time live connections would be taken for dead ones: QUIC's own sign of life
/// comes every five seconds.
const LEAST_IDLE_MS: u32 = 6000;

#[derive(Clone)]
pub struct Limits {
    pub connections: usize,
    pub handshakes: usize,
    pub streams: usize,
    pub streams_per_connection: u32,
    pub events: usize,
    pub window: usize,
    pub handshake: Duration,
    pub idle: Duration,
    pub stream: Duration,
    pub path: Duration,
}

/// No Debug: two of these are secrets.
pub struct Settings {
    pub secret: SecretKey,
    pub limits: Limits,
    alpns: Vec<Vec<u8>>,
    bind: Option<SocketAddr>,
    relays: RelayMode,
    lookup: u32,
    roots: Vec<CertificateDer<'static>>,
}

unsafe fn slice<'a, T>(first: *const T, count: usize, most: usize) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if first.is_null() || count > most {
        return Err(bad_argument(format!("a list or text has a length of 1 to {most}")));
    }
    Ok(unsafe { std::slice::from_raw_parts(first, count) })
}

unsafe fn text<'a>(from: *const c_char) -> Result<Option<&'a str>> {
    if from.is_null() {
        return Ok(None);
    }
    let text = unsafe { CStr::from_ptr(from) }.to_str();
    text.map(Some).map_err(|_| bad_argument("a text in the options is no UTF-8"))
}

/// A copy that is gone when it is dropped.
unsafe fn secret_key(from: *const u8) -> SecretKey {
    if from.is_null() {
        return SecretKey::generate();
    }
    let mut bytes = Zeroizing::new([0; 32]);
    unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), 32) };
    SecretKey::from_bytes(&bytes)
}

unsafe fn alpns(options: &abi::Options) -> Result<Vec<Vec<u8>>> {
    let list = unsafe { slice(options.alpns, options.alpn_count, abi::MAX_ALPNS) }?;
    list.iter()
        .map(|one| match unsafe { slice(one.bytes, one.length, abi::MAX_ALPN) }? {
            [] => Err(bad_argument("a protocol's name is empty")),
            name => Ok(name.to_vec()),
        })
        .collect()
}

unsafe fn relay(from: &abi::Relay) -> Result<RelayConfig> {
    let url = unsafe { text(from.url) }?.ok_or_else(|| bad_argument("a relay has no url"))?;
    let url = addresses::parse_relay(url).map_err(|it| bad_argument(it.text))?;
    let port = u16::try_from(from.quic_port)
        .map_err(|_| bad_argument("a relay's quic_port is 65,535 at most"))?;
    let mut relay = RelayConfig::new(url, (port != 0).then(|| RelayQuicConfig::new(port)));
    let token = unsafe { slice(from.token.bytes, from.token.length, abi::MAX_TOKEN) }?;
    if !token.is_empty() {
        // It becomes part of a header line.
        if !token.iter().all(u8::is_ascii_graphic) {
            return Err(bad_argument("a relay's token has printable ASCII characters only"));
        }
        relay = relay.with_auth_token(String::from_utf8_lossy(token));
    }
    Ok(relay)
}

unsafe fn relays(
    options: &abi::Options,
    roots: &mut Vec<CertificateDer<'static>>,
) -> Result<RelayMode> {
    let list = unsafe { slice(options.relays, options.relay_count, abi::MAX_RELAYS) }?;
    if (options.relay_mode == abi::RELAY_LIST) != !list.is_empty() {
        return Err(bad_argument("relays are given with the mode LIST, and only with it"));
    }
    let mut configs = Vec::new();
    for one in list {
        configs.push(unsafe { relay(one) }?);
        let root = unsafe { slice(one.root.bytes, one.root.length, 1 << 16) }?;
        if !root.is_empty() {
            roots.push(CertificateDer::from(root.to_vec()));
        }
    }
    match options.relay_mode {
        abi::RELAY_DISABLED => Ok(RelayMode::Disabled),
        abi::RELAY_DEFAULT => Ok(RelayMode::Default),
        abi::RELAY_STAGING => Ok(RelayMode::Staging),
        abi::RELAY_LIST => Ok(RelayMode::Custom(RelayMap::from_iter(configs))),
        _ => Err(bad_argument("this relay_mode is not known")),
    }
}

fn limits(options: &abi::Options) -> Result<Limits> {
    let or = |given: u32, usual: u32| if given == 0 { usual } else { given };
    let ms = |given, usual| Duration::from_millis(or(given, usual).into());
    if (1..LEAST_IDLE_MS).contains(&options.idle_ms) {
        return Err(bad_argument(format!("idle_ms is {LEAST_IDLE_MS} at least")));
    }
    if options.stream_window > 64 << 20 {
        return Err(bad_argument("stream_window is 64 MiB at most"));
    }
    Ok(Limits {
        connections: or(options.max_connections, 1024) as usize,
        handshakes: or(options.max_handshakes, 64) as usize,
        // More permits than this would not fit a semaphore.
        streams: or(options.max_streams, 1024).min(1 << 20) as usize,
        streams_per_connection: or(options.max_streams_per_connection, 256),
        events: or(options.max_events, 4096) as usize,
        window: or(options.stream_window, 1 << 20).max(abi::PIECE as u32) as usize,
        handshake: ms(options.handshake_ms, 10_000),
        idle: ms(options.idle_ms, 10_000),
        stream: ms(options.stream_ms, 30_000),
        path: ms(options.path_ms, 4000),
    })
}

/// # Safety
/// `options` is as the header says.
pub unsafe fn read(options: *const abi::Options) -> Result<(Settings, Bell)> {
    let options = unsafe { options.as_ref() }.ok_or_else(|| bad_argument("no options"))?;
    if options.size != size_of::<abi::Options>() {
        return Err(bad_argument("the options have another size"));
    }
    let ring = options.wake.ok_or_else(|| bad_argument("no wake in the options"))?;
    if options.lookup > abi::LOOKUP_MDNS {
        return Err(bad_argument("this lookup is not known"));
    }
    let bind = match unsafe { text(options.bind) }? {
        Some(at) => Some(at.parse().map_err(|_| bad_argument("bind is \"IP:port\""))?),
        None => None,
    };
    let mut roots = Vec::new();
    let settings = Settings {
        secret: unsafe { secret_key(options.secret_key) },
        limits: limits(options)?,
        alpns: unsafe { alpns(options) }?,
        bind,
        relays: unsafe { relays(options, &mut roots) }?,
        lookup: options.lookup,
        roots,
    };
    Ok((settings, Bell { ring, ud: options.ud }))
}

impl Settings {
    fn transport(&self) -> Result<QuicTransportConfig> {
        let limits = &self.limits;
        let idle =
            IdleTimeout::try_from(limits.idle).map_err(|_| bad_argument("idle_ms is too long"))?;
        let window = limits.window as u32;
        // A path is told to be silent after three signs of life that did not come.
        let sign_of_life = (limits.path / 3).min(Duration::from_secs(5));
        Ok(QuicTransportConfig::builder()
            .max_concurrent_bidi_streams(limits.streams_per_connection.into())
            .max_concurrent_uni_streams(0u32.into())
            .stream_receive_window(VarInt::from_u32(window))
            .receive_window(VarInt::from_u32(window.saturating_mul(CONNECTION_WINDOWS)))
            .send_window(u64::from(window) * u64::from(CONNECTION_WINDOWS))
            .datagram_receive_buffer_size(None)
            .max_idle_timeout(Some(idle))
            .default_path_max_idle_timeout(limits.path.min(Duration::from_secs(15)))
            .default_path_keep_alive_interval(sign_of_life)
            .build())
    }

    fn builder(self) -> Result<Builder> {
        let transport = self.transport()?;
        let mut builder = Endpoint::builder(presets::Minimal)
            .secret_key(self.secret)
            .alpns(self.alpns)
            .relay_mode(self.relays)
            .portmapper_config(PortmapperConfig::Disabled)
            .transport_config(transport);
        if !self.roots.is_empty() {
            builder = builder.ca_tls_config(CaTlsConfig::embedded().with_extra_roots(self.roots));
        }
        if let Some(at) = self.bind {
            // Without clearing, a socket for every address of the other family stays open.
            builder = builder
                .clear_ip_transports()
                .bind_addr(at)
                .map_err(|error| failure(abi::BIND, chain(&error)))?;
        }
        Ok(match self.lookup {
            abi::LOOKUP_N0 => builder
                .address_lookup(PkarrPublisher::n0_dns())
                .address_lookup(PkarrResolver::n0_dns())
                .address_lookup(DnsAddressLookup::n0_dns()),
            abi::LOOKUP_NONE => builder,
            _ => builder.address_lookup(MdnsAddressLookup::builder()),
        })
    }

    pub async fn bind(self) -> Result<Endpoint> {
        let bound = self.builder()?.bind().await;
        bound.map_err(|error| failure(abi::BIND, chain(&error)))
    }
}
