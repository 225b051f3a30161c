"""The routes that clients of eGemma know: sessions, which keep the history of chats on the server."""

from localaik.protocols.workbench.routes import ReadTranscript, workbench

__all__ = ["ReadTranscript", "workbench"]
