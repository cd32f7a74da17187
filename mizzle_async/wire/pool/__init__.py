"""Connections to the service, kept alive and shared."""
