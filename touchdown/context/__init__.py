"""What a model call read: blocks, sameness with the call before, shapes and token shares."""
