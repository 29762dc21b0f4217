"""Strategies that nobody has read: each runs in a confined process of its own."""
