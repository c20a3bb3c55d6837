FOUND: bool
"""Whether OpenSSL is called directly; `hashlib` is, where not."""

def digest(data: bytes) -> bytes:
    """The SHA-256 of `data`."""
