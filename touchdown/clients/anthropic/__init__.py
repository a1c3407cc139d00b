"""The anthropic SDK: messages, stable and beta."""
