"""The lake: where snapshots lie, how a new one becomes the current one, and what its manifest says."""
