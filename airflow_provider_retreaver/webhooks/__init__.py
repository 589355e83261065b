"""Webhooks that Retreaver sends: what is received, kept, put into batches and answered."""
