"""The objects that a caller holds: the client, its tables, queries and statements."""
