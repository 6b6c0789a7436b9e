"""The demonstration: generated hospitals, what became of them, and how much of the truth is in it."""
