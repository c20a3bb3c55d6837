//! `serve`: answers until standard input closes or SIGTERM comes.

use std::io::{Read, Write};
use std::sync::Arc;

use blockstore::Blockstore;
use futures::StreamExt;
use libp2p::swarm::SwarmEvent;
use libp2p::Multiaddr;
use serde_json::json;
use tokio::sync::oneshot;

use crate::blocks::{made_block, Store};
use crate::flags::Flags;
use crate::node::{new_swarm, require_loopback};
use crate::{report, Failure};

const VALUED: &[&str] = &["security", "listen", "blocks-count", "blocks-size", "blocks-seed", "cids-out"];

pub struct Settings {
    security: String,
    listen: Multiaddr,
    count: usize,
    size: usize,
    seed: String,
    cids_out: String,
}

impl Settings {
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let flags = Flags::parse(words, VALUED, &[])?;
        let listen = flags.text("listen", "127.0.0.1:0");
        let (host, port) = listen.rsplit_once(':').ok_or("--listen is HOST:PORT")?;
        Ok(Self {
            security: flags.text("security", "tls"),
            listen: format!("/ip4/{host}/tcp/{port}").parse()?,
            count: flags.value("blocks-count", 0)?,
            size: flags.value("blocks-size", 256 * 1024)?,
            seed: flags.text("blocks-seed", "seed"),
            cids_out: flags.text("cids-out", ""),
        })
    }
}

pub async fn run(settings: Settings) -> Result<(), Failure> {
    require_loopback(&settings.listen)?;
    let store = Arc::new(Store::new(false));
    fill(&settings, &store).await?;
    let mut swarm = new_swarm(&settings.security, store.clone())?;
    swarm.listen_on(settings.listen)?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut closed = stdin_closed();
    loop {
        tokio::select! {
            event = swarm.select_next_some() => {
                if let SwarmEvent::NewListenAddr { address, .. } = event {
                    let peer = *swarm.local_peer_id();
                    report(json!({"peer_id": peer.to_string(), "addrs": [format!("{address}/p2p/{peer}")]}));
                }
            }
            _ = terminate.recv() => break,
            _ = &mut closed => break,
        }
    }
    report(json!({
        "blocks_sent": store.blocks_read(), "bytes_sent": store.bytes_read(), "blocks_stored": store.len(),
    }));
    Ok(())
}

async fn fill(settings: &Settings, store: &Store) -> Result<(), Failure> {
    let mut names = String::new();
    for index in 0..settings.count {
        let (cid, data) = made_block(&settings.seed, index, settings.size);
        store.put_keyed(&cid, &data).await?;
        names += &format!("{cid}\n");
    }
    if !settings.cids_out.is_empty() {
        std::fs::File::create(&settings.cids_out)?.write_all(names.as_bytes())?;
    }
    Ok(())
}

/// A thread of its own, because a read of standard input cannot be given up.
fn stdin_closed() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while matches!(std::io::stdin().read(&mut buffer), Ok(count) if count > 0) {}
        let _ = sender.send(());
    });
    receiver
}
