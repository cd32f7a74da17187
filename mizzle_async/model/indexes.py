"""Indexes: global and local secondary indexes, named after the paths they are made of.

An index belongs to the entity whose attributes it names and is found through it; its own paths know it, so a query knows which
index its key conditions are about.
"""
