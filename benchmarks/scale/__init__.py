"""One server and thousands of peers: what a connection costs, and whether all are served alike."""
