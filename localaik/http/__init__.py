"""What every handler needs and no protocol owns: bodies read within limits, whole and streamed answers."""
