"""What a study will take, before it is run: time, memory, disk."""
