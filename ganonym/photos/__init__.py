"""Untrusted files in, clean files out; between the two there are only arrays."""
