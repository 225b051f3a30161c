"""What the OpenAI API has and localaik has not: the refusal says so, and why."""

from pathlib import Path

import pytest

from tests.openai_caller import serving

PATHS = {
    "/audio/speech": "neither hears nor speaks",
    "/audio/transcriptions": "neither hears nor speaks",
    "/images/generations": "makes no images",
    "/videos": "makes no videos",
    "/vector_stores": "embeddings are served",
    "/fine_tuning/jobs": "not trained here",
    "/assistants": "use responses",
    "/threads/thread_1/runs": "use responses",
    "/realtime/sessions": "neither hears nor speaks",
    "/evals": "not graded here",
    "/containers": "no code is run",
    "/skills": "no code is run",
    "/chatkit/sessions": "no hosted workflows",
    "/organization/projects": "no organizations",
}


@pytest.mark.parametrize("prefix", ["/v1", "/openai/v1", ""])
async def test_what_is_not_served_says_why(tmp_path: Path, prefix: str) -> None:
    async with serving(tmp_path, state="memory") as caller:
        for path, why in PATHS.items():
            for method in ("GET", "POST", "DELETE"):
                status, code, param, message = (await caller.ask(method, prefix + path)).fault
                assert (status, code, param) == (404, "unknown_url", None)
                assert message.startswith(f"Unknown request URL: {method} {prefix}{path}. localaik does not serve it: ")
                assert why in message


async def test_an_odd_path_is_refused_too(tmp_path: Path) -> None:
    async with serving(tmp_path, state="memory") as caller:
        for path in ("/v1/threads/", "/v1//threads", "/v1/threads/%2F%00", "/v1/threads%2Fx"):
            assert (await caller.ask("GET", path)).fault[:2] == (404, "unknown_url")
