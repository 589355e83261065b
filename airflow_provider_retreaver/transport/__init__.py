"""Carrying requests: the two transports, the limiter they share, and the clients."""
