"""The .taae file: its container, the entropy model of its codes."""
