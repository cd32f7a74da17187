"""Instruments of a client: what watches its calls."""
