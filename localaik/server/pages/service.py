"""What the routes that belong to no API take and answer, for readers of the OpenAPI document."""

from typing import Final

from localaik.protocols.description import (
    BINARY,
    JSON,
    OBJECT,
    TEXT,
    Description,
    Names,
    Operation,
    Parameter,
    Schema,
    Shape,
    object_of,
    one_of,
)

__all__ = ["describe_service"]

_TAG: Final = "Service"
_PAGES: Final = "Pages"
_HTML: Final = "text/html"
_FAULT: Final[Schema] = object_of({"error": TEXT})
_HEALTH: Final = Shape("Health", object_of({"status": one_of("ok", "unhealthy")}, {"model": TEXT, "reason": TEXT}))


def describe_service(_names: Names) -> Description:
    """All of them."""
    return Description(
        "Service",
        ("/",),
        {
            ("GET", "/health"): Operation(
                summary="Tell whether an answer can come",
                tag=_TAG,
                about="200, or 503 with the reason.",
                parameters=(Parameter("verbose", "Whether the limits in force are wanted, too.", one_of("yes", "no")),),
                answer=_HEALTH,
                faults={JSON: OBJECT},
            ),
            ("GET", "/health/live"): Operation(summary="Tell whether the process serves", tag=_TAG, answer=OBJECT),
            ("GET", "/metrics"): Operation(
                summary="Tell figures since the start", tag=_TAG, answer=TEXT, answer_types=("text/plain",)
            ),
            ("GET", "/"): Operation(
                summary="The start page",
                tag=_PAGES,
                about="A page, or as JSON where the caller wants no HTML.",
                answer=OBJECT,
                answer_types=(JSON, _HTML),
            ),
            ("GET", "/docs"): Operation(summary="The pages of the API", tag=_PAGES, answer=TEXT, answer_types=(_HTML,)),
            ("GET", "/docs/{asset}"): Operation(
                summary="What the pages are made of", tag=_PAGES, answer=BINARY, answer_types=("*/*",)
            ),
            ("GET", "/openapi.json"): Operation(summary="This document", tag=_PAGES),
        },
        {"asset": Parameter("asset", "Name of a file.", example="pages.css")},
        _FAULT,
    )
