"""How each type is stored: the fast way and the careful way."""
