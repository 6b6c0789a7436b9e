"""What the center's hospitals delivered, how good it is, and where they disagree: one page and one JSON."""
