"""Delta runs: only the persons touched since the snapshot before are mapped, the rest of the tables is copied."""
