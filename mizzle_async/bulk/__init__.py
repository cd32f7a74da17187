"""Many items at once: batches, loads, exports and rewrites that account for every item."""
