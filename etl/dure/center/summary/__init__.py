"""Summaries: what the center's pages read instead of deliveries. Each comes from one delivery alone, in one reading."""
