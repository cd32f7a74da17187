"""What the tests of this package and of its users share: engines, and a pytest plugin."""
