"""Policies, gates, and what follows from them."""
