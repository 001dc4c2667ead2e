"""Measurements of trained models beside the scores of their audio."""
