"""Tables: what is declared, and what the service describes."""
