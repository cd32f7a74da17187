"""Instances as values of JSON and back: text, numbers, truth values, null, lists and dicts."""
