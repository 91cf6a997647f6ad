"""The composition root: settings → objects → ASGI application."""
