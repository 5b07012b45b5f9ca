//! The yardstick: what `bench/driver.c` does, over Iroh itself. `pure serve` prints its ticket;
//! `pure request TICKET IN_FLIGHT COUNT` and `pure stream TICKET BYTES` print seconds.
//!
//! A request of 8 bytes asks for so many bytes as answer, any other is echoed.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use iroh::Endpoint;
use iroh::endpoint::{
    Connection, IdleTimeout, PortmapperConfig, QuicTransportConfig, RecvStream, RelayMode,
    SendStream, VarInt, presets,
};
use iroh_tickets::Ticket;
use iroh_tickets::endpoint::EndpointTicket;

type Done = Result<(), Box<dyn Error + Send + Sync>>;

const PROTOCOL: &[u8] = b"bench/1";
const WINDOW: u32 = 1 << 20;

async fn endpoint() -> Result<Endpoint, Box<dyn Error + Send + Sync>> {
    let transport = QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(256u32.into())
        .stream_receive_window(VarInt::from_u32(WINDOW))
        .receive_window(VarInt::from_u32(4 * WINDOW))
        .send_window(4 * u64::from(WINDOW))
        .max_idle_timeout(Some(IdleTimeout::try_from(Duration::from_secs(10))?))
        .build();
    let builder = Endpoint::builder(presets::Minimal)
        .alpns(vec![PROTOCOL.to_vec()])
        .relay_mode(RelayMode::Disabled)
        .portmapper_config(PortmapperConfig::Disabled)
        .transport_config(transport)
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")?;
    Ok(builder.bind().await?)
}

async fn answer(mut send: SendStream, mut recv: RecvStream) -> Done {
    let body = recv.read_to_end(1 << 20).await?;
    if let Ok(count) = body.as_slice().try_into() {
        let (mut left, piece) = (u64::from_be_bytes(count) as usize, vec![7; 65536]);
        while left > 0 {
            let length = left.min(piece.len());
            send.write_all(&piece[..length]).await?;
            left -= length;
        }
    } else {
        send.write_all(&body).await?;
    }
    send.finish()?;
    Ok(())
}

async fn serve() -> Done {
    let endpoint = endpoint().await?;
    println!("{}", EndpointTicket::new(endpoint.addr()).encode_string());
    while let Some(incoming) = endpoint.accept().await {
        let connection = incoming.await?;
        tokio::spawn(async move {
            while let Ok((send, recv)) = connection.accept_bi().await {
                tokio::spawn(answer(send, recv));
            }
        });
    }
    Ok(())
}

async fn ask(connection: Connection, left: Arc<AtomicI64>) -> Done {
    let body = [5; 1024];
    while left.fetch_sub(1, Ordering::Relaxed) > 0 {
        let (mut send, mut recv) = connection.open_bi().await?;
        send.write_all(&body).await?;
        send.finish()?;
        assert_eq!(recv.read_to_end(2048).await?.len(), body.len());
    }
    Ok(())
}

async fn request(connection: &Connection, in_flight: u64, count: i64) -> Done {
    let left = Arc::new(AtomicI64::new(count));
    let asking: Vec<_> =
        (0..in_flight).map(|_| tokio::spawn(ask(connection.clone(), left.clone()))).collect();
    for one in asking {
        one.await??;
    }
    Ok(())
}

async fn stream(connection: &Connection, bytes: u64) -> Done {
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(&bytes.to_be_bytes()).await?;
    send.finish()?;
    let mut received = 0;
    while let Some(chunk) = recv.read_chunk(65536).await? {
        received += chunk.len() as u64;
    }
    assert_eq!(received, bytes);
    Ok(())
}

/// On tasks, as the server: the first task of a runtime is woken in another way.
async fn client(words: Vec<String>) -> Done {
    let endpoint = endpoint().await?;
    let address = EndpointTicket::decode_string(&words[1])?.endpoint_addr().clone();
    let connection = endpoint.connect(address, PROTOCOL).await?;
    let begun = Instant::now();
    match words[0].as_str() {
        "request" => request(&connection, words[2].parse()?, words[3].parse()?).await?,
        _ => stream(&connection, words[2].parse()?).await?,
    }
    println!("{:.6}", begun.elapsed().as_secs_f64());
    connection.close(0u32.into(), b"");
    endpoint.close().await;
    Ok(())
}

fn main() -> Done {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime = match std::env::var("PURE_WORKERS") {
        Ok(workers) => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers.parse()?)
            .enable_all()
            .build()?,
        Err(_) => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
    };
    runtime.block_on(async {
        match words[0].as_str() {
            "serve" => tokio::spawn(serve()).await?,
            _ => tokio::spawn(client(words)).await?,
        }
    })
}
