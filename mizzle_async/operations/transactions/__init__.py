"""Transactions, their tokens and their cancellations."""
