"""The exams of the embedded models: what they answer through the public API of a real server, and what is right."""
