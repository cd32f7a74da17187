"""Instruments, which watch the calls of a client."""
