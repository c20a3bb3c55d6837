// A Helia node with the command line of tests/interop/matrix/peers/README.md: `node node.mjs serve|fetch ...`.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { noise } from '@libp2p/noise'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create as multihash } from 'multiformats/hashes/digest'

const SHA2_256 = 0x12

function say (record) {
  process.stdout.write(JSON.stringify(record) + '\n')
}

// Data of block `index` of `seed`: sha256("SEED:INDEX:0"), sha256("SEED:INDEX:1"), ... cut at `size`.
function madeData (seed, index, size) {
  const data = Buffer.alloc(Math.ceil(size / 32) * 32)
  for (let at = 0; at < data.length; at += 32) {
    createHash('sha256').update(`${seed}:${index}:${at / 32}`).digest().copy(data, at)
  }
  return new Uint8Array(data.subarray(0, size))
}

function cidOf (data) {
  return CID.createV1(raw.code, multihash(SHA2_256, createHash('sha256').update(data).digest()))
}

async function startNode (security, listen) {
  const libp2p = {
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [security === 'tls' ? tls() : noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() }
  }
  return withBitswap(withLibp2pLight(createHeliaLight(), libp2p)).start()
}

async function untilStopped () {
  await new Promise((resolve) => {
    process.once('SIGTERM', resolve)
    process.stdin.once('end', resolve)
    process.stdin.resume()
  })
}

async function serve (options) {
  const node = await startNode(options.security, ['/ip4/127.0.0.1/tcp/0'])
  for (let index = 0; index < Number(options['blocks-count']); index++) {
    const data = madeData(options['blocks-seed'], index, Number(options['blocks-size']))
    await node.blockstore.put(cidOf(data), data)
  }
  say({ peer_id: node.libp2p.peerId.toString(), addrs: node.libp2p.getMultiaddrs().map(String) })
  await untilStopped()
  say({})
}

async function bytesOf (source) {
  const value = await source
  if (value instanceof Uint8Array) {
    return value
  }
  const parts = []
  for await (const part of value) {
    parts.push(part)
  }
  return Buffer.concat(parts)
}

// Dials, and waits until it is known what the peer speaks: before that Helia asks nobody.
async function connect (node, address, signal) {
  const identified = new Promise((resolve) => node.libp2p.addEventListener('peer:identify', resolve, { once: true }))
  const late = new Promise((resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  await node.libp2p.dial(address, { signal })
  await Promise.race([identified, late])
}

// Asks for everything at once; Helia merges what is wanted within a few milliseconds into one message.
async function fetchAll (node, cids, signal) {
  const result = { blocks: 0, bytes: 0 }
  await Promise.all(cids.map(async (cid) => {
    try {
      const data = await bytesOf(node.blockstore.get(cid, { signal }))
      if (!cidOf(data).equals(cid)) {
        throw new Error(`${cid} does not fit its data`)
      }
      result.blocks++
      result.bytes += data.byteLength
    } catch (error) {
      result.error ??= `${error.name}: ${error.message}`
    }
  }))
  return result
}

async function fetch (options) {
  const cids = readFileSync(options.cids, 'utf8').split('\n').filter(Boolean).map((text) => CID.parse(text))
  const signal = AbortSignal.timeout(1000 * Number.parseFloat(options.timeout))
  const node = await startNode(options.security, [])
  let started = performance.now()
  let result = { blocks: 0, bytes: 0 }
  try {
    await connect(node, multiaddr(options.peer), signal)
    started = performance.now()
    result = await fetchAll(node, cids, signal)
  } catch (error) {
    result.error = `${error.name}: ${error.message}`
  }
  const seconds = (performance.now() - started) / 1000
  say({ ...result, missing: cids.length - result.blocks, seconds })
  return result.error === undefined ? 0 : 1
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    security: { type: 'string', default: 'tls' },
    'blocks-count': { type: 'string' },
    'blocks-size': { type: 'string' },
    'blocks-seed': { type: 'string', default: 'seed' },
    peer: { type: 'string' },
    cids: { type: 'string' },
    timeout: { type: 'string', default: '60s' }
  }
})
const command = { serve, fetch }[positionals[0]]
if (command === undefined) {
  process.stderr.write('usage: node node.mjs serve|fetch [options]\n')
  process.exit(2)
}
// The node is not stopped: what it has said is what counts.
process.exit(await command(values) ?? 0)
