"""Writes of one item."""
