"""What the hot paths cost: side by side compiled and pure, and beside boxo."""
