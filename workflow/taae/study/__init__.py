"""A study: its config resolved into typed values, and checked before anything runs. No torch."""
