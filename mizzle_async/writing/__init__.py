"""The verbs of a table that write, and modify-and-retry."""
