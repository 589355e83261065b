"""The routes of Retreaver's API."""
