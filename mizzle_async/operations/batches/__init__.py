"""Batches of reads and writes."""
