//! The libp2p node: TCP, one secure channel, yamux, identify and Bitswap.

use std::sync::Arc;
use std::time::Duration;

use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{self, NetworkBehaviour, Swarm};
use libp2p::{identify, noise, tcp, tls, yamux, Multiaddr, Transport};

use crate::blocks::{Store, MAX_DIGEST};
use crate::Failure;

const IDLE: Duration = Duration::from_secs(600);

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub identify: identify::Behaviour,
    pub bitswap: beetswap::Behaviour<MAX_DIGEST, Store>,
}

/// A node that offers one secure channel, `tls` or `noise`.
pub fn new_swarm(security: &str, store: Arc<Store>) -> Result<Swarm<Behaviour>, Failure> {
    let keys = Keypair::generate_ed25519();
    let plain = tcp::tokio::Transport::new(tcp::Config::default()).upgrade(Version::V1Lazy);
    let muxer = yamux::Config::default();
    let transport = match security {
        "tls" => plain.authenticate(tls::Config::new(&keys)?).multiplex(muxer).boxed(),
        "noise" => plain.authenticate(noise::Config::new(&keys)?).multiplex(muxer).boxed(),
        other => return Err(format!("unknown security {other:?}").into()),
    };
    let about =
        identify::Config::new("ipfs/0.1.0".to_owned(), keys.public()).with_agent_version("beetswap-peer".to_owned());
    let behaviour = Behaviour { identify: identify::Behaviour::new(about), bitswap: beetswap::Behaviour::new(store) };
    let settings = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
    Ok(Swarm::new(transport, behaviour, keys.public().to_peer_id(), settings))
}

/// Refuses what would leave this machine.
pub fn require_loopback(address: &Multiaddr) -> Result<(), Failure> {
    let local = match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    };
    if local {
        Ok(())
    } else {
        Err(format!("{address} is not a loopback address").into())
    }
}
