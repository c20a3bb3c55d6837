"""A node through an hour of peers and blocks that come and go: `python -m tests.soak`."""
