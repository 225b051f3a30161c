"""The Responses API, and the conversations that belong to it."""
