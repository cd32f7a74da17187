"""The files that the shell reads: compression, encoding, layout, and the rows of each layout."""
