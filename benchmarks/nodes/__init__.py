"""Two nodes in two processes over 127.0.0.1: ours and boxo's, each as client and as server."""
