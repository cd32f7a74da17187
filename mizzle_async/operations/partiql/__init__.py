"""PartiQL statements."""
