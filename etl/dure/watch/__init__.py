"""Being watched: what monitoring reads of a run."""
