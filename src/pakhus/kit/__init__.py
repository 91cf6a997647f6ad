"""The kit: all that a format may import. No I/O, no framework, no database.

Formats import from here or from the kit's modules; the words of the domain that they need are passed on.
"""
