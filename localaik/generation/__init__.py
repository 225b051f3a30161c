"""The neutral middle: from a request to events, free of any wire format."""
