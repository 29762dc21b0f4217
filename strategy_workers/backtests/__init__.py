"""Runs a strategy offline: the same decisions and the same books as on the tape, no server."""
