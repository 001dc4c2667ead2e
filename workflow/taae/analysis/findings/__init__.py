"""What a study found: a verdict on every difference, in numbers and in words."""
