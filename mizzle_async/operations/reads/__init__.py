"""Reads of one item and of pages."""
