"""Evidence: what a package says of its checks and codes beside the tables, so that a receiver can compare hospitals."""
