"""The catalogue: what may be shown to anybody who asks what data there is."""
