//! Made blocks, and the blockstore that they and fetched ones are kept in.

use std::sync::atomic::{AtomicU64, Ordering};

use blockstore::{Blockstore, InMemoryBlockstore, Result};
use cid::{Cid, CidGeneric};
use multihash_codetable::{Code, MultihashDigest};

/// The longest digest that CIDs here can have.
pub const MAX_DIGEST: usize = 64;
const RAW: u64 = 0x55;

/// Block number `index` of `seed`: sha256("seed:index:j") for j = 0, 1, ... cut at `size` bytes.
pub fn made_block(seed: &str, index: usize, size: usize) -> (Cid, Vec<u8>) {
    let mut data = Vec::with_capacity(size + 32);
    let mut part = 0;
    while data.len() < size {
        data.extend_from_slice(Code::Sha2_256.digest(format!("{seed}:{index}:{part}").as_bytes()).digest());
        part += 1;
    }
    data.truncate(size);
    (Cid::new_v1(RAW, Code::Sha2_256.digest(&data)), data)
}

/// Memory that counts what is read from it; one that drops keeps nothing of what it is given.
#[derive(Debug, Default)]
pub struct Store {
    inner: InMemoryBlockstore<MAX_DIGEST>,
    drops: bool,
    blocks_read: AtomicU64,
    bytes_read: AtomicU64,
}

impl Store {
    pub fn new(drops: bool) -> Self {
        Self { drops, ..Self::default() }
    }

    pub fn blocks_read(&self) -> u64 {
        self.blocks_read.load(Ordering::Relaxed)
    }

    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    pub fn len(&self) -> usize {
        self.inner.len()
    }
}

impl Blockstore for Store {
    async fn get<const S: usize>(&self, cid: &CidGeneric<S>) -> Result<Option<Vec<u8>>> {
        let found = self.inner.get(cid).await?;
        if let Some(data) = &found {
            self.blocks_read.fetch_add(1, Ordering::Relaxed);
            self.bytes_read.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        Ok(found)
    }

    async fn put_keyed<const S: usize>(&self, cid: &CidGeneric<S>, data: &[u8]) -> Result<()> {
        if self.drops {
            return Ok(());
        }
        self.inner.put_keyed(cid, data).await
    }

    async fn remove<const S: usize>(&self, cid: &CidGeneric<S>) -> Result<()> {
        self.inner.remove(cid).await
    }

    async fn close(self) -> Result<()> {
        self.inner.close().await
    }
}
