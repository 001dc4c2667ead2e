"""Measurements of large studies, by hand; docs/scale.md has their figures."""
