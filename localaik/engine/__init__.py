"""What runs the model: the only part that knows llama.cpp."""
