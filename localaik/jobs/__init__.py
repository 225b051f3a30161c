"""Work that no caller waits for: done in the background, after what callers do wait for."""
