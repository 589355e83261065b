"""Payout bid modification tables: reading and checking their rules, and changing which table is active."""
