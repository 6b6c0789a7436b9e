"""Receiving: a package is opened, verified, counted and filed, or kept out with a report that its sender can read."""
