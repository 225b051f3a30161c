"""What a person types. Reads flags, prints, and calls what does the work; heavy modules are imported when needed."""
