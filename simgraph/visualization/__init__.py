"""What was found, and why, to be looked at."""
