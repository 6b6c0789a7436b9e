"""Suggestions for unmapped codes: ranked standard concepts with reasons, made offline and applied by nobody but a reviewer."""
