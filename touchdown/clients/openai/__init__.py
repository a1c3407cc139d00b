"""The openai SDK: chat completions, responses, embeddings."""
