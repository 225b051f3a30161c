"""What a browser finds here: the start page, the pages of the API, and the OpenAPI document that they show."""

from localaik.server.pages.routes import with_pages

__all__ = ["with_pages"]
