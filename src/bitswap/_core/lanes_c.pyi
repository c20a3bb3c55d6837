def fail_after(count: int | None) -> None:
    """Let so many allocations of this module succeed and all after them fail; None = no more."""
