"""What boxo 0.43 is expected to come to, where that is not "pass", and why."""

from __future__ import annotations

_NO_BODY = (
    "go-msgio takes a length with nothing behind it for the end of the stream (EOF, not unexpected EOF), so "
    "boxo ends the stream where a decoder says that a frame is cut"
)

EXPECTED: dict[str, tuple[str, str]] = {
    "wants-1025": (
        "differs",
        "it keeps 1,024 wants of a peer (MaxQueuedWantlistEntriesPerPeer), not one more",
    ),
    "wants-5000": ("differs", "it keeps 1,024 wants of a peer (MaxQueuedWantlistEntriesPerPeer)"),
    "full-replaces": (
        "differs",
        "its full wantlist clears the ledger and leaves the queue of answers as it is",
    ),
    "corpus-framing": ("differs", _NO_BODY),
    "corpus-truncated": ("differs", _NO_BODY),
}
"""Check to (verdict, reason)."""
