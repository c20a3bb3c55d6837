//! `fetch`: asks one peer for a list of blocks and says what came.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use beetswap::{Event, QueryId};
use cid::Cid;
use futures::StreamExt;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::Multiaddr;
use serde_json::json;

use crate::blocks::Store;
use crate::flags::Flags;
use crate::node::{new_swarm, require_loopback, Behaviour, BehaviourEvent};
use crate::{report, Failure};

const VALUED: &[&str] = &["security", "peer", "cids", "batch", "timeout"];

pub struct Settings {
    security: String,
    peer: Multiaddr,
    cids: String,
    batch: usize,
    discard: bool,
    timeout: Duration,
}

impl Settings {
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let flags = Flags::parse(words, VALUED, &["discard"])?;
        let (peer, cids) = (flags.text("peer", ""), flags.text("cids", ""));
        if peer.is_empty() || cids.is_empty() {
            return Err("fetch needs --peer and --cids".into());
        }
        Ok(Self {
            security: flags.text("security", "tls"),
            peer: peer.parse()?,
            cids,
            batch: flags.value("batch", 0)?,
            discard: flags.value("discard", false)?,
            timeout: flags.seconds("timeout", 60.0)?,
        })
    }
}

/// What is still wanted and what came. beetswap computed each block's CID from its bytes and keeps blocks that
/// come twice to itself, so there is no count of duplicates.
#[derive(Default)]
struct Tally {
    asked: HashMap<QueryId, Cid>,
    unasked: Vec<Cid>,
    blocks: usize,
    bytes: usize,
    started: Option<Instant>,
}

pub async fn run(settings: Settings) -> Result<(), Failure> {
    require_loopback(&settings.peer)?;
    let mut tally = Tally { unasked: read_cids(&settings.cids)?, ..Tally::default() };
    let mut swarm = new_swarm(&settings.security, Arc::new(Store::new(settings.discard)))?;
    let outcome = tokio::time::timeout(settings.timeout, exchange(&mut swarm, &settings, &mut tally)).await;
    let missing = tally.asked.len() + tally.unasked.len();
    let error = match outcome {
        Ok(Ok(())) if missing == 0 => None,
        Ok(Ok(())) => Some(format!("{missing} blocks did not come")),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("timed out".to_owned()),
    };
    let seconds = tally.started.map_or(0.0, |started| started.elapsed().as_secs_f64());
    let mut result = json!({"blocks": tally.blocks, "bytes": tally.bytes, "missing": missing, "seconds": seconds});
    if let Some(error) = error {
        result["error"] = error.clone().into();
        report(result);
        return Err(error.into());
    }
    report(result);
    Ok(())
}

async fn exchange(swarm: &mut Swarm<Behaviour>, settings: &Settings, tally: &mut Tally) -> Result<(), Failure> {
    let Some(Protocol::P2p(peer)) = settings.peer.iter().last() else {
        return Err("--peer does not end in /p2p/ID".into());
    };
    swarm.dial(settings.peer.clone())?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, .. } if peer_id == peer => {
                tally.started = Some(Instant::now());
                ask(swarm, settings.batch, tally);
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => {
                return Err(format!("cannot connect to {}: {error}", settings.peer).into());
            }
            SwarmEvent::ConnectionClosed { cause, num_established: 0, .. } => {
                return Err(format!("lost the connection to {peer}: {cause:?}").into());
            }
            SwarmEvent::Behaviour(BehaviourEvent::Bitswap(Event::GetQueryResponse { query_id, data })) => {
                if tally.asked.remove(&query_id).is_none() {
                    return Err("an answer to no question".into());
                }
                tally.blocks += 1;
                tally.bytes += data.len();
                if tally.asked.is_empty() {
                    ask(swarm, settings.batch, tally);
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Bitswap(Event::GetQueryError { error, .. })) => {
                return Err(error.into());
            }
            _ => {}
        }
        if tally.started.is_some() && tally.asked.is_empty() {
            return Ok(());
        }
    }
}

fn ask(swarm: &mut Swarm<Behaviour>, batch: usize, tally: &mut Tally) {
    let count = if batch == 0 { tally.unasked.len() } else { batch.min(tally.unasked.len()) };
    for cid in tally.unasked.drain(..count) {
        tally.asked.insert(swarm.behaviour_mut().bitswap.get(&cid), cid);
    }
}

fn read_cids(path: &str) -> Result<Vec<Cid>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| Cid::try_from(line).map_err(|error| format!("{path}: {line}: {error}").into())).collect()
}
