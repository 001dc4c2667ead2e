"""The measurements behind every claim of speed: `python -m taae bench NAME`."""
