"""Reading many items: sources of pages, and the iterators over them."""
