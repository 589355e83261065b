"""Real-time bidding: what reservations mean."""
