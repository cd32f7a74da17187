"""One table of state: marks of applied operations, leases, the state of resumable work, positions of consumers."""
