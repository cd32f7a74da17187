"""The consumer of change streams: shards in their order, lanes by key, positions, and the stores that keep them."""
