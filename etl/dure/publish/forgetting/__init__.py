"""Forgetting: persons taken out of everything that a lake keeps, and withdrawn from what has left it."""
