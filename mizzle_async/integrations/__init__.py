"""Optional extras: each module imports its library where it is used."""
