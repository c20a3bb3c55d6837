from bitswap.decision.envelope import Envelope as Envelope
