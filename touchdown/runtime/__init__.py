"""What happens between a call and its record: the current task, observations, delivery in order."""
