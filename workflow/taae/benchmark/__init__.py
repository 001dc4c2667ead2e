"""What a study takes: measured (speed, memory) and predicted (`taae plan`)."""
