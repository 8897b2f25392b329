"""What fills the memory of a live CPython, what of it grows, and who holds it: read from outside, nothing is held."""
