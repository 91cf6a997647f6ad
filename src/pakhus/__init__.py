"""Pakhus: a universal artifact repository manager."""

__version__ = "0.1.0"
